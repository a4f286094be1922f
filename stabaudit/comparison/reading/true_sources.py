"""True sources: those that a run keeps of its evaluation rows, or of a file, for what has none of its own."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stabaudit.comparison.reading.join_rows import Unjoined
from stabaudit.comparison.reading.streaming import Opened
from stabaudit.errors import UsageError
from stabaudit.store.imports.foreign_files import AS_IS, Naming
from stabaudit.store.run.latents import Latents, read_latents
from stabaudit.store.run.run_folder import Run


def run_sources(run: Run, *, streamed: bool) -> Opened | None:
    """Sources of a run; None where it keeps none."""
    if streamed:
        return None if run.evaluation_path is None else Opened.sources_file(run.evaluation_path)
    evaluation = run.evaluation()
    if evaluation is None or evaluation.sources is None:
        return None
    return Opened.in_memory(Latents(sample_id=evaluation.sample_id, mean=evaluation.sources))


def read_sources(file: Path, naming: Naming = AS_IS) -> Opened:
    """Sources of a file, rows named like those of the latents.

    Raises:
        BadData: a file that cannot be read.
    """
    return Opened.in_memory(read_latents(file, naming))


def with_sources(groups: Sequence[Unjoined], truth: Opened) -> list[Unjoined]:
    """Give sources of a file to what has none of its own."""
    named = () if truth.read is None else truth.read.names

    def given(read: Unjoined) -> Unjoined:
        return replace(read, sources=truth, summary=replace(read.summary, sources=truth.dimensions, source_names=named))

    return [read if read.sources is not None else given(read) for read in groups]


def require_in_memory(what: str, *, streamed: bool) -> None:
    """Refuse sources of a file beside latents that are streamed.

    Raises:
        UsageError: latents of `what` exceed --memory.
    """
    if streamed:
        raise UsageError(f"--sources: the latents of {what} exceed --memory, and sources of a file are not streamed")
