"""Latents from anywhere become a run: every file is read and held against the others before anything is written."""

import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stabaudit.defaults import MOST_RESTARTS
from stabaudit.errors import BadData, Noticed, UsageError, are, counted, strictly
from stabaudit.steps import steps
from stabaudit.store.files.atomic import missing, reason, shown
from stabaudit.store.files.natural_order import natural
from stabaudit.store.imports.foreign_files import SUFFIXES, Folder, kind, turned
from stabaudit.store.imports.recognise import alike
from stabaudit.store.imports.table_folder import bytes_on_disk, digest, looks_like_a_table, parts_of, restarts_below
from stabaudit.store.run.environment import environment
from stabaudit.store.run.evaluation import Evaluation
from stabaudit.store.run.external_labels import UNNAMED, External
from stabaudit.store.run.latents import Latents, read_latents
from stabaudit.store.run.manifest import DatasetRecord, Manifest, Restart
from stabaudit.store.run.run_folder import Run

_AT_ONCE, _BATCH, _BATCH_BYTES = 8, 64, 2**26  # files written at a time; recorded at a time, where they are not large


@dataclass(frozen=True)
class Rows:
    """What all restarts of a run must have in common.

    Args:
        where: the file that is held up to the others.
        sample_id: names of its rows, ascending, shape (n,).
        shape: (n, d).
        grid: as in `LatentsMetadata`.
    """

    where: str
    sample_id: NDArray[np.generic]
    shape: tuple[int, ...]
    grid: tuple[int, int, int] | None

    @classmethod
    def of(cls, latents: Latents, where: str) -> "Rows":
        """The rows of some latents."""
        return cls(where, np.sort(latents.sample_id), latents.mean.shape, latents.metadata.grid)

    def require(self, latents: Latents, where: str) -> None:
        """Refuse latents of other rows or of another shape.

        Raises:
            BadData: saying what differs.
        """
        other = Rows.of(latents, where)
        if (other.shape, other.grid) != (self.shape, self.grid):
            hint = turned(other.shape, self.shape) or "; restarts of one run have the same"
            raise BadData(f"{where} has shape {other.shape}, {self.where} {self.shape}{hint}")
        own, others = alike(self.sample_id, self.where, other.sample_id, where)
        if not np.array_equal(np.sort(others), np.sort(own)):
            shared = len(np.intersect1d(others, own))
            both = f"{shared} of {counted(len(self.sample_id), 'id')} {are(shared)} in both"
            raise BadData(f"{where} names other rows than {self.where}: {both}")

    def describe(self, external: External, content: str = "") -> DatasetRecord:
        """The dataset that they are of. Rows matched by position are of the same dataset only where its name says so.

        Args:
            external: what is known of the run.
            content: tells unnamed datasets apart whose rows have no names.
        """
        name = external.dataset or UNNAMED
        if external.ids_by_position:
            said = f"{len(self.sample_id)} rows by position of {name}" + ("" if external.dataset else f" {content}")
        else:
            said = f"{name}\0" + "\0".join(map(str, self.sample_id.tolist()))
        fingerprint = hashlib.sha256(said.encode()).hexdigest()[:16]
        return DatasetRecord(name=name, fingerprint=fingerprint, train_rows=0, evaluation_rows=self.shape[0], shape=[])


def latents_files(paths: Sequence[Path], folder: Folder | None = None) -> list[Path]:
    """The files that are meant, one a restart: those given, and all of one kind in a folder, in the order of their numbers.

    A folder that holds one table in parts counts as a file.

    Args:
        paths: files and folders.
        folder: what folders hold; None: what they look like (see `table_folder`).

    Raises:
        UsageError: a path that is not there, a folder with no such files or with several kinds, or a file named twice.
    """
    files: list[Path] = []
    for path in paths:
        try:
            found = _in_folder(path, folder) if path.is_dir() and not holds_a_table(path, folder) else [path]
            if not path.exists():
                raise UsageError(missing(path))
        except OSError as error:
            raise UsageError(f"cannot read {shown(path)}: {reason(error)}") from error
        files += found
    seen: set[Path] = set()
    for file in files:
        if file.resolve() in seen:
            raise UsageError(f"{shown(file)} is named twice; a restart is one file")
        seen.add(file.resolve())
    return files


def holds_a_table(path: Path, folder: Folder | None) -> bool:
    """Whether a folder is taken for one table in parts.

    Raises:
        UsageError: a folder without parts that is said to be one.
        BadData: one that cannot be read.
    """
    if folder != "table":
        return folder is None and looks_like_a_table(path) is not None
    try:
        parts_of(path)
    except BadData as error:
        raise UsageError(f"--folder table: {error}") from error
    return True


def _in_folder(folder: Path, said: Folder | None) -> list[Path]:
    files = [path for path in folder.iterdir() if kind(path) in SUFFIXES and not path.name.startswith(".")]
    files = files or restarts_below(folder, said)
    kinds = sorted({kind(path) for path in files})
    if not files:
        raise UsageError(f"{shown(folder)} holds no files of latents ({', '.join(SUFFIXES)})")
    if len(kinds) > 1:
        raise UsageError(
            f"{shown(folder)} holds {' and '.join(kinds)} files; name those that are restarts, as {shown(folder)}/*.npy"
        )
    return sorted(files, key=lambda path: natural(path.name))


def named_rows(path: Path, external: External) -> Latents:
    """The latents in a file, whose rows are named by it or, where the user says so, by their position.

    Raises:
        BadData: a file that cannot be read, or that names no rows.
    """
    latents = read_latents(path, external.naming)
    if latents.ids_by_position and not external.ids_by_position:
        raise BadData(
            f"{shown(path)} names no rows: give the column that does with --id-column, or, where row i is the same sample in "
            "every file, --ids-by-position"
        )
    return latents


def import_run(
    files: Sequence[Path], folder: Path, external: External, *, command: str, sources: Path | None = None, strict: bool = False
) -> Run:
    """Make a run of latents that lie in files; what an interrupted call has begun is finished.

    Args:
        files: one a restart, in order.
        folder: the run folder.
        external: what is known of them; `files` and `sources` of it are filled in.
        command: that made the run, for its manifest.
        sources: a file of true sources, shape (n, d_s), whose rows are named like the latents.
        strict: refuse what would have to be guessed.

    Raises:
        BadData: a file that cannot be read, or that does not fit the others.
        BadRun: where the folder holds something else or cannot be written.
        UsageError: something to guess where nothing may be, or more files than a run can hold restarts.
    """
    if len(files) > MOST_RESTARTS:
        raise UsageError(
            f"{len(files):,} files, and a run can hold {MOST_RESTARTS:,} restarts; import some, or into several runs"
        )
    rows: Rows | None = None
    with strictly(strict):
        for file in steps(files, "files read"):
            latents = named_rows(file, external)
            if rows is None:
                rows = Rows.of(latents, shown(file))
            rows.require(latents, shown(file))
        assert rows is not None  # noqa: S101 -- there is a file
        evaluation = None if sources is None else _evaluation(sources, external, rows)
    if rows.shape[0] < rows.shape[1]:
        said = (
            f"{counted(rows.shape[0], 'row')} of {rows.shape[1]} dimensions; if it is the other way round, say --dimensions-first"
        )
        warnings.warn(Noticed(rows.where, said), stacklevel=2)
    digests = {str(file): digest(file) for file in files}
    external = external.model_copy(update={"files": _short(digests), "sources": None if sources is None else digest(sources)})
    manifest = Manifest(
        name=folder.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        config=None,
        external=external,
        dataset=rows.describe(external, next(iter(digests.values()))),
        environment=environment(),
        grid=rows.grid,
        shards=[[index] for index in range(len(files))],
        restarts=[Restart(index=index, seed=index) for index in range(len(files))],
    )
    with Run.prepare(folder, manifest) as run:
        if evaluation is not None:
            run.save_evaluation(evaluation)

        def keep(index: int) -> Restart:
            latents = named_rows(files[index], external)
            rows.require(latents, shown(files[index]))
            run.save_latents(index, replace(latents, sample_id=latents.sample_id.astype(rows.sample_id.dtype.type)))
            return Restart(index=index, seed=index, state="done")

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for several in _batches(run.unfinished, [bytes_on_disk(file) for file in files]):
                finished: list[Restart] = []
                try:
                    for restart in pool.map(keep, several):
                        finished.append(restart)  # noqa: PERF402 -- those before one that fails are kept
                finally:
                    run.record(*finished)
    return run


def _batches(indices: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    """Files that are taken in together: many small ones, since each waits for the disk; a large one by itself."""
    batch: list[int] = []
    for index in indices:
        if batch and (len(batch) == _BATCH or sum(sizes[other] for other in batch) + sizes[index] > _BATCH_BYTES):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _evaluation(path: Path, external: External, rows: Rows) -> Evaluation:
    sources = named_rows(path, external)
    if not np.array_equal(np.sort(sources.sample_id), rows.sample_id):
        raise BadData(f"{shown(path)} names other rows than {rows.where}; sources are those of the same samples")
    return Evaluation(sources.sample_id, sources=sources.mean)


def _short(digests: dict[str, str]) -> dict[str, str]:
    """Digests by path below the deepest folder that all have in common, so that they do not tell where this machine keeps it."""
    folder = os.path.commonpath([Path(path).parent for path in map(os.path.abspath, digests)])
    return {os.path.relpath(path, folder): digest for path, digest in digests.items()}
