"""A folder in which files of restarts are made: a run's own, or one for a while on a machine that the run is not on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from stabaudit.store.files.safetensors_file import write_weights
from stabaudit.store.run import layout
from stabaudit.store.run.contents import Contents
from stabaudit.store.run.history import write_history
from stabaudit.store.run.latents import Latents, write_latents

Array = NDArray[Any]


class Workspace(Contents):
    """A folder in which files of restarts are made.

    Args:
        folder: where it lies.
        manifest: of the run that the restarts belong to.
    """

    def save_latents(self, index: int, latents: Latents) -> None:
        """Write the latents of a restart; their metadata are the run's.

        Raises:
            BadData: NaN or infinity, repeated ids, arrays that do not fit together.
            BadRun: where the file cannot be written.
        """
        self._require_right()
        write_latents(self.latents_path(index), replace(latents, metadata=self._metadata(index)))

    def save_history(self, index: int, history: Mapping[str, Array]) -> None:
        """Write the history of a restart (see `stabaudit.store.run.history`)."""
        self._require_right()
        write_history(self.history_path(index), history)

    def save_weights(self, index: int, weights: Mapping[str, Array]) -> None:
        """Write the weights of a restart (see `stabaudit.store.files.safetensors_file`)."""
        self._require_right()
        write_weights(self.weights_path(index), weights)

    def save_divergence(self, index: int, columns: Mapping[str, Array]) -> None:
        """Write the divergence of each dimension of a restart: columns `dimension` and `kl`, in nats per sample."""
        self._require_right()
        write_history(self.folder / layout.divergence(index), columns)

    def save_prior(self, index: int, columns: Mapping[str, Array]) -> None:
        """Write the learned mixture prior of a restart: columns `weight`, `mean0`…, `log_var0`…, a row per component."""
        self._require_right()
        write_history(self.folder / layout.prior(index), columns)

    def save_geometry(self, index: int, columns: Mapping[str, Array]) -> None:
        """Write distances between pairs of rows: columns `row_a`, `row_b`, `euclidean`, `straight`, `geodesic`, a row per pair.

        Rows are places among the ascending sample ids; what is measured says `stabaudit.training.geometry`.
        """
        self._require_right()
        write_history(self.folder / layout.geometry(index), columns)

    def files_of(self, index: int) -> dict[str, bytes]:
        """The files of a restart that are there, by path within the folder."""
        paths = {file: self.folder / file for file in layout.of_restart(index)}
        return {file: path.read_bytes() for file, path in paths.items() if path.exists()}

    def _require_right(self) -> None:
        """Refuse to write; of a folder of one's own there is no need."""
