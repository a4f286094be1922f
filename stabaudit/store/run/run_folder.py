"""A run folder: one configuration, N restarts, their files (see `contents`), and a manifest with the last word.

A restart counts as done only when the manifest says so, and it says so after the restart's files are in their places.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from stabaudit.errors import BadRun
from stabaudit.store.files.atomic import TEMPORARY, sha256, shown
from stabaudit.store.files.safetensors_file import write_weights
from stabaudit.store.run import layout
from stabaudit.store.run.checkpoint import Checkpoint, save_checkpoint
from stabaudit.store.run.contents import Contents
from stabaudit.store.run.evaluation import Evaluation, write_evaluation
from stabaudit.store.run.history import write_history
from stabaudit.store.run.latents import Latents, write_latents
from stabaudit.store.run.lock import WriteLock, writer_of
from stabaudit.store.run.manifest import DatasetRecord, Manifest, Restart, read_manifest, write_manifest
from stabaudit.store.run.resume import agree

Array = NDArray[Any]


class Run(Contents):
    """A run folder and its manifest, for reading or (from `prepare`) also for writing.

    As a context manager it gives up the right to write on leaving: `with Run.prepare(folder, manifest) as run: …`.

    Args:
        folder: where it lies.
        manifest: what it holds; kept up to date as the run is written.
        lock: the right to write it, or None.
        delegated: whether the process that has this right lets this one write the files of restarts.
    """

    def __init__(self, folder: Path, manifest: Manifest, lock: WriteLock | None = None, *, delegated: bool = False) -> None:
        super().__init__(folder, manifest)
        self._lock = lock
        self._delegated = delegated
        self._writer = writer_of(folder) if delegated else None

    @classmethod
    def delegate(cls, folder: Path) -> Self:
        """Open a run in a worker of the process that prepared it: files of restarts may be saved, the manifest is not touched.

        Raises:
            BadRun: see `open`.
        """
        return cls(folder, read_manifest(folder), delegated=True)

    @classmethod
    def prepare(cls, folder: Path, manifest: Manifest, *, accept_change: bool = False) -> Self:
        """Begin a run, or open the same one to finish or extend it, with the right to write.

        A restart that was done but has lost a file is pending again. Nothing is written before all checks have passed.

        Args:
            folder: the run folder.
            manifest: of what was asked for.
            accept_change: see `stabaudit.store.run.resume.agree`; restarts that are half trained then begin anew.

        Raises:
            BadRun: where the folder holds another configuration or dataset, more restarts, or something that is no run; where
                it cannot be written, or is being written by another process.
        """
        agree(folder, manifest, accept_change=accept_change)
        lock = WriteLock(folder)
        try:
            # Once more under the lock: another process may have written the run just now.
            run = cls(folder, agree(folder, manifest, accept_change=accept_change), lock)
            run._sweep()
            if any(change.made == manifest.created for change in run.manifest.changes):
                run._forget_checkpoints()
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

    def save_latents(self, index: int, latents: Latents) -> None:
        """Write the latents of a restart; their metadata are the run's.

        Raises:
            BadData: NaN or infinity, repeated ids, arrays that do not fit together.
            BadRun: where the file cannot be written.
        """
        self._require_lock(or_delegated=True)
        write_latents(self.latents_path(index), replace(latents, metadata=self._metadata(index)))

    def save_history(self, index: int, history: Mapping[str, Array]) -> None:
        """Write the history of a restart (see `stabaudit.store.run.history`)."""
        self._require_lock(or_delegated=True)
        write_history(self.history_path(index), history)

    def save_weights(self, index: int, weights: Mapping[str, Array]) -> None:
        """Write the weights of a restart (see `stabaudit.store.files.safetensors_file`)."""
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

    def save_geometry(self, index: int, columns: Mapping[str, Array]) -> None:
        """Write distances between pairs of rows: columns `row_a`, `row_b`, `euclidean`, `straight`, `geodesic`, a row per pair.

        Rows are places among the ascending sample ids; what is measured says `stabaudit.training.geometry`.
        """
        self._require_lock(or_delegated=True)
        write_history(self.folder / layout.geometry(index), columns)

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

    def record(self, *finished: Restart) -> None:
        """Put records of restarts into the manifest, with the digests of those of their files that are in place; last of all.

        Files of a failed restart are not listed: the next attempt writes them anew. When no restart of a shard is pending any
        more, its checkpoint is deleted.

        Raises:
            BadRun: where it is said to be done but has no latents, or the manifest cannot be written.
        """
        self._require_lock()
        restarts = list(self.manifest.restarts)
        for restart in finished:
            index = self.restart(restart.index).index
            kept = layout.of_restart(index) if restart.state in {"done", "diverged"} else ()
            files = {file: sha256(self.folder / file) for file in kept if (self.folder / file).exists()}
            if restart.state == "done" and layout.latents(index) not in files:
                missing = shown(self.latents_path(index))
                raise BadRun(f"restart {index} is not done: {missing} is missing; run the same command again")
            restarts[index] = restart.model_copy(update={"files": files})
        self._update(restarts=restarts)
        self._delete_checkpoints({restart.index for restart in finished})

    def _update(self, **changed: object) -> None:
        manifest = self.manifest.model_copy(update=changed)
        write_manifest(self.folder, manifest)
        self.manifest = manifest

    def save_checkpoint(self, shard: int, checkpoint: Checkpoint) -> None:
        """Write the checkpoint of a shard over the one before (see `stabaudit.store.run.checkpoint`)."""
        self._require_lock(or_delegated=True)
        save_checkpoint(self.checkpoint_path(shard), checkpoint)

    def _require_lock(self, *, or_delegated: bool = False) -> None:
        if self._delegated and or_delegated and writer_of(self.folder) != self._writer:
            # The process that let this one write was killed, and the run may be finished by now.
            raise BadRun(
                f"{shown(self.folder)} is no longer written by the process that this one works for; nothing more is written"
            )
        if self._lock is None and not (or_delegated and self._delegated):
            message = f"{self.folder} was opened for reading; Run.prepare opens it for writing"
            raise RuntimeError(message)

    def _sweep(self) -> None:
        """Delete what an earlier process left behind when it was killed."""
        for folder in (self.folder, *(self.folder / name for name in layout.FOLDERS)):
            for path in folder.glob(TEMPORARY):
                path.unlink()
        self._delete_checkpoints(set(range(len(self.manifest.restarts))))

    def _forget_checkpoints(self) -> None:
        """Delete the checkpoints of a model that has changed."""
        for shard in range(len(self.manifest.shards)):
            self.checkpoint_path(shard).unlink(missing_ok=True)

    def _delete_checkpoints(self, restarts: Collection[int]) -> None:
        """Delete the checkpoints of the shards of some restarts in which nothing is pending."""
        for shard, indices in enumerate(self.manifest.shards):
            if not any(index in restarts for index in indices):
                continue
            if not any(self.manifest.restarts[index].state == "pending" for index in indices):
                self.checkpoint_path(shard).unlink(missing_ok=True)
