"""3D Shapes: 480,000 colour pictures 64×64 of an object in a room, every combination of six factors once (Burgess and Kim 2018).

The published `3dshapes.h5` is an HDF5 file (read by h5py, which the extra `anndata` brings) of the datasets

    images  (480000, 64, 64, 3)  unsigned bytes    labels  (480000, 6)  hues of floor, wall and object, scale, shape, orientation

The factors are the sources: three hues (10 values each in [0, 0.9]), scale (8 in [0.75, 1.25]), shape (0 to 3) and orientation
(15 in [−30°, 30°]). As floats all pictures would take 24 GB, so a random part of them is taken, and a quarter of that is held
out. A sample_id is a picture's number in the file.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.config import NonNegative, Positive
from stabaudit.data.dataset import Dataset, Split, one_hot
from stabaudit.data.published_files import DataFolder, Published
from stabaudit.data.splitting import hold_out, random_part, take
from stabaudit.errors import BadData, UsageError
from stabaudit.store.files.atomic import reason
from stabaudit.store.files.hdf5 import HDF5_ERRORS, member_of, require_held
from stabaudit.store.files.memory import require_memory
from stabaudit.store.files.regular import require_regular

FILE = "3dshapes.h5"
FACTORS = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
SHAPE, SHAPES = FACTORS.index("shape"), 4
IMAGE_SHAPE = (64, 64, 3)
HELD_OUT = 1 / 4
BLOCK = 1_000  # pictures read at once
LARGEST = 1_000_000  # pictures of a file

SHAPES3D = Published(
    name="3dshapes",
    url="https://storage.googleapis.com/3d-shapes/",
    sha256={FILE: "0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785"},
)


def load(files: DataFolder, *, rows: Positive = 20_000, split_seed: NonNegative = 0) -> Dataset:
    """Load 3D Shapes: x in [0, 1] of shape (3, 64, 64), labels 0..3 (the shape), u its one-hot code, sources the factors.

    Args:
        files: the data folder.
        rows: pictures to take at random; all where there are fewer.
        split_seed: decides which these are, and which quarter of each shape is held out.
    """
    chosen, pictures, values = _read(files.find(SHAPES3D)[FILE], rows, split_seed)
    labels = values[:, SHAPE].astype(np.int64)
    everything = Split(
        x=np.divide(pictures.transpose(0, 3, 1, 2), 255, dtype=np.float32, order="C"),
        sample_id=chosen,
        u=one_hot(labels, SHAPES),
        labels=labels,
        sources=values.astype(np.float32),
    )
    train, evaluation = hold_out(labels, HELD_OUT, seed=split_seed)
    return Dataset("3dshapes", take(everything, train), take(everything, evaluation), "logistic", source_names=FACTORS)


def _read(path: Path, rows: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.uint8], NDArray[np.float64]]:
    """Numbers, pictures and factors of a random part of the rows.

    Raises:
        BadData: a missing or damaged file, or one that does not hold what it should.
        UsageError: h5py is not installed.
    """
    try:
        import h5py  # noqa: PLC0415 -- an optional dependency
    except ImportError as error:
        raise UsageError(f"{path} is read by h5py: pip install 'stabaudit[anndata]'") from error
    try:
        size = require_regular(path)
    except OSError as error:
        raise BadData(f"cannot read {path}: {reason(error)}") from error
    try:
        with h5py.File(path, "r") as file:
            images, labels = (member_of(file, name, str(path), FILE) for name in ("images", "labels"))
            _require_kind(images, labels, path)
            for dataset in (images, labels):
                require_held(dataset, size, str(path))
            values = labels[()].astype(np.float64)
            if not np.isin(values[:, SHAPE], np.arange(SHAPES)).all():
                raise BadData(f"{path}: column {SHAPE} of labels is the shape, expected 0 to {SHAPES - 1}")
            chosen = random_part(len(values), rows, seed=seed)
            require_memory(5 * len(chosen) * int(np.prod(IMAGE_SHAPE)), f"{path}: {len(chosen):,} pictures")  # bytes and float32
            return chosen, _pictures(images, chosen), values[chosen]
    except HDF5_ERRORS as error:
        cause = " ".join(str(error).split())[:200]
        raise BadData(f"{path} is damaged, cut short or not HDF5 ({cause}); get the file again") from error


def _require_kind(images: Any, labels: Any, path: Path) -> None:  # noqa: ANN401 -- h5py has no types
    (shape, kind), (of_labels, numbers) = (
        (getattr(one, "shape", ()), str(getattr(one, "dtype", "no array"))) for one in (images, labels)
    )
    n = shape[0] if shape else 0
    kinds = kind == "uint8" and numbers.startswith("float")
    if (shape, of_labels) != ((n, *IMAGE_SHAPE), (n, len(FACTORS))) or not kinds or not 0 < n <= LARGEST:
        raise BadData(
            f"{path}: images has shape {shape} of {kind}, labels {of_labels} of {numbers}; expected bytes of "
            f"{('n', *IMAGE_SHAPE)} and numbers of {('n', len(FACTORS))}, n ≥ 1"
        )


def _pictures(images: Any, chosen: NDArray[np.intp]) -> NDArray[np.uint8]:  # noqa: ANN401
    """The chosen ones, block by block: HDF5 takes longer to find single rows than to read them all."""
    found = np.empty((len(chosen), *IMAGE_SHAPE), dtype=np.uint8)
    for start in range(0, len(images), BLOCK):
        low, high = np.searchsorted(chosen, [start, start + BLOCK])
        if high > low:
            found[low:high] = images[start : start + BLOCK][chosen[low:high] - start]
    return found
