"""What is known of a run that stabaudit did not train: what its makers call it, and the files or the program it came from.

It stands in the manifest where a run that was trained here has its configuration: whatever differs between two of these makes
another run.
"""

from typing import Literal

from stabaudit.config import Frozen, NonNegative
from stabaudit.store.imports.foreign_files import Folder, Naming

LatentsFormat = Literal["npy", "npz", "parquet", "csv", "h5ad"]
UNNAMED = "unnamed"  # a dataset that nobody gave a name
UNKNOWN = "unknown"  # the fingerprint of rows that no program has written yet


class Program(Frozen):
    """A program that writes the latents of one restart at a time.

    Args:
        command: how it is called, with the placeholders {seed}, {latents} and {restart}.
        shell: whether a shell reads the command.
        seed: of restart 0; restart i has seed + i.
        latents_format: of the file that it writes.
        one_seed: whether every restart has the first one's seed.
    """

    command: str
    shell: bool = False
    seed: NonNegative = 0
    latents_format: LatentsFormat = "npy"
    one_seed: bool = False

    def seed_of(self, restart: int) -> int:
        """The seed of a restart."""
        return self.seed if self.one_seed else self.seed + restart


class External(Frozen):
    """Where latents come from that stabaudit did not train.

    Args:
        family: what the model family is called in tables; None: the run takes no part in tests of families.
        architecture: what the networks are called.
        dataset: what the dataset is called.
        id_column: which column names the rows; None: `sample_id`, or the index of an `.h5ad` file.
        ids_by_position: whether rows are matched by position, because the user said so.
        obsm: which array of an `.h5ad` file holds the latents; None: the only one.
        key: which array of an `.npz` file holds the latents; None: one of a usual name, or the only one.
        cluster_column: which column names the cluster of each row; None: none does.
        dimensions_first: whether arrays have the shape (d, n).
        folder: what folders of files hold, where the user said it.
        program: that made the latents; None where they were imported.
        files: names of the imported files and their SHA-256, in the order of the restarts.
        sources: SHA-256 of the file of true sources, or None.
    """

    family: str | None = None
    architecture: str | None = None
    dataset: str | None = None
    id_column: str | None = None
    ids_by_position: bool = False
    obsm: str | None = None
    key: str | None = None
    dimensions_first: bool = False
    cluster_column: str | None = None
    folder: Folder | None = None
    program: Program | None = None
    files: dict[str, str] = {}
    sources: str | None = None

    @property
    def naming(self) -> Naming:
        """What rows and latents are called in the files.

        Raises:
            UsageError: where both a column and the position are to name the rows.
        """
        return Naming(
            self.id_column,
            self.obsm,
            self.ids_by_position,
            self.key,
            dimensions_first=self.dimensions_first,
            cluster_column=self.cluster_column,
            folder=self.folder,
        )
