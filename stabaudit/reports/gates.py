"""What gates say: value, bound and verdict in one row each."""

from collections.abc import Sequence
from dataclasses import asdict

from stabaudit.comparison.gates import Gate
from stabaudit.comparison.records import Comparison
from stabaudit.reports.report import Report, Section
from stabaudit.reports.words import counted, mean_with_interval, number
from stabaudit.statistics.gate import worst


def gates_report(gates: Sequence[Gate], comparison: Comparison) -> Report:
    """Every gate on the only run of a comparison, and the verdict over all of them."""
    (run,) = comparison.runs
    rows = [_row(gate) for gate in gates]
    header = ["gate", "value [95%]", "chance", "verdict"]
    verdict = worst([gate.verdict for gate in gates])
    records: dict[str, list[dict[str, object]]] = {
        "gates": [asdict(gate) for gate in gates],
        "verdicts": [{"run": run.name, "verdict": verdict}],
        "warnings": [{"warning": warning} for warning in comparison.warnings],
    }
    words = [_explain(gate) for gate in gates] + [f"{run.name}: {verdict}."]
    title = f"gates on {run.name}: {run.restarts} of {counted(run.trained, 'restart')}"
    return Report([Section(title, header, rows, words)], records, main="gates")


def _row(gate: Gate) -> list[str]:
    if gate.kind == "regression" and gate.change is not None:
        what = f"change of {gate.score} {gate.operator} {gate.bound + 0.0:g}"  # a margin of zero is no "-0"
        value = mean_with_interval(gate.change, gate.change_low, gate.change_high)
    else:
        what = f"{gate.score} {gate.operator} {gate.bound:g}"
        value = mean_with_interval(gate.value, gate.ci_low, gate.ci_high)
    return [what, value, number(gate.floor), gate.verdict]


def _explain(gate: Gate) -> str:
    said = f"{gate.score} is {mean_with_interval(gate.value, gate.ci_low, gate.ci_high)}"
    if gate.kind == "regression":
        said += f", was {number(gate.baseline)}"
    low = gate.change_low if gate.kind == "regression" else gate.ci_low
    reason = {
        "pass": "all of the interval keeps the bound",
        "fail": "none of the interval keeps the bound",
        "inconclusive": "the interval holds the bound; train more restarts"
        if low is not None
        else "there is no interval; train three restarts or more",
    }[gate.verdict]
    return f"{said}: {gate.verdict}, {reason}."
