"""Simulated likelihood profiles as tables and records: in how many simulations is the truth the only minimiser?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from stabaudit.errors import counted
from stabaudit.likelihood.profiles import Verdict, share_interval
from stabaudit.likelihood.results import LEVEL, Fit, Judged, Remark, Tally, tally
from stabaudit.reports.report import Record, Report, Section
from stabaudit.reports.wording import interval, number

FITTED = {-1: "J − 1", 0: "J", 1: "J + 1"}
NAMES = {
    "weight": "w",
    "bias": "b",
    "out": "v",
    "offset": "c",
    "mixture_logits": "log π",
    "mixture_mean": "μ",
    "mixture_log_var": "log s²",
}


@dataclass(frozen=True)
class SimulationRow:
    """What the profiles of one simulation say for one number of components.

    Args:
        simulation: its number, from 0.
        components: J, of the model that the rows are drawn from.
        fitted: components of the model whose likelihood is profiled.
        injective: whether the decoder is (F4).
        weakly_injective: whether it is, as theory asks (F2).
        truth_only: whether the truth is the only minimiser of every profile.
        profiles: how many there are.
        elsewhere, another, flat: how many of them have that verdict.
        limit: the largest deviance that the rows do not rule out.
        largest_deviance: that of the truth, of all profiles.
    """

    simulation: int
    components: int
    fitted: int
    injective: bool
    weakly_injective: bool
    truth_only: bool
    profiles: int
    elsewhere: int
    another: int
    flat: int
    limit: float
    largest_deviance: float


@dataclass(frozen=True)
class ProfileRow:
    """The negative log-likelihood along one number of a model, the others at the truth.

    Args:
        simulation: the first.
        fitted: components of the model.
        parameter: name of the parameter that the number belongs to.
        position: which of its numbers, from 0.
        truth: its true value.
        minimiser: the value with the smallest loss.
        deviance: of the truth, 2 n (loss − smallest loss).
        verdict: whether the truth is the only minimiser.
        values: where the loss was evaluated, ascending.
        loss: mean negative log-likelihood there, in nats per row.
    """

    simulation: int
    fitted: int
    parameter: str
    position: int
    truth: float
    minimiser: float
    deviance: float
    verdict: Verdict
    values: tuple[float, ...]
    loss: tuple[float, ...]


_VERDICTS = (
    "elsewhere: profiles whose truth the rows rule out; another: values elsewhere are as good as those around the truth; flat: "
    "the range does not bound those. More rows may settle the last two. By likelihood ratio, at a level of "
    f"{LEVEL:g} for all profiles of a fit together."
)
_MISSPECIFIED = (
    "J + 1: the heaviest component in two halves, which is the true distribution. J − 1: the two components that differ least "
    "merged into one, which is not: from theory it does not follow there that the truth is the minimiser."
)


def likelihood_report(fits: Sequence[Fit], remark: Remark, rows: int) -> Report:
    """The count by number of components and kind of decoder, and the pair of Remark 3.12.

    Args:
        fits: of every simulation, in order.
        remark: two priors that give the same data.
        rows: n of each simulation.
    """
    counts = tally(fits)
    table = [_row(one) for one in counts]
    header = ["fitted", "decoder", "only the truth", "share [95%]", "profiles", "elsewhere", "another", "flat"]
    title = f"likelihood profiles: {counted(_simulations(counts), 'simulation')} of {counted(rows, 'row')}"
    sections = [Section(title, header, table, _words(counts), left=2), Section("Remark 3.12", words=[_remark(remark)])]
    records: dict[str, Sequence[Record]] = {
        "simulations": [asdict(_simulation_row(fit)) for fit in fits],
        "tallies": [asdict(one) for one in counts],
        "profiles": [asdict(_profile_row(fit, one)) for fit in fits if fit.simulation == 0 for one in fit.judged],
        "remark": [asdict(remark)],
    }
    return Report(sections, records, main="simulations")


def _row(one: Tally) -> list[str]:
    return [
        FITTED[one.excess],
        "weakly injective" if one.weakly_injective else "not so",
        f"{one.truth_only} of {one.simulations}",
        f"{number(one.truth_only / one.simulations, 2)} {interval(one.ci_low, one.ci_high, 2)}",
        str(one.profiles),
        *(str(count) for count in (one.elsewhere, one.another, one.flat)),
    ]


def _simulations(counts: Sequence[Tally]) -> int:
    return sum(one.simulations for one in counts if one.excess == 0)


def _words(counts: Sequence[Tally]) -> list[str]:
    right = [one for one in counts if one.excess == 0]
    successes, simulations = sum(one.truth_only for one in right), _simulations(counts)
    limits = interval(*share_interval(successes, simulations), 2)
    kinds = "; ".join(
        f"{one.truth_only} of {one.simulations} whose decoder is {'' if one.weakly_injective else 'not '}weakly injective"
        for one in right
    )
    said = (
        f"with the true number of components J the truth is the only minimiser of every profile in {successes} of "
        f"{counted(simulations, 'simulation')}, share {number(successes / simulations, 2)} {limits}: {kinds}. "
        "Kivva et al. 2022 report 50 of 50; their theory is of weakly injective decoders."
    )
    return [said, _VERDICTS, _MISSPECIFIED]


def _remark(remark: Remark) -> str:
    p, q = (", ".join(f"{mean:g}" for mean in means) for means in (remark.means_p, remark.means_q))
    same = "the same distribution of x" if remark.same_data else "different distributions of x"
    return (
        f"priors with means {p} and {q} give, by f(z) = |z|, {same} (log-densities differ by {remark.difference:.0e} nats at "
        f"most), though no affine map joins them: affine density distance {number(remark.distance)}, relative "
        f"{number(remark.relative)} (our definition). Without a weakly injective decoder the prior is not identified."
    )


def _simulation_row(fit: Fit) -> SimulationRow:
    return SimulationRow(
        simulation=fit.simulation,
        components=fit.components,
        fitted=fit.fitted,
        injective=fit.injective,
        weakly_injective=fit.weakly_injective,
        truth_only=fit.truth_only,
        profiles=len(fit.judged),
        elsewhere=fit.count("elsewhere"),
        another=fit.count("another"),
        flat=fit.count("flat"),
        limit=fit.limit,
        largest_deviance=max(one.profile.at_truth for one in fit.judged),
    )


def _profile_row(fit: Fit, one: Judged) -> ProfileRow:
    return ProfileRow(
        simulation=fit.simulation,
        fitted=fit.fitted,
        parameter=one.parameter,
        position=one.position,
        truth=one.profile.truth,
        minimiser=one.profile.minimiser,
        deviance=one.profile.at_truth,
        verdict=one.verdict,
        values=tuple(one.profile.values.tolist()),
        loss=tuple(one.profile.loss.tolist()),
    )
