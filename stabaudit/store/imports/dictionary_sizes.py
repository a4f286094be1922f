"""How many features files would have as dictionaries, found from their headers alone."""

from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError, safe_open

from stabaudit.errors import BadData, UsageError
from stabaudit.store.files.atomic import shown
from stabaudit.store.files.numpy_files import load_npz, members, shape_in_npz, shape_of_npy
from stabaudit.store.files.parquet import opened
from stabaudit.store.files.regular import require_regular
from stabaudit.store.files.sparse import dense_shape
from stabaudit.store.imports.dictionary_files import ACTIVATIONS, DECODERS, TRIPLET, Of, key_of
from stabaudit.store.imports.foreign_files import SPARSE, Naming


def size_of(path: Path, naming: Naming) -> tuple[Of, int] | None:
    """What a file holds and how many features: of a safetensors file that names a decoder its longer side; else columns.

    Args:
        path: a file, or anything else.
        naming: `key` and `dimensions_first` count.

    Returns:
        None of anything but `.npy`, `.npz`, `.safetensors` and Parquet with a row for each activation, and of what cannot be
        read: whoever reads it says why.
    """
    with suppress(BadData, UsageError, OSError, SafetensorError, ValueError):
        return _size(path, naming)
    return None


def _size(path: Path, naming: Naming) -> tuple[Of, int] | None:
    suffix, where = path.suffix.lower(), shown(path)
    if suffix == ".parquet":
        features = _features_of_triplets(path)
        return None if features is None else ("activations", features)
    shape: tuple[int, ...] = ()
    if suffix == ".npy":
        shape = shape_of_npy(path)
    elif suffix == ".npz":
        held = members(path)
        if held >= SPARSE and naming.key is None:
            shape = dense_shape(load_npz(path, {"shape"}, scalars=True)["shape"], where)
        else:
            shape = shape_in_npz(path, key_of(held - {naming.id_column or "sample_id"}, naming, ACTIVATIONS, where))
    elif suffix == ".safetensors":
        require_regular(path)
        with safe_open(path, framework="numpy") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        matrices = {name for name, one in shapes.items() if len(one) == 2}
        key = key_of(matrices, naming, (*DECODERS, *ACTIVATIONS), where)
        shape = shapes[key]
        if key in DECODERS:
            return "weights", max(shape)
    if len(shape) != 2:
        return None
    return "activations", shape[0] if naming.dimensions_first else shape[1]


def _features_of_triplets(path: Path) -> int | None:
    """The largest number of a feature and one, as the statistics of the file say."""
    with opened(path) as file:
        if {*file.schema_arrow.names} != {*TRIPLET}:
            return None
        column = file.schema_arrow.names.index("feature")
        every = [file.metadata.row_group(i).column(column).statistics for i in range(file.metadata.num_row_groups)]
    largest = [one.max for one in every if one is not None and one.has_min_max]
    return max(largest) + 1 if largest and all(isinstance(one, int) for one in largest) else None
