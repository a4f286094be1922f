"""Where compared runs come from, as their manifests tell: what is needed to make them again, and each restart's objective."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stabaudit.comparison.records import RunSummary
from stabaudit.store.files.mirror import local
from stabaudit.store.run.manifest import Environment
from stabaudit.store.run.run_folder import Run

OBJECTIVE = "evaluation_loss"  # of a restart's scores in the manifest: nats per sample, which training made small


@dataclass(frozen=True)
class RestartOrigin:
    """One restart.

    Args:
        name: as in the comparison: "vade#3".
        seed: it was trained from.
        state: "done", or what became of it.
        objective: −loss on the evaluation rows, nats per sample, as high as training could make it; None where it is not known.
    """

    name: str
    seed: int
    state: str
    objective: float | None


@dataclass(frozen=True)
class Origin:
    """One run folder.

    Args:
        run: its name in the comparison.
        path: the folder.
        created: when, ISO 8601.
        command: that made it.
        fingerprint: of its dataset.
        environment: versions and hardware.
        restarts: all that the run was to have.
    """

    run: str
    path: str
    created: str
    command: str
    fingerprint: str
    environment: Environment
    restarts: tuple[RestartOrigin, ...]


def read_origins(runs: Sequence[RunSummary]) -> tuple[Origin, ...]:
    """The origins of those of the runs that are run folders; files of latents have none.

    Raises:
        BadRun: a manifest that cannot be read.
    """
    return tuple(origin_of(run.name, run.path) for run in runs if local(run.path).is_dir())


def origin_of(run: str, path: str) -> Origin:
    """The origin of a run folder; its name in the comparison may be another than the folder's.

    Raises:
        BadRun: a manifest that cannot be read.
    """
    manifest = Run.open(Path(path)).manifest
    name = run.partition("#")[0]
    restarts = tuple(
        RestartOrigin(
            name=f"{name}#{restart.index}",
            seed=restart.seed,
            state=restart.state,
            objective=-restart.scores[OBJECTIVE] if restart.state == "done" and OBJECTIVE in restart.scores else None,
        )
        for restart in manifest.restarts
    )
    return Origin(
        run=run,
        path=path,
        created=manifest.created,
        command=manifest.command,
        fingerprint=manifest.dataset.fingerprint,
        environment=manifest.environment,
        restarts=restarts,
    )
