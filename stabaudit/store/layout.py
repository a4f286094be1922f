"""Where things lie in a run folder, as paths within it."""

MANIFEST = "run.json"
EVALUATION = "evaluation.parquet"


def latents(index: int) -> str:
    """The latents of a restart."""
    return f"latents/restart-{index:03d}.parquet"


def history(index: int) -> str:
    """The history of a restart."""
    return f"history/restart-{index:03d}.parquet"


def weights(index: int) -> str:
    """The weights of a restart."""
    return f"weights/restart-{index:03d}.safetensors"


def of_restart(index: int) -> tuple[str, str, str]:
    """All files of a restart, the latents first."""
    return latents(index), history(index), weights(index)


def checkpoint(shard: int) -> str:
    """The checkpoint of a shard."""
    return f"checkpoints/shard-{shard:03d}.safetensors"
