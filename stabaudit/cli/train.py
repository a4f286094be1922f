"""`stabaudit train`: train N restarts of a model family and keep their latents."""

from pathlib import Path
from typing import Annotated

import typer

from stabaudit.cli.output import message

WorkersOption = Annotated[int | None, typer.Option(help="Worker processes; one per core by default.", min=1)]
DataDirOption = Annotated[Path | None, typer.Option(help="Folder with published data files (also STABAUDIT_DATA).")]
DownloadOption = Annotated[bool, typer.Option("--download", help="Fetch published data files that are missing.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


def train(
    family: Annotated[str, typer.Argument(help="Model family; see 'stabaudit list families'.")],
    data: Annotated[str, typer.Option(help="Dataset by name, or a .npz, .npy, .parquet or .csv file.")] = "digits",
    arch: Annotated[
        str | None, typer.Option(help="Encoder and decoder networks; mlp by default, where the family has none of its own.")
    ] = None,
    likelihood: Annotated[
        str | None, typer.Option(help="bernoulli, gaussian or logistic; by default what suits the data.")
    ] = None,
    latent_dim: Annotated[
        int | None, typer.Option("--latent-dim", "-d", help="Latent dimensions; 10 by default, where there is a choice.", min=1)
    ] = None,
    restarts: Annotated[int, typer.Option("--restarts", "-n", help="Trainings from different seeds.", min=1)] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the first restart; the others count on.", min=0)] = 0,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training rows, instead of steps.", min=1)] = None,
    steps: Annotated[int | None, typer.Option(help="Training steps; 5,000 by default.", min=1)] = None,
    batch_size: Annotated[int, typer.Option(help="Rows in a step.", min=1)] = 64,
    lr: Annotated[float, typer.Option(help="Adam's learning rate at the start.")] = 1e-3,
    schedule: Annotated[str, typer.Option(help="plateau: the learning rate falls when the loss stalls; constant.")] = "plateau",
    settings: Annotated[list[str] | None, typer.Option("--set", help="An option as key=value; repeat it.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    exact: Annotated[
        bool, typer.Option("--exact", help="Train each restart by itself: its bits depend on its seed alone.")
    ] = False,
    precision: Annotated[
        str, typer.Option(help="float32, or bf16: matrix products of bfloat16 numbers, faster and rougher.")
    ] = "float32",
    compile: Annotated[  # noqa: A002 -- the option's name
        bool, typer.Option("--compile", help="Training steps through torch.compile; needs a C++ compiler.")
    ] = False,
    workers: WorkersOption = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/FAMILY-ARCH-DATA-dD by default.")] = None,
    data_dir: DataDirOption = None,
    download: DownloadOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained, and stop.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Train N restarts of a model family and keep their latents."""
    from stabaudit.training.workers import warm_up

    if not dry_run:
        warm_up()
    from stabaudit.cli.progress import watch
    from stabaudit.config import checked
    from stabaudit.training.prepare import Recipe, prepare
    from stabaudit.training.train import Job
    from stabaudit.training.train import train as train_runs
    from stabaudit.training.workers import default_workers

    recipe = checked(
        Recipe,
        {
            "family": family,
            "data": data,
            "arch": arch,
            "likelihood": likelihood,
            "latent_dim": latent_dim,
            "restarts": restarts,
            "seed": seed,
            "epochs": epochs,
            "steps": steps,
            "batch_size": batch_size,
            "lr": lr,
            "schedule": schedule,
            "device": device,
            "exact": exact,
            "precision": precision,
            "compile": compile,
            "settings": parse_settings(settings or []),
        },
        "train",
    )
    prepared = prepare(recipe, data_dir=data_dir, download=download)
    job = Job(prepared, out or Path("runs") / prepared.name)
    count = workers or default_workers()
    for note in prepared.notes:
        message(note)
    if dry_run:
        typer.echo(job.prepared.describe(job.folder, count))
        return
    with watch([job], quiet=quiet) as (on_event, on_tick):
        (run,) = train_runs([job], count, on_event, on_tick)
    done = len(run.done)
    message(f"{done} of {restarts} restarts are done in {run.folder}")
    for restart in run.manifest.restarts:
        if restart.state != "done":
            message(f"restart {restart.index} {restart.state}: {restart.detail}")
    if done > 1:
        message(f"next: stabaudit compare {run.folder}")
    if done == 0 or any(restart.state == "failed" for restart in run.manifest.restarts):
        raise typer.Exit(2)  # one that diverged is a result; one that failed is not


def parse_settings(pairs: list[str]) -> dict[str, object]:
    """Split key=value texts.

    Raises:
        UsageError: a text without `=`, or a key given twice.
    """
    from stabaudit.errors import UsageError

    settings: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {pair!r}: expected key=value")
        if key in settings:
            raise UsageError(f"--set {key} is given twice")
        settings[key] = value
    return settings
