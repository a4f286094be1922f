"""`stabaudit list`: what is known by name."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stabaudit.cli.output import FormatOption, OutputOption, deliver, message

if TYPE_CHECKING:
    from stabaudit.metrics.scores import Measure
    from stabaudit.reports.report import Section

What = Literal["families", "datasets", "architectures", "scores", "engines", "plans"]


def list_names(
    what: Annotated[What | None, typer.Argument(help="One kind of names; all kinds when left out.")] = None,
    form: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """List the known families, datasets, architectures, scores, engines and plans."""
    from stabaudit.metrics.scores import described, registered
    from stabaudit.registry import Kind, broken, contested, known
    from stabaudit.reports.report import Report, Section

    named: dict[str, dict[str, str]] = {
        "families": {name: entry.summary for name, entry in known("family").items()},
        "datasets": {name: entry.summary for name, entry in known("dataset").items()},
        "architectures": {name: entry.summary for name, entry in known("architecture").items()},
        "scores": {one.name: one.meaning for one in registered()},
        "engines": {name: entry.summary for name, entry in known("engine").items()},
        "plans": _plans(),
    }
    chosen = {kind: entries for kind, entries in named.items() if what in {None, kind}}
    sections = [
        _scores() if kind == "scores" else Section(kind, ["name", "what it is"], list(entries.items()), left=2)
        for kind, entries in chosen.items()
    ]
    records: dict[str, list[dict[str, object]]] = {
        "names": [
            {"kind": kind, "name": name, "summary": summary}
            for kind, entries in chosen.items()
            for name, summary in entries.items()
        ]
    }
    if "scores" in chosen:
        records["scores"] = described(registered())
    kinds: dict[What, Kind] = {
        "families": "family",
        "datasets": "dataset",
        "architectures": "architecture",
        "scores": "score",
        "engines": "engine",
    }
    for plural, kind in kinds.items():
        if plural in chosen:
            for line in contested(kind) + broken(kind):
                message(line)
    deliver(Report(sections, records, main="names"), form, output)


def _scores() -> "Section":
    """Scores with all that tells them apart."""
    from stabaudit.metrics.scores import registered
    from stabaudit.reports.report import Section

    rows = [
        [
            one.name,
            one.meaning,
            "–" if one.question is None else f"{one.question}, {'variance' if one.by_variance else 'dimensions'}",
            f"[{one.low:.4g}, {one.high:.4g}]".replace("-", "−").replace("inf", "∞"),
            ", ".join(one.floors) or "–",
            _computed(one),
            one.cost or "–",
            one.reference,
        ]
        for one in registered()
    ]
    return Section("scores", _SCORE_HEADS, rows, left=8)


_SCORE_HEADS = ["name", "what it says", "asks for", "range", "floors", "computed", "cost", "reference"]


def _computed(one: "Measure") -> str:
    """When a score is computed."""
    from stabaudit.metrics.anatomy import REPRODUCIBLE_AXES
    from stabaudit.metrics.mcc_active import SCORE as ACTIVE

    if one.default or one.name in {ACTIVE.name, REPRODUCIBLE_AXES.name}:
        return "always"
    if one.option is not None:
        return one.option
    return f"--scores {one.name}" if one.by_request else "where it is known"


def _plans() -> dict[str, str]:
    """Built-in audit plans and the summary each gives of itself."""
    import tomllib
    from importlib.resources import files

    plans = sorted(
        (path for path in files("stabaudit.plans").iterdir() if path.name.endswith(".toml")), key=lambda path: path.name
    )
    return {plan.name.removesuffix(".toml"): str(tomllib.loads(plan.read_text("utf-8")).get("summary", "")) for plan in plans}
