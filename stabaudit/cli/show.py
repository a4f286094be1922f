"""`stabaudit show RUN`: what a run is, where it was trained, and what became of each restart."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stabaudit.cli.output import FormatOption, OutputOption, deliver
from stabaudit.errors import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stabaudit.store.run.manifest import Manifest


def show(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    form: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Show one run: its configuration, its environment, and a row for each restart."""
    from stabaudit.reports.report import Report, Section
    from stabaudit.reports.wording import NONE
    from stabaudit.store.files.atomic import shown
    from stabaudit.store.run.run_folder import Run

    opened = Run.open(run)
    manifest = opened.manifest
    scores = sorted({name for restart in manifest.restarts for name in restart.scores})
    restarts = [
        {"restart": r.index, "state": r.state, "seed": r.seed, "steps": r.steps, "seconds": r.seconds}
        | {name: r.scores.get(name) for name in scores}
        | {"detail": r.detail}
        for r in manifest.restarts
    ]
    rows = [
        [str(r.index), r.state, str(r.seed), f"{r.steps:,}", f"{r.seconds:.1f}"]
        + [f"{r.scores[name]:.4g}" if name in r.scores else NONE for name in scores]
        for r in manifest.restarts
    ]
    details = [f"restart {r.index}: {r.detail}" for r in manifest.restarts if r.detail]
    facts = _facts(manifest, opened.name)
    sections = [
        Section(f"run {shown(opened.folder)}", ["key", "value"], list(facts.items()), left=2),
        Section("restarts", ["restart", "state", "seed", "steps", "seconds", *scores], rows, details, left=2),
    ]
    deliver(Report(sections, {"run": [facts], "restarts": restarts}, main="restarts"), form, output)


def _facts(manifest: "Manifest", name: str) -> dict[str, str]:
    """Configuration, dataset and environment, each as text by its key."""
    facts: dict[str, str] = {"name": name, "created": manifest.created, "command": manifest.command}
    if manifest.config is None:
        imported = manifest.external is None or manifest.external.program is None
        facts["configuration"] = "none: these latents were imported" if imported else "none: a program trained these restarts"
        known = manifest.external.model_dump(exclude_none=True) if manifest.external else {}
        facts |= {key: ", ".join(value) if key == "files" else _text(value) for key, value in known.items() if value}
    else:
        for key, value in manifest.config.model_dump(exclude={"dataset"}).items():
            facts[key] = _text(value)
        facts["dataset"] = _text(manifest.config.dataset.model_dump())
    data = manifest.dataset
    if manifest.config is None:
        facts["rows"] = f"{data.evaluation_rows:,}"
    else:
        shape = "×".join(map(str, data.shape))
        facts["rows"] = f"{data.train_rows:,} to train on, {data.evaluation_rows:,} to evaluate on, of shape {shape}"
    if data.source_names:
        facts["sources"] = ", ".join(data.source_names)
    facts["fingerprint"] = data.fingerprint
    if manifest.grid:
        height, width, d = manifest.grid
        facts["grid"] = f"{height}×{width} positions of {counted(d, 'dimension')}"
    facts["shards"] = ", ".join("+".join(map(str, shard)) for shard in manifest.shards)
    return facts | {key: str(value) for key, value in manifest.environment.model_dump().items() if value is not None}


def _text(value: object) -> str:
    """A value of the configuration: a choice as "vade, k=10", settings as "epochs=2, batch_size=64"."""
    if not isinstance(value, dict):
        return str(value)
    named: Mapping[str, object] = value.get("options", value)
    parts = [f"{key}={setting}" for key, setting in named.items() if setting is not None]
    return ", ".join([value["name"], *parts] if "options" in value else parts)
