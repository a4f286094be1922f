"""A run folder: one configuration, N restarts, their files, and a manifest that has the last word.

    run.json  evaluation.parquet  latents/restart-000.parquet  history/restart-000.parquet  weights/restart-000.safetensors

A restart counts as done only when the manifest says so, and it says so after the restart's files are in their places. A file is
held against the manifest's digest whenever it is read whole, and by `stabaudit verify`; what is streamed has the checksums of its
Parquet pages.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from stabaudit.errors import BadData, BadRun, UsageError
from stabaudit.store import layout
from stabaudit.store.evaluation import Evaluation, read_evaluation, write_evaluation
from stabaudit.store.files import TEMPORARY, sha256, shown
from stabaudit.store.history import read_history, write_history
from stabaudit.store.latents import Latents, LatentsHeader, LatentsMetadata, read_header, read_latents, write_latents
from stabaudit.store.lock import WriteLock
from stabaudit.store.manifest import DatasetRecord, Manifest, Restart, read_manifest, write_manifest
from stabaudit.store.resume import agree, require_fresh
from stabaudit.store.weights import read_weights, write_weights

Array = NDArray[Any]


class Run:
    """A run folder and its manifest, for reading or (from `prepare` and `create`) also for writing.

    As a context manager it gives up the right to write on leaving: `with Run.prepare(folder, manifest) as run: …`.

    Args:
        folder: where it lies.
        manifest: what it holds; kept up to date as the run is written.
        lock: the right to write it, or None.
        delegated: whether the process that has this right lets this one write the files of restarts.
    """

    def __init__(self, folder: Path, manifest: Manifest, lock: WriteLock | None = None, *, delegated: bool = False) -> None:
        self.folder = folder
        self.manifest = manifest
        self._lock = lock
        self._delegated = delegated

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a run for reading.

        Raises:
            BadRun: no such folder, not a run, a damaged manifest or one of a newer schema.
        """
        return cls(folder, read_manifest(folder))

    @classmethod
    def delegate(cls, folder: Path) -> Self:
        """Open a run in a worker of the process that prepared it: files of restarts may be saved, the manifest is not touched.

        Raises:
            BadRun: see `open`.
        """
        return cls(folder, read_manifest(folder), delegated=True)

    @classmethod
    def create(cls, folder: Path, manifest: Manifest) -> Self:
        """Begin a run in a folder that is missing or empty.

        Raises:
            BadRun: where the folder holds anything, cannot be written, or is being written by another process.
        """
        require_fresh(folder)
        return cls.prepare(folder, manifest)

    @classmethod
    def prepare(cls, folder: Path, manifest: Manifest) -> Self:
        """Begin a run, or open the same one to finish or extend it, with the right to write.

        A restart that was done but has lost a file is pending again. Nothing is written before all checks have passed.

        Raises:
            BadRun: where the folder holds another configuration or dataset, more restarts, or something that is no run; where
                it cannot be written, or is being written by another process.
        """
        agree(folder, manifest)
        lock = WriteLock(folder)
        try:
            # Once more under the lock: another process may have written the run just now.
            run = cls(folder, agree(folder, manifest), lock)
            run._sweep()
            write_manifest(folder, run.manifest)
        except BaseException:
            lock.release()
            raise
        return run

    def __enter__(self) -> Self:
        """Return the run itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give up the right to write."""
        self.close()

    def close(self) -> None:
        """Give up the right to write; reading goes on."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def done(self) -> list[int]:
        """Indices of the restarts that are done, ascending."""
        return [restart.index for restart in self.manifest.restarts if restart.state == "done"]

    @property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of every recorded file, by path within the folder."""
        found = dict(self.manifest.files)
        for restart in self.manifest.restarts:
            found |= restart.files
        return found

    @property
    def unfinished(self) -> list[int]:
        """Indices of the restarts that are pending or failed, ascending; a diverged one would only diverge again."""
        return [restart.index for restart in self.manifest.restarts if restart.state in {"pending", "failed"}]

    def restart(self, index: int) -> Restart:
        """The record of one restart.

        Raises:
            UsageError: where the run has no such restart.
        """
        count = len(self.manifest.restarts)
        if not 0 <= index < count:
            raise UsageError(f"{shown(self.folder)} has no restart {index}; it has 0 to {count - 1}")
        return self.manifest.restarts[index]

    def latents_path(self, index: int) -> Path:
        """Where the latents of a restart belong."""
        return self.folder / layout.latents(index)

    def history_path(self, index: int) -> Path:
        """Where the history of a restart belongs."""
        return self.folder / layout.history(index)

    def weights_path(self, index: int) -> Path:
        """Where the weights of a restart belong."""
        return self.folder / layout.weights(index)

    @property
    def evaluation_path(self) -> Path | None:
        """Where what is known of the evaluation rows lies, or None where the run keeps nothing of them."""
        return self.folder / layout.EVALUATION if layout.EVALUATION in self.manifest.files else None

    def checkpoint_path(self, shard: int) -> Path:
        """Where the checkpoint of a shard belongs (see `stabaudit.store.checkpoint`) while it trains."""
        return self.folder / layout.checkpoint(shard)

    def latents(self, index: int) -> Latents:
        """The latents of a restart that is done.

        Raises:
            BadRun: where the restart is not done.
            BadData: where the file is missing, damaged or not the one that was recorded, or belongs to another run, restart or
                configuration.
        """
        self._require_done(index)
        latents = read_latents(self.latents_path(index))
        self._require_own(index, latents.metadata, latents.mean.shape, latents.ids_by_position)
        self._require_recorded(layout.latents(index))
        return latents

    def latents_header(self, index: int) -> LatentsHeader:
        """What the latents of a restart that is done are like, without reading them; raises what `latents` does."""
        self._require_done(index)
        header = read_header(self.latents_path(index))
        self._require_own(index, header.metadata, (header.rows, header.dimensions), header.ids_by_position)
        return header

    def _require_own(self, index: int, metadata: LatentsMetadata, shape: tuple[int, ...], ids_by_position: bool) -> None:
        path, manifest = self.latents_path(index), self.manifest
        by_position = manifest.external is not None and manifest.external.ids_by_position
        if metadata != self._metadata(index) or ids_by_position != by_position:
            raise BadData(f"{shown(path)} is not of restart {index} of this run; restore it, or delete it and train again")
        dimensions = manifest.config.latent_dim if manifest.config is not None else shape[1]
        expected = (manifest.dataset.evaluation_rows, dimensions if manifest.grid is None else math.prod(manifest.grid))
        if shape != expected:
            raise BadData(f"{shown(path)} has shape {shape}, expected {expected}; delete it and train again")

    def history(self, index: int) -> dict[str, Array]:
        """How a restart was trained, by column.

        Raises:
            BadData: where the file is missing or damaged.
        """
        return self._columns(index, layout.history(index))

    def divergence(self, index: int) -> dict[str, Array] | None:
        """The divergence of each dimension of a restart, by column; None where it does not come apart into dimensions.

        Raises:
            BadData: where the file is damaged.
        """
        file = layout.divergence(index)
        return self._columns(index, file) if file in self.restart(index).files else None

    def prior(self, index: int) -> dict[str, Array] | None:
        """The learned mixture prior of a restart, by column; None where there is none.

        Raises:
            BadData: where the file is damaged.
        """
        file = layout.prior(index)
        return self._columns(index, file) if file in self.restart(index).files else None

    def weights(self, index: int) -> dict[str, Array]:
        """The weights of a restart that is done, by name.

        Raises:
            BadRun: where the restart is not done.
            BadData: where the file is missing, damaged or not the one that was recorded.
        """
        self._require_done(index)
        weights = read_weights(self.weights_path(index))
        self._require_recorded(layout.weights(index))
        return weights

    def evaluation(self) -> Evaluation | None:
        """What is known of the evaluation rows, or None where the run keeps nothing of them.

        Raises:
            BadData: where the file is missing or damaged.
        """
        if self.evaluation_path is None:
            return None
        rows = read_evaluation(self.evaluation_path)
        self._require_recorded(layout.EVALUATION)
        return rows

    def _columns(self, index: int, file: str) -> dict[str, Array]:
        """A table of numbers that belongs to a restart."""
        listed = file in self.restart(index).files  # the history of a restart in the making is not yet
        columns = read_history(self.folder / file)
        if listed:
            self._require_recorded(file)
        return columns

    def _require_recorded(self, file: str) -> None:
        """Refuse a file that is not, byte by byte, the one that the manifest lists; it has been read without complaint."""
        path = self.folder / file
        if sha256(path) != self.digests.get(file):
            raise BadData(f"{shown(path)} is not the file that was recorded; restore it, or delete it and train again")

    def save_latents(self, index: int, latents: Latents) -> None:
        """Write the latents of a restart; their metadata are the run's.

        Raises:
            BadData: NaN or infinity, repeated ids, arrays that do not fit together.
            BadRun: where the file cannot be written.
        """
        self._require_lock(or_delegated=True)
        write_latents(self.latents_path(index), replace(latents, metadata=self._metadata(index)))

    def save_history(self, index: int, history: Mapping[str, Array]) -> None:
        """Write the history of a restart (see `stabaudit.store.history`)."""
        self._require_lock(or_delegated=True)
        write_history(self.history_path(index), history)

    def save_weights(self, index: int, weights: Mapping[str, Array]) -> None:
        """Write the weights of a restart (see `stabaudit.store.weights`)."""
        self._require_lock(or_delegated=True)
        write_weights(self.weights_path(index), weights)

    def save_divergence(self, index: int, columns: Mapping[str, Array]) -> None:
        """Write the divergence of each dimension of a restart: columns `dimension` and `kl`, in nats per sample."""
        self._require_lock(or_delegated=True)
        write_history(self.folder / layout.divergence(index), columns)

    def save_prior(self, index: int, columns: Mapping[str, Array]) -> None:
        """Write the learned mixture prior of a restart: columns `weight`, `mean0`…, `log_var0`…, a row per component."""
        self._require_lock(or_delegated=True)
        write_history(self.folder / layout.prior(index), columns)

    def save_evaluation(self, rows: Evaluation) -> None:
        """Write what is known of the evaluation rows, unless the run has it already.

        Raises:
            BadData: arrays that do not fit together.
            BadRun: where it cannot be written.
        """
        self._require_lock()
        path = self.folder / layout.EVALUATION
        if layout.EVALUATION not in self.manifest.files or not path.exists():
            write_evaluation(path, rows)
            self._update(files=self.manifest.files | {layout.EVALUATION: sha256(path)})

    def describe(self, dataset: DatasetRecord, grid: tuple[int, int, int] | None) -> None:
        """Say what rows the run has, where that is known only once latents are there.

        Raises:
            BadRun: where the manifest cannot be written.
        """
        self._require_lock()
        self._update(dataset=dataset, grid=grid)

    def record(self, restart: Restart) -> None:
        """Put a restart's record into the manifest, with the digests of those of its files that are in place; last of all.

        Files of a failed restart are not listed: the next attempt writes them anew. When no restart of its shard is pending any
        more, the shard's checkpoint is deleted.

        Raises:
            BadRun: where it is said to be done but has no latents, or the manifest cannot be written.
        """
        self._require_lock()
        index = self.restart(restart.index).index
        kept = layout.of_restart(index) if restart.state in {"done", "diverged"} else ()
        files = {file: sha256(self.folder / file) for file in kept if (self.folder / file).exists()}
        if restart.state == "done" and layout.latents(index) not in files:
            raise BadRun(f"restart {index} is not done: {shown(self.latents_path(index))} is missing; run the same command again")
        restarts = list(self.manifest.restarts)
        restarts[index] = restart.model_copy(update={"files": files})
        self._update(restarts=restarts)
        self._delete_checkpoints()

    def _update(self, **changed: object) -> None:
        manifest = self.manifest.model_copy(update=changed)
        write_manifest(self.folder, manifest)
        self.manifest = manifest

    def _metadata(self, index: int) -> LatentsMetadata:
        restart = self.restart(index)
        manifest = self.manifest
        seed = restart.seed if manifest.made_from_seeds else None
        return LatentsMetadata(fingerprint=manifest.dataset.fingerprint, restart=index, seed=seed, grid=manifest.grid)

    def _require_done(self, index: int) -> Restart:
        restart = self.restart(index)
        if restart.state != "done":
            detail = f" ({restart.detail})" if restart.detail else ""
            raise BadRun(f"restart {index} of {shown(self.folder)} is {restart.state}{detail}; run its train command again")
        return restart

    def _require_lock(self, *, or_delegated: bool = False) -> None:
        if self._lock is None and not (or_delegated and self._delegated):
            message = f"{self.folder} was opened for reading; Run.prepare opens it for writing"
            raise RuntimeError(message)

    def _sweep(self) -> None:
        """Delete what an earlier process left behind when it was killed."""
        for folder in (self.folder, *(self.folder / name for name in layout.FOLDERS)):
            for path in folder.glob(TEMPORARY):
                path.unlink()
        self._delete_checkpoints()

    def _delete_checkpoints(self) -> None:
        """Delete the checkpoints of shards in which nothing is pending."""
        for shard, indices in enumerate(self.manifest.shards):
            if not any(self.manifest.restarts[index].state == "pending" for index in indices):
                self.checkpoint_path(shard).unlink(missing_ok=True)
