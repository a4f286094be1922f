"""`stabaudit list`: what is known by name."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stabaudit.cli.output import FormatOption, OutputOption, deliver, message

if TYPE_CHECKING:
    from stabaudit.metrics.scores import Measure
    from stabaudit.reports.report import Section

What = Literal["families", "datasets", "architectures", "scores", "engines", "plans", "reproductions"]


def list_names(
    what: Annotated[What | None, typer.Argument(help="One kind of names; all kinds when left out.")] = None,
    form: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """List the known families, datasets, architectures, scores, engines and plans, and what papers' experiments gave here."""
    from dataclasses import asdict

    from stabaudit.metrics.scores import described, registered
    from stabaudit.published.reproductions import reproduced, reproductions
    from stabaudit.registry import Kind, broken, contested, known
    from stabaudit.reports.report import Report, Section

    named: dict[str, dict[str, str]] = {
        "families": {name: entry.summary for name, entry in known("family").items()},
        "datasets": {name: entry.summary for name, entry in known("dataset").items()},
        "architectures": {name: entry.summary for name, entry in known("architecture").items()},
        "scores": {one.name: one.meaning for one in registered()},
        "engines": {name: entry.summary for name, entry in known("engine").items()},
        "plans": _plans(),
        "reproductions": {one.name: one.command for one in reproductions()},
    }
    chosen = {kind: entries for kind, entries in named.items() if what in {None, kind}}
    special = {"scores": _scores, "reproductions": _reproduced}
    sections = [
        special[kind]() if kind in special else Section(kind, ["name", "what it is"], list(entries.items()), left=2)
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
    if "reproductions" in chosen:
        records["reproductions"] = [asdict(row) for row in reproduced(_always())]
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


def _reproduced() -> "Section":
    """Values of papers beside ours, and what differs from the papers."""
    from stabaudit.published.reproductions import reproduced, reproductions
    from stabaudit.reports.report import Section

    rows = [
        [
            row.reproduction,
            row.run,
            row.score,
            "–" if row.reference is None else f"{row.reference:.4g}",
            f"{row.mean:.3f}" + ("" if row.ci_low is None else f" [{row.ci_low:.3f}, {row.ci_high:.3f}]"),
            *("–" if floor is None else f"{floor:.2f}" for floor in (row.independence_floor, row.rotation_floor)),
            "–" if row.axes is None else f"{row.axes} of {row.latent_dim}",
            str(row.restarts),
        ]
        for row in reproduced(_always())
    ]
    notes = [
        f"{one.name}: {one.command}; {one.data}; {one.hours:.1f} h of training; {one.machine}. Differs from the paper: "
        f"{'; '.join(one.deviations) or 'in nothing that is known'}."
        for one in reproductions()
    ]
    return Section("reproductions", _REPRODUCED_HEADS, rows, notes, left=3)


def _always() -> tuple[str, ...]:
    """What is shown of every run, whether its paper has a value or not: the first headline, out-of-sample."""
    from stabaudit.metrics.scores import headlines

    return (f"{headlines()[0].name}.out",)


_REPRODUCED_HEADS = ["experiment", "run", "score", "paper", "here [95% over restarts]", "chance", "rotation", "axes", "restarts"]


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
