"""What a run folder holds, as it is read.

    run.json  evaluation.parquet  latents/restart-000.parquet  history/restart-000.parquet  weights/restart-000.safetensors

Nothing is believed because of where it lies: a file is held against the manifest's digest whenever it is read whole, and by
`stabaudit verify`; what is streamed has the checksums of its Parquet pages.
"""

import math
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from stabaudit.errors import BadData, BadRun, UsageError
from stabaudit.store.files.atomic import sha256, shown
from stabaudit.store.files.mirror import local, present
from stabaudit.store.files.safetensors_file import read_weights
from stabaudit.store.run import layout
from stabaudit.store.run.evaluation import Evaluation, read_evaluation
from stabaudit.store.run.history import read_history
from stabaudit.store.run.latents import Latents, LatentsMetadata, read_latents
from stabaudit.store.run.latents_stream import LatentsHeader, read_header
from stabaudit.store.run.manifest import Manifest, Restart, read_manifest

Array = NDArray[Any]


class Contents:
    """A run folder and its manifest, for reading.

    Args:
        folder: where it lies.
        manifest: what it holds.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a run for reading.

        Raises:
            BadRun: no such folder, not a run, a damaged manifest or one of a newer schema.
        """
        folder = local(folder)
        return cls(folder, read_manifest(folder))

    @property
    def name(self) -> str:
        """What tables call the run: the name that its folder has now."""
        return self.folder.resolve().name

    @property
    def done(self) -> list[int]:
        """Indices of the restarts that are done, ascending."""
        return [restart.index for restart in self.manifest.restarts if restart.state == "done"]

    def trained(self, restart: int | None = None) -> list[int]:
        """Indices of the restarts that are done or, where one is named, that one.

        Raises:
            BadRun: none is done.
        """
        chosen = self.done if restart is None else [restart]
        if not chosen:
            raise BadRun(f"{shown(self.folder)}: none of its restarts is trained; run its train command again")
        return chosen

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
        return present(self.folder / layout.latents(index))

    def history_path(self, index: int) -> Path:
        """Where the history of a restart belongs."""
        return present(self.folder / layout.history(index))

    def weights_path(self, index: int) -> Path:
        """Where the weights of a restart belong."""
        return present(self.folder / layout.weights(index))

    @property
    def evaluation_path(self) -> Path | None:
        """Where what is known of the evaluation rows lies, or None where the run keeps nothing of them."""
        return present(self.folder / layout.EVALUATION) if layout.EVALUATION in self.manifest.files else None

    def checkpoint_path(self, shard: int) -> Path:
        """Where the checkpoint of a shard belongs (see `stabaudit.store.run.checkpoint`) while it trains."""
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

    def geometry(self, index: int) -> dict[str, Array] | None:
        """Distances between fixed pairs of evaluation rows under a restart's decoder, by column; None where there are none.

        Raises:
            BadData: where the file is damaged.
        """
        file = layout.geometry(index)
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
        columns = read_history(present(self.folder / file))
        if listed:
            self._require_recorded(file)
        return columns

    def _require_recorded(self, file: str) -> None:
        """Refuse a file that is not, byte by byte, the one that the manifest lists; it has been read without complaint."""
        path = self.folder / file
        if sha256(path) != self.digests.get(file):
            raise BadData(f"{shown(path)} is not the file that was recorded; restore it, or delete it and train again")

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
