"""Where things lie in a run folder, as paths within it."""

MANIFEST = "run.json"
EVALUATION = "evaluation.parquet"
PROGRAMS = ".programs"  # folder of what programs are writing, or have written and could not be taken in


def latents(index: int) -> str:
    """The latents of a restart."""
    return f"latents/restart-{index:03d}.parquet"


def history(index: int) -> str:
    """The history of a restart."""
    return f"history/restart-{index:03d}.parquet"


def weights(index: int) -> str:
    """The weights of a restart."""
    return f"weights/restart-{index:03d}.safetensors"


def divergence(index: int) -> str:
    """The divergence of each dimension of a restart, where it comes apart into dimensions."""
    return f"divergence/restart-{index:03d}.parquet"


def prior(index: int) -> str:
    """The learned mixture prior of a restart, where it has one."""
    return f"prior/restart-{index:03d}.parquet"


def geometry(index: int) -> str:
    """Distances between fixed pairs of evaluation rows under the decoder of a restart, where they were asked for."""
    return f"geometry/restart-{index:03d}.parquet"


def log(index: int) -> str:
    """What the program of a restart printed, where a program made it."""
    return f"logs/restart-{index:03d}.txt"


def of_restart(index: int) -> tuple[str, ...]:
    """All files of a restart, the latents first."""
    return latents(index), history(index), weights(index), divergence(index), prior(index), geometry(index), log(index)


FOLDERS = ("latents", "history", "weights", "divergence", "prior", "geometry", "logs", "checkpoints")


def checkpoint(shard: int) -> str:
    """The checkpoint of a shard."""
    return f"checkpoints/shard-{shard:03d}.safetensors"
