"""Latents too large for memory: all files read in step, a block of rows at a time, into the moments that every score needs.

In memory are a block of each file, the moments of both halves (two D × D matrices, D the dimensions of all restarts together),
and of the rows only their ids and the half that each falls into. Rows are joined by reading them in the same order, so all files
must hold the same ids in one order.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import BadData, UsageError
from stabaudit.metrics.evidence import Digest
from stabaudit.metrics.halves import Halves
from stabaudit.metrics.moments import MomentSums
from stabaudit.steps import steps
from stabaudit.store.files.parquet import READ_BUFFER
from stabaudit.store.imports.foreign_files import AS_IS, Naming
from stabaudit.store.run.evaluation import iter_sources, sources_shape
from stabaudit.store.run.latents import Latents, LatentsMetadata
from stabaudit.store.run.latents_stream import LatentsHeader, iter_latents, read_ids

Array = NDArray[Any]

_BLOCK_ROWS = 4096  # at most; larger blocks are no faster
_FEWEST_ROWS = 256  # in a block, below which reading becomes slow
_BYTES_PER_NUMBER = 32  # of a block: in Arrow's hands, as a matrix of float32 and in float64, with room for what is freed late


@dataclass(frozen=True)
class Stream:
    """Rows of a file that are read in blocks: latents, or true sources.

    Args:
        rows: n.
        dimensions: d.
        ids: reads the names of all rows, shape (n,).
        blocks: ids and values of at most so many rows at a time, shapes (m,) and (m, d), finite.
    """

    rows: int
    dimensions: int
    ids: Callable[[], Array]
    blocks: Callable[[int], Iterator[tuple[Array, Array]]]


@dataclass(frozen=True)
class Opened:
    """Latents of one restart, or true sources: read, or to be streamed, which is decided when they are opened.

    Args:
        rows: n.
        dimensions: d.
        metadata: where the latents come from.
        ids_by_position: whether the rows have no names.
        read: the rows, where they are in memory; None where they are to be streamed.
        stream: the other way round.
        posterior: whether log-variances are known.
        clusters: whether the cluster of each row is.
    """

    rows: int
    dimensions: int
    metadata: LatentsMetadata
    ids_by_position: bool
    read: Latents | None = None
    stream: Stream | None = None
    posterior: bool = False
    clusters: bool = False

    @classmethod
    def in_memory(cls, latents: Latents) -> "Opened":
        """Rows that have been read."""
        rows, dimensions = latents.mean.shape
        return cls(
            rows,
            dimensions,
            latents.metadata,
            latents.ids_by_position,
            read=latents,
            posterior=latents.log_var is not None,
            clusters=latents.cluster is not None,
        )

    @classmethod
    def latents_file(cls, path: Path, header: LatentsHeader, naming: Naming = AS_IS) -> "Opened":
        """Latents in Parquet, to be streamed."""
        ids, blocks = partial(read_ids, path, naming), partial(_blocks_of_latents, path, naming)
        stream = Stream(header.rows, header.dimensions, ids, blocks)
        return cls(
            header.rows,
            header.dimensions,
            header.metadata,
            header.ids_by_position,
            stream=stream,
            posterior=header.posterior,
            clusters=header.clusters,
        )

    @classmethod
    def sources_file(cls, path: Path) -> "Opened | None":
        """The true sources in a run's table of evaluation rows, to be streamed; None where it holds none."""
        rows, count = sources_shape(path)
        stream = Stream(rows, count, partial(read_ids, path), partial(iter_sources, path))
        return cls(rows, count, LatentsMetadata(), False, stream=stream) if count else None


def _blocks_of_latents(path: Path, naming: Naming, rows: int) -> Iterator[tuple[Array, Array]]:
    for block in iter_latents(path, rows, naming):
        yield block.sample_id, block.mean


def stream_moments(
    streams: Sequence[Stream], names: Sequence[str], sample_id: Array, fit: Array, memory: int
) -> tuple[Halves, list[tuple[int, int]], list[int]]:
    """Read all files once.

    Args:
        streams: files of the same rows.
        names: what to call each of them in messages.
        sample_id: names of the rows in the order in which all files must hold them, shape (n,).
        fit: True for rows of *fit*, shape (n,).
        memory: bytes to make do with, beside ids and split.

    Returns:
        The moments on both halves, the positions (a, b) of streams that hold the same numbers throughout, and for each stream a
        number that follows from its values, as of `stabaudit.metrics.evidence.Evidence.seeds`.

    Raises:
        UsageError: too little memory.
        BadData: other ids or another order, NaN or infinity, a file that cannot be read.
    """
    for stream, name in zip(streams, names, strict=True):
        if stream.rows != len(sample_id):
            raise _out_of_step(names[0], name, min(stream.rows, len(sample_id)))
    sizes = [stream.dimensions for stream in streams]
    rows = _rows_at_a_time(sum(sizes), memory)
    fit_sums, score_sums = MomentSums(sizes), MomentSums(sizes)
    same = [(a, b) for a, b in combinations(range(len(streams)), 2) if sizes[a] == sizes[b]]
    readers = [stream.blocks(rows) for stream in streams]
    digests = [Digest() for _ in streams]
    for start in steps(range(0, len(sample_id), rows), "blocks of rows read"):
        here = slice(start, start + rows)
        blocks = []
        for reader, name in zip(readers, names, strict=True):
            ids, values = next(reader)
            if not np.array_equal(ids, sample_id[here]):
                raise _out_of_step(names[0], name, start)
            blocks.append(values)
        for digest, values in zip(digests, blocks, strict=True):
            digest.add(values)
        fit_sums.add(blocks, np.flatnonzero(fit[here]))
        score_sums.add(blocks, np.flatnonzero(~fit[here]))
        same = [(a, b) for a, b in same if np.array_equal(blocks[a][0], blocks[b][0]) and np.array_equal(blocks[a], blocks[b])]
    halves = Halves.of_moments(fit_sums.moments(), score_sums.moments(), sizes)
    return halves, same, [digest.seed for digest in digests]


def _rows_at_a_time(width: int, memory: int) -> int:
    """Rows of a block for D = `width` dimensions in all."""
    fixed = (2 * 8 * width + READ_BUFFER) * width  # the moments of both halves, and what of each column is being read
    per_row = _BYTES_PER_NUMBER * width
    if fixed + _FEWEST_ROWS * per_row > memory:
        needed = (fixed + _FEWEST_ROWS * per_row) // 10**6 + 1
        raise UsageError(f"{width} dimensions of all restarts together need {needed} MB even when streamed; raise --memory")
    return min(_BLOCK_ROWS, (memory - fixed) // per_row)


def _out_of_step(first: str, other: str, start: int) -> BadData:
    return BadData(
        f"{first} and {other} hold other sample ids, or the same in another order, from row {start} on; latents that exceed "
        "--memory are streamed side by side: sort both files by sample_id, or raise --memory"
    )
