"""What theorems promise of a run, which conditions hold, and whether the run keeps it: tables and sentences."""

from collections import Counter
from collections.abc import Sequence

from stabaudit.errors import are, counted
from stabaudit.reports.report import Record, Report, Section
from stabaudit.reports.wording import NONE, number
from stabaudit.theory.conditions import CLASSES, MEANING, STATES, Condition
from stabaudit.theory.diagnosis import Diagnosis
from stabaudit.theory.promise import Promise, weakest
from stabaudit.theory.records import AgreementRecord, condition_records, decoder_records, promise_record

LEGEND = (
    "Theorems speak of the maximum of the likelihood, of data that the model could have made and of infinitely many rows. "
    "holds: by construction or by the weights; not refuted: a search found nothing against it, which is no proof. "
    "'stabaudit explain diagnose' says what the conditions ask."
)
_SHOWN = 4  # restarts that a cell names


def diagnosis_report(found: Diagnosis) -> Report:
    """The diagnosis of a run."""
    least = weakest(list(found.promises.values()))
    words = [*promise_sentences(found), f"Measured: {'; '.join(found.said)}.", agreement_sentence(found, least)]
    sections = [_promises(found, words), _conditions(found), *_decoders(found)]
    records: dict[str, Sequence[Record]] = {
        "agreement": [
            vars(AgreementRecord(found.run, least.identified, found.measured, found.agreement, agreement_sentence(found, least)))
        ],
        "promises": [vars(promise_record(found.run, index, one)) for index, one in found.promises.items()],
        "conditions": [vars(one) for index, p in found.promises.items() for one in condition_records(found.run, index, p)],
        "decoders": [],
        "layers": [],
        "warnings": [{"warning": warning} for warning in found.warnings],
    }
    of_decoders = [decoder_records(found.run, index, facts) for index, facts in found.facts.items()]
    records["decoders"] = [vars(one) for decoders, _ in of_decoders for one in decoders]
    records["layers"] = [vars(one) for _, layers in of_decoders for one in layers]
    return Report(sections, records, main="conditions")


def _promises(found: Diagnosis, words: Sequence[str]) -> Section:
    rows = [
        [
            f"{index}",
            MEANING[one.identified],
            one.theorem or NONE,
            MEANING[one.prior] if one.prior != "none" else NONE,
            ", ".join(f"{condition.name} {condition.state}" for condition in one.missing) or NONE,
            _listed(one.collapsed) or NONE,
        ]
        for index, one in found.promises.items()
    ]
    header = ("restart", "promised of latents", "by", "promised of p(z)", "kept back by", "collapsed")
    return Section(f"what theorems promise of {found.run}", header, rows, words, left=6)


def _listed(dimensions: Sequence[int]) -> str:
    more = len(dimensions) - _SHOWN
    return ", ".join(f"z{k}" for k in dimensions[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _conditions(found: Diagnosis) -> Section:
    """Each condition over all restarts, with the numbers of the one that is worst off."""
    names = dict.fromkeys(condition.name for one in found.promises.values() for condition in one.conditions)
    rows = []
    for name in names:
        own = {
            index: condition for index, one in found.promises.items() for condition in one.conditions if condition.name == name
        }
        worst = max(own, key=lambda index: (STATES.index(own[index].state), own[index].amount or 0.0, -index))
        where = f"restart {worst}: " if len(found.promises) > 1 else ""
        rows.append([name, own[worst].meaning, _states(list(own.values())), f"{where}{own[worst].evidence}", own[worst].source])
    return Section(f"conditions on {found.run}", ("condition", "it asks that", "state", "found", "from"), rows, [LEGEND], left=5)


def _states(conditions: Sequence[Condition]) -> str:
    """The states of a condition over restarts: "holds", or "fails in 1, holds in 3"."""
    counts = Counter(condition.state for condition in conditions)
    if len(counts) == 1:
        return conditions[0].state
    return ", ".join(f"{state} in {counts[state]}" for state in reversed(STATES) if counts[state])


def _decoders(found: Diagnosis) -> list[Section]:
    rows = []
    for index, facts in found.facts.items():
        one = facts.decoder
        if one is None:
            continue
        narrowest = min((min(layer.into, layer.out) for layer in one.layers), default=None)
        lowest = min((layer.smallest / layer.largest for layer in one.layers if layer.largest > 0), default=None)
        rows.append(
            [
                f"{index}",
                f"{one.rank} of {one.dimensions}",
                f"{one.singular:.0%}",
                "∞" if one.condition == float("inf") else f"{one.condition:.3g}",
                f"{one.doubled} of {one.targets}" if one.targets else NONE,
                NONE if one.closest is None else f"{one.closest:.2g}",
                NONE if one.directions is None else number(float(one.directions.min()), 2),
                NONE if narrowest is None else f"{narrowest}",
                NONE if lowest is None else f"{lowest:.1g}",
            ]
        )
    header = (
        *("restart", "rank", "singular", "condition number", "second z", "nearest", "least nats"),
        *("narrowest layer", "smallest / largest"),
    )
    return [Section(f"decoders of {found.run}", header, rows)] if rows else []


def promise_sentences(found: Diagnosis) -> list[str]:
    """What is promised of latents, of the prior, and what may be, over all restarts."""
    promises = found.promises
    least = weakest(list(promises.values()))
    groups: dict[tuple[str, str], list[int]] = {}
    for index, one in promises.items():
        groups.setdefault((one.identified, one.theorem), []).append(index)
    said = [_of_latents(promises[own[0]], own, len(promises)) for own in groups.values()]
    priors = sorted((one for one in promises.values()), key=lambda one: CLASSES.index(one.prior))
    if priors[0].prior != "none":
        said.append(f"p(z) itself is promised {MEANING[priors[0].prior]} ({priors[0].prior_theorem}).")
    if least.possible is not None:
        names = " and ".join(condition.name for condition in least.missing)
        undecided = f"{names} cannot be decided"
        said.append(f"Latents may be identified {MEANING[least.possible]} ({least.possible_theorem}): {undecided}.")
    elif least.missing:
        first = least.missing[0]
        said.append(f"More is kept back by {first.name}, that {first.meaning}: {first.evidence}.")
    if any(one.collapsed for one in promises.values()):
        counts = sorted({len(one.collapsed) for one in promises.values()})
        many = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
        lost = f"{many} of {counted(least.dimensions, 'dimension')} {are(counts[-1])} collapsed"
        said.append(f"{lost}; of {'it' if counts[-1] == 1 else 'them'} nothing is promised (Wang 2021, Theorem 1).")
    return said


def _of_latents(one: Promise, own: Sequence[int], total: int) -> str:
    """What is promised of the latents of some restarts."""
    some = ""
    if len(own) < total:
        named = ", ".join(map(str, own[:_SHOWN])) + (f" and {len(own) - _SHOWN} more" if len(own) > _SHOWN else "")
        some = f" of restart{'s' if len(own) > 1 else ''} {named}"
    if one.identified == "none":
        return f"No theorem promises anything of the latents{some}."
    sure = "" if one.state == "holds" else ", as far as the search for counterexamples goes"
    return f"The latents{some} are promised {MEANING[one.identified]} ({one.theorem}){sure}."


def agreement_sentence(found: Diagnosis, least: Promise) -> str:
    """Whether the run keeps what is promised."""
    reached = {"permutation": "order, sign, scale and shift", "affine": "a linear map", "part": "", "none": "", None: ""}
    agreed = f"its restarts agree up to {reached[found.measured]}"
    partly = "its restarts agree in part" if found.measured == "part" else "its restarts do not agree"
    match found.agreement:
        case "kept":
            return f"The run keeps it: {agreed}."
        case "more" if least.identified == "none":
            return f"The run does more than is promised: {agreed}, which no theorem asks for."
        case "more":
            return f"The run keeps it and does more: {agreed}."
        case "not kept":
            how = agreed.replace("agree", "agree only") if reached[found.measured] else partly
            why = "the maximum of the likelihood is not reached, or the data are not what the model can make"
            return f"The run does not keep it: {how}; {why}."
        case "nothing promised":
            return f"Nothing is promised and nothing is broken: {partly}."
        case _:
            return "Whether the run keeps it is not decided."
