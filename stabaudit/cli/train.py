"""`stabaudit train`: train N restarts of a model family, or have a program train them, and keep their latents."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stabaudit.cli.engine_options import EngineOption, EngineSetOption, WorkersOption, chosen_engine
from stabaudit.cli.help_text import in_panels
from stabaudit.cli.import_latents import ArchitectureLabel, DatasetLabel, FamilyLabel
from stabaudit.cli.latents_options import IdColumnOption, IdsByPositionOption, StrictOption
from stabaudit.cli.output import message
from stabaudit.cli.train_command import AskedProgram
from stabaudit.cli.train_family import AskedFamily, agreeing, settings_of_file
from stabaudit.cli.train_refusals import OF_PROGRAMS, one_seed, require_one, require_until
from stabaudit.cli.typed import was_typed
from stabaudit.data.published_files import DataFolder
from stabaudit.defaults import (
    ARCHITECTURE,
    BATCH_SIZE,
    DATASET,
    LATENT_DIM,
    LEARNING_RATE,
    MAX_RESTARTS,
    MOST_RESTARTS,
    RESTARTS,
    SCHEDULE,
    STEPS,
)
from stabaudit.errors import are, counted

if TYPE_CHECKING:
    from stabaudit.store.run.run_folder import Run

_PANELS = {
    "What is trained": ("arch", "likelihood", "latent_dim", "settings"),
    "On which data": (
        *("data", "id_column", "label_column", "u_columns", "scale", "channels_last", "strict"),
        *("data_dir", "download", "unchecked_data"),
    ),
    "How often and how long": (
        "restarts",
        "until",
        "max_restarts",
        "seed",
        "vary",
        "epochs",
        "steps",
        "batch_size",
        "lr",
        "schedule",
    ),
    "On which machine": (
        *("engine", "engine_set", "workers", "shard", "shard_size"),
        *("device", "exact", "precision", "force", "compile"),
    ),
    "Noise of published code": ("binarise", "encode_binarised", "encode_dropout"),
    "What is measured besides": ("geometry",),
    "Where it goes, and what is said": ("out", "accept_change", "dry_run", "quiet"),
    "A program that trains instead of FAMILY": ("command", *OF_PROGRAMS),
}

DataDirOption = Annotated[Path | None, typer.Option(help="Folder with published data files (also STABAUDIT_DATA).")]
DownloadOption = Annotated[bool, typer.Option("--download", help="Fetch published data files that are missing.")]
UncheckedOption = Annotated[bool, typer.Option("--unchecked-data", help="Take published files whose SHA-256 is another.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


@in_panels(_PANELS)
def train(
    context: typer.Context,
    family: Annotated[
        str | None,
        typer.Argument(metavar="FAMILY", help="Model family; see 'stabaudit list families'. Left out where --command trains."),
    ] = None,
    data: Annotated[str, typer.Option(help="Dataset by name, or a .npz, .npy, .parquet, .feather, .csv or .tsv file.")] = DATASET,
    arch: Annotated[
        str | None,
        typer.Option(help=f"Encoder and decoder networks; {ARCHITECTURE} by default, where the family has none of its own."),
    ] = None,
    likelihood: Annotated[
        str | None, typer.Option(help="bernoulli, gaussian or logistic; by default what suits the data.")
    ] = None,
    latent_dim: Annotated[
        int | None,
        typer.Option("--latent-dim", "-d", help=f"Latent dimensions; {LATENT_DIM} by default, where there is a choice.", min=1),
    ] = None,
    restarts: Annotated[
        int, typer.Option("--restarts", "-n", help="Trainings from different seeds.", min=1, max=MOST_RESTARTS)
    ] = RESTARTS,
    until: Annotated[
        str | None, typer.Option(metavar="SCORE±HALF", help="Add restarts until the score's 95% interval is as narrow.")
    ] = None,
    max_restarts: Annotated[
        int, typer.Option(help="Restarts that --until may train; it first looks at eight.", min=1, max=MOST_RESTARTS)
    ] = MAX_RESTARTS,
    vary: Annotated[
        str | None,
        typer.Option(metavar="SOURCE,…", help="What makes restarts differ: init, order, noise, data; or all, none. See above."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the first restart; the others count on.", min=0)] = 0,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training rows, instead of steps.", min=1)] = None,
    steps: Annotated[int | None, typer.Option(help=f"Training steps; {STEPS:,} by default.", min=1)] = None,
    batch_size: Annotated[int, typer.Option(help="Rows in a step.", min=1)] = BATCH_SIZE,
    lr: Annotated[float, typer.Option(help="Adam's learning rate at the start.")] = LEARNING_RATE,
    schedule: Annotated[
        str, typer.Option(help="plateau: the learning rate falls when the loss stalls; cosine: to 0 over the training; constant.")
    ] = SCHEDULE,
    settings: Annotated[list[str] | None, typer.Option("--set", help="An option as key=value; repeat it.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    exact: Annotated[
        bool, typer.Option("--exact", help="Train each restart by itself: its bits depend on its seed alone.")
    ] = False,
    precision: Annotated[
        str, typer.Option(help="float32, or bf16: matrix products of bfloat16 numbers, faster and rougher.")
    ] = "float32",
    force: Annotated[bool, typer.Option("--force", help="bf16 also where the processor has no instructions for it.")] = False,
    compile: Annotated[  # noqa: A002 -- the option's name
        bool, typer.Option("--compile", help="Training steps through torch.compile; needs a C++ compiler.")
    ] = False,
    engine: EngineOption = "local",
    engine_set: EngineSetOption = None,
    workers: WorkersOption = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Train part I of N of the run; 'stabaudit merge' joins the folders.")
    ] = None,
    shard_size: Annotated[
        int | None,
        typer.Option(help="Restarts trained together; half of them for small networks, else one.", min=1, max=MOST_RESTARTS),
    ] = None,
    binarise: Annotated[
        bool, typer.Option("--binarise", help="Draw x in [0, 1] as Bernoulli(x) anew at every step (dynamic binarisation).")
    ] = False,
    encode_binarised: Annotated[
        bool, typer.Option("--encode-binarised", help="Draw the rows that are encoded so too, each restart for itself.")
    ] = False,
    encode_dropout: Annotated[bool, typer.Option("--encode-dropout", help="Leave dropout on while encoding.")] = False,
    geometry: Annotated[
        bool, typer.Option("--geometry", help="Keep distances between 200 pairs of rows as each decoder measures them.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/FAMILY-ARCH-DATA-dD by default.")] = None,
    data_dir: DataDirOption = None,
    download: DownloadOption = False,
    unchecked_data: UncheckedOption = False,
    accept_change: Annotated[
        bool, typer.Option("--accept-change", help="Go on although the source of your own model or program has changed.")
    ] = False,
    command: Annotated[
        str | None,
        typer.Option(help="A program that trains one restart, instead of FAMILY: 'python fit.py --seed {seed} --out {latents}'."),
    ] = None,
    shell: Annotated[bool, typer.Option("--shell", help="Let a shell read the command.")] = False,
    timeout: Annotated[float | None, typer.Option(help="Seconds that the command may take for a restart.", min=0.001)] = None,
    latents_format: Annotated[
        Literal["npy", "npz", "parquet", "csv", "h5ad"], typer.Option(help="What the command writes to {latents}.")
    ] = "npy",
    id_column: IdColumnOption = None,
    label_column: Annotated[str | None, typer.Option(help="Column of classes in a table of --data.")] = None,
    u_columns: Annotated[
        str | None, typer.Option(metavar="NAME,…", help="Columns of the auxiliary variable u in a table of --data.")
    ] = None,
    scale: Annotated[
        Literal["standardise", "minmax", "none"] | None,
        typer.Option(help="What is done to x of a file in --data; standardise by default, unless x lies in [0, 1]."),
    ] = None,
    channels_last: Annotated[
        bool, typer.Option("--channels-last", help="Images in --data are height × width × channels.")
    ] = False,
    strict: StrictOption = False,
    ids_by_position: IdsByPositionOption = False,
    family_label: FamilyLabel = None,
    architecture: ArchitectureLabel = None,
    dataset: DatasetLabel = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained, and stop.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Train N restarts of a model family, or have a program train them, and keep their latents.

    Restarts differ by their seed, which decides the initial weights, the order of the rows and the noise. With --vary only the
    sources that are named differ, the others are those of the first seed: "init", "order", "noise", "data" (a bootstrap of the
    training rows, or data=0.8: so large a share of them). "none" trains one seed N times ('stabaudit determinism').
    """
    from stabaudit.audit.until import parse_until, train_until

    require_one(context, family, command)
    require_until(context, until, vary)
    asked_for = frozenset({"train --geometry"} if geometry else ())
    enough = None if until is None else parse_until(until, max_restarts, asked_for)
    count = restarts if enough is None else enough.first(restarts if was_typed(context, "restarts") else None)
    asked: AskedFamily | AskedProgram
    if command is not None:
        from stabaudit.store.run.external_labels import External, Program

        external = External(
            family=family_label,
            architecture=architecture,
            dataset=dataset,
            id_column=id_column,
            ids_by_position=ids_by_position,
            program=Program(command=command, shell=shell, seed=seed, latents_format=latents_format, one_seed=one_seed(vary)),
        )
        elsewhere = None if engine == "local" else chosen_engine(engine, workers, engine_set)
        asked = AskedProgram(external, out, workers, elsewhere, timeout, quiet, accept_change)
    else:
        from stabaudit.engines.local import warm_up

        if not dry_run and engine == "local":
            warm_up()
        of_file = {
            "id_column": id_column,
            "label_column": label_column,
            "u_columns": u_columns,
            "scale": scale,
            "channels_last": channels_last or None,
        }
        recipe: dict[str, object] = {
            "family": family,
            "data": data,
            "arch": arch,
            "likelihood": likelihood,
            "latent_dim": latent_dim,
            "seed": seed,
            "epochs": epochs,
            "steps": steps,
            "batch_size": batch_size,
            "lr": lr,
            "schedule": schedule,
            "device": device,
            "exact": exact,
            "precision": precision,
            "force": force,
            "compile": compile,
            "geometry": geometry,
            "binarise": binarise,
            "encode_binarised": encode_binarised,
            "encode_dropout": encode_dropout,
            "vary": vary,
            "shard_size": shard_size,
            "settings": agreeing(parse_settings(settings or []), settings_of_file(data, of_file)),
        }
        folder = DataFolder.locate(data_dir, download=download, unchecked=unchecked_data)
        where = chosen_engine(engine, workers, engine_set)
        asked = AskedFamily(recipe, out, folder, where, quiet, accept_change, strict, parse_part(shard))
    if dry_run:
        asked.describe(count)
        if enough is not None:
            message(f"more are trained until {enough} is reached, {enough.most} at most")
        return
    _report(asked.train(count) if enough is None else train_until(asked.grow, enough, count, message))


def _report(run: "Run") -> None:
    """Say what became of the restarts, and leave with status 2 where one failed or none is done."""
    from stabaudit.store.run.convergence import unfinished_training
    from stabaudit.store.run.machines import mixed_machines

    done, restarts = len(run.done), len(run.manifest.restarts)
    message(f"{done} of {counted(restarts, 'restart')} {are(done)} done in {run.folder}")
    for restart in run.manifest.restarts:
        if restart.state not in {"done", "pending"}:
            message(f"restart {restart.index} {restart.state}: {restart.detail}")
    if any(restart.state == "pending" for restart in run.manifest.restarts):  # those of other parts
        message("next: train the other parts, then stabaudit merge FOLDER … --out RUN")
        done = 0 if done == 0 else 1
    for said in (mixed_machines(run.manifest), unfinished_training(run)):
        if said is not None:
            message(said)
    if done > 1:
        of_one_seed = len({restart.seed for restart in run.manifest.restarts}) == 1
        message(f"next: stabaudit {'determinism' if of_one_seed else 'compare'} {run.folder}")
    if done == 0 or any(restart.state == "failed" for restart in run.manifest.restarts):
        raise typer.Exit(2)  # one that diverged is a result; one that failed is not


def parse_part(text: str | None) -> tuple[int, int] | None:
    """Read "3/8", part 3 of 8.

    Raises:
        UsageError: anything else.
    """
    from stabaudit.errors import UsageError

    if text is None:
        return None
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise UsageError(f"--shard {text!r}: expected I/N, such as 1/3, 2/3 and 3/3 for the three parts of a run")
    return int(part), int(parts)


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
