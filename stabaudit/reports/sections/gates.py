"""What gates say: value, bound and verdict in one row each."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal

from stabaudit.comparison.gating.gates import Gate
from stabaudit.comparison.records import Comparison
from stabaudit.errors import counted
from stabaudit.metrics.anatomy import REPRODUCIBLE_AXES
from stabaudit.reports.report import Outcome, Report, Section
from stabaudit.reports.verdict import verdict
from stabaudit.reports.wording import mean_with_interval, number, p_value
from stabaudit.statistics.gate import Verdict, worst

_FAMILIES = "families"  # what a test of them is said to be on
_PASSED_ALL_THE_SAME = " It is let pass by --inconclusive=pass, not by what was measured."
_MANY = 6  # more gates than this, and those that pass are only counted


def gates_report(
    gates: Sequence[Gate], comparison: Comparison, inconclusive: Literal["pass", "fail", "inconclusive"] = "inconclusive"
) -> Report:
    """Every gate on the runs of a comparison, and the verdict over all of them.

    Args:
        gates: what was tested.
        comparison: the runs.
        inconclusive: what an inconclusive gate counts as.
    """
    several = len(comparison.runs) > 1
    rows = [([gate.run or _FAMILIES] if several else []) + _row(gate) for gate in gates]
    header = (["run"] if several else []) + ["gate", "value [95%]", "chance", "verdict"]
    by_run = {run.name: [gate.verdict for gate in gates if gate.run == run.name] for run in comparison.runs}
    overall = worst([gate.verdict for gate in gates])
    verdicts: list[dict[str, object]] = [{"run": run, "verdict": worst(found)} for run, found in by_run.items() if found]
    if several or not verdicts:
        verdicts.append({"run": None, "verdict": overall})
    records: dict[str, list[dict[str, object]]] = {
        "gates": [asdict(gate) for gate in gates],
        "verdicts": verdicts,
        "warnings": [{"warning": warning} for warning in comparison.warnings],
    }
    what = f"{len(by_run)} runs" if several else comparison.runs[0].name
    done, trained = sum(run.restarts for run in comparison.runs), sum(run.trained for run in comparison.runs)
    let_pass = [gate.verdict == "inconclusive" and inconclusive == "pass" for gate in gates]
    said = [_explain(gate) + (_PASSED_ALL_THE_SAME if let else "") for gate, let in zip(gates, let_pass, strict=True)]
    anatomy = {run.name: verdict(comparison, run.name) for run in comparison.runs}
    told = [
        f"{gate.run}: {text}" if several and gate.run else text
        for gate, text in zip(gates, said, strict=True)
        if gate.verdict != "pass" or len(gates) <= _MANY
    ]
    words = [f"{what}: {overall}{', and let pass' if overall == 'inconclusive' and inconclusive == 'pass' else ''}.", *told]
    if len(told) < len(gates):
        words.append(f"{len(gates) - len(told)} of {counted(len(gates), 'gate')} pass.")
    if len(comparison.runs) <= _MANY:
        words += [f"{run}: {text}" if several else text for run, texts in anatomy.items() for text in texts]
    title = f"gates on {what}: {done} of {counted(trained, 'restart')}"
    if gates and gates[0].rows is not None:
        title = f"gates on the drift to {what}: {counted(gates[0].rows, 'row')}, intervals over rows"
    outcomes = [
        Outcome(
            _bounded(gate),
            gate.run or _FAMILIES,
            gate.verdict,
            inconclusive if gate.verdict == "inconclusive" else gate.verdict,
            " ".join([text, *anatomy.get(gate.run or "", ())]),
        )
        for gate, text in zip(gates, said, strict=True)
    ]
    return Report([Section(title, header, rows, words, left=2 if several else 1)], records, main="gates", outcomes=outcomes)


def _bounded(gate: Gate) -> str:
    """What is required, in a line."""
    if gate.kind == "regression":
        return f"change of {gate.score} {gate.operator} {gate.bound + 0.0:g}"  # a margin of zero is no "-0"
    return f"{gate.score} {gate.operator} {gate.bound:g}"


def _row(gate: Gate) -> list[str]:
    if gate.kind == "regression" and gate.change is not None:
        value = mean_with_interval(gate.change, gate.change_low, gate.change_high)
    else:
        value = _value(gate)
    return [_bounded(gate), value, number(gate.floor), gate.verdict]


def _value(gate: Gate) -> str:
    """The value with its interval, or a p-value, which has none; a count of axes with how many there may be."""
    if gate.score == REPRODUCIBLE_AXES.name and gate.ci_high is not None:
        return f"{gate.value:.0f}" + (f", at most {gate.ci_high:.0f}" if gate.ci_high > gate.value else "")
    return p_value(gate.value) if gate.smallest is not None else mean_with_interval(gate.value, gate.ci_low, gate.ci_high)


def _explain(gate: Gate) -> str:
    said = f"{gate.score} is {_value(gate)}"
    if gate.kind == "regression":
        said += f", was {number(gate.baseline)}"
    if gate.configurations is not None:
        said += f" over {counted(gate.configurations, 'configuration')}"
    if gate.detectable_loss is not None:
        said += f" (a loss of {number(gate.detectable_loss)} would fail in 80% of cases)"
    return f"{said}: {gate.verdict}, {_reason(gate)}."


def _reason(gate: Gate) -> str:
    if gate.smallest is not None:
        reasons: dict[Verdict, str] = {
            "pass": "it keeps the bound",
            "fail": f"it does not keep the bound; the smallest p possible was {p_value(gate.smallest)}",
            "inconclusive": f"the smallest p that this many configurations allow is {gate.smallest:.4g}; add configurations",
        }
        return reasons[gate.verdict]
    if gate.kind == "requirement" and gate.ci_low is None and gate.verdict != "inconclusive":
        return "it keeps the bound" if gate.verdict == "pass" else "it does not keep the bound"
    if gate.score.startswith(REPRODUCIBLE_AXES.name) and gate.ci_low is not None:
        return {
            "pass": "what is shown keeps the bound",
            "fail": "not even with those that more restarts could show does it keep the bound",
            "inconclusive": "more restarts could show enough; train more",
        }[gate.verdict]
    low = gate.change_low if gate.kind == "regression" else gate.ci_low
    more, some = "train more restarts", "train three restarts or more"
    if gate.kind == "families":
        more = some = "add configurations"
    if gate.kind == "drift":
        more = some = "add rows"
    return {
        "pass": "all of the interval keeps the bound",
        "fail": "none of the interval keeps the bound",
        "inconclusive": f"the interval contains the bound; {more}" if low is not None else f"there is no interval; {some}",
    }[gate.verdict]
