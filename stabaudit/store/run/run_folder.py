"""A run folder: one configuration, N restarts, their files (see `contents`), and a manifest with the last word.

A restart counts as done only when the manifest says so, and it says so after the restart's files are in their places.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self

from stabaudit.errors import BadRun
from stabaudit.store.files.atomic import TEMPORARY, sha256, shown, write_bytes
from stabaudit.store.files.regular import read_regular
from stabaudit.store.run import layout
from stabaudit.store.run.evaluation import Evaluation, write_evaluation
from stabaudit.store.run.lock import WriteLock
from stabaudit.store.run.manifest import DatasetRecord, Manifest, Restart, write_manifest
from stabaudit.store.run.resume import agree
from stabaudit.store.run.workspace import Workspace


class Run(Workspace):
    """A run folder and its manifest, for reading or (from `prepare`) also for writing.

    As a context manager it gives up the right to write on leaving: `with Run.prepare(folder, manifest) as run: …`.

    Args:
        folder: where it lies.
        manifest: what it holds; kept up to date as the run is written.
        lock: the right to write it, or None.
    """

    def __init__(self, folder: Path, manifest: Manifest, lock: WriteLock | None = None) -> None:
        super().__init__(folder, manifest)
        self._lock = lock

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

    def take(self, files: Mapping[str, bytes]) -> None:
        """Put files of restarts that were made elsewhere into their places, by path within the folder.

        Raises:
            BadRun: where one cannot be written, or belongs to no restart of the run.
        """
        self._require_right()
        own = {file for restart in self.manifest.restarts for file in layout.of_restart(restart.index)}
        if foreign := sorted(set(files) - own):
            raise BadRun(f"{shown(foreign[0])} is no file of a restart of {shown(self.folder)}; nothing is taken")
        for file, content in files.items():
            write_bytes(self.folder / file, content)

    def save_evaluation(self, rows: Evaluation) -> None:
        """Write what is known of the evaluation rows, unless the run has it already.

        Raises:
            BadData: arrays that do not fit together.
            BadRun: where it cannot be written.
        """
        self._require_right()
        path = self.folder / layout.EVALUATION
        if layout.EVALUATION not in self.manifest.files or not path.exists():
            write_evaluation(path, rows)
            self._update(files=self.manifest.files | {layout.EVALUATION: sha256(path)})

    def describe(self, dataset: DatasetRecord, grid: tuple[int, int, int] | None) -> None:
        """Say what rows the run has, where that is known only once latents are there.

        Raises:
            BadRun: where the manifest cannot be written.
        """
        self._require_right()
        self._update(dataset=dataset, grid=grid)

    def record(self, *finished: Restart) -> None:
        """Put records of restarts into the manifest, with the digests of those of their files that are in place; last of all.

        Files of a failed restart are not listed: the next attempt writes them anew. When no restart of a shard is pending any
        more, its checkpoint is deleted.

        Raises:
            BadRun: where it is said to be done but has no latents, or the manifest cannot be written.
        """
        self._require_right()
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

    def save_checkpoint(self, shard: int, checkpoint: bytes) -> None:
        """Write the checkpoint of a shard over the one before (see `stabaudit.store.run.checkpoint`).

        Raises:
            BadRun: where it cannot be written; the one before is as it was.
        """
        self._require_right()
        write_bytes(self.checkpoint_path(shard), checkpoint)

    def load_checkpoint(self, shard: int) -> bytes | None:
        """The checkpoint of a shard, or None where there is none that can be read."""
        try:
            return read_regular(self.checkpoint_path(shard))
        except OSError:
            return None

    def _require_right(self) -> None:
        if self._lock is None:
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
