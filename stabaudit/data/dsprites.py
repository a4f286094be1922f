"""dSprites: 737,280 pictures 64×64 of a white square, ellipse or heart, five factors in every combination (Matthey et al. 2017).

The published `.npz` holds

    imgs  (737280, 64, 64)  unsigned bytes 0 or 1        latents_values  (737280, 6)  colour, shape, scale, orientation, x, y

beside `latents_classes`, which says the same in whole numbers, and `metadata`, a Python pickle, which is never opened. The
colour is the same in all and left out. Sources are shape (1 square, 2 ellipse, 3 heart), scale (6 values in [0.5, 1]),
orientation (40 in [0, 2π]), x and y (32 each in [0, 1]); as floats all pictures would take 12 GB, so a random part of them is
taken, and a quarter of that is held out. A sample_id is a picture's number in the file.
"""

from pathlib import Path

import numpy as np

from stabaudit.config import NonNegative, Positive
from stabaudit.data.dataset import Dataset, Split, one_hot
from stabaudit.data.published_files import DataFolder, Published
from stabaudit.data.splitting import hold_out, random_part, take
from stabaudit.errors import BadData
from stabaudit.store.files.numpy_files import load_npz, load_npz_rows

FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
FACTORS = ("shape", "scale", "orientation", "x", "y")
SHAPES = 3
SIDE = 64
HELD_OUT = 1 / 4

DSPRITES = Published(
    name="dsprites",
    url="https://raw.githubusercontent.com/google-deepmind/dsprites-dataset/fa310c66517cfc1939d77fe17c725154efc97127/",
    sha256={},
    git={FILE: "d98996d3f8ee1550e06b9d4ed78d0beb478910d5"},
)


def load(files: DataFolder, *, rows: Positive = 50_000, split_seed: NonNegative = 0) -> Dataset:
    """Load dSprites: x 0 or 1 of shape (1, 64, 64), labels 0..2 (the shape), u its one-hot code, sources the factors.

    Args:
        files: the data folder.
        rows: pictures to take at random; all where there are fewer.
        split_seed: decides which these are, and which quarter of each shape is held out.
    """
    path = files.find(DSPRITES)[FILE]
    values = _factors(path)
    chosen = random_part(len(values), rows, seed=split_seed)
    pictures = load_npz_rows(path, "imgs", chosen, of=len(values))
    if pictures.dtype != np.uint8 or pictures.shape[1:] != (SIDE, SIDE) or pictures.max() > 1:
        raise BadData(
            f"{path}: imgs has shape {pictures.shape} of {pictures.dtype}, expected bytes 0 and 1 of (n, {SIDE}, {SIDE})"
        )
    labels = values[chosen, 1].astype(np.int64) - 1
    everything = Split(
        x=pictures[:, None].astype(np.float32),
        sample_id=chosen,
        u=one_hot(labels, SHAPES),
        labels=labels,
        sources=values[chosen, 1:].astype(np.float32),
    )
    train, evaluation = hold_out(labels, HELD_OUT, seed=split_seed)
    return Dataset("dsprites", take(everything, train), take(everything, evaluation), "bernoulli", source_names=FACTORS)


def _factors(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The values of all factors, colour first, shape (n, 6).

    Raises:
        BadData: no such array, another shape, or a shape that is not 1, 2 or 3.
    """
    values = load_npz(path, {"latents_values"}).get("latents_values")
    if values is None or values.ndim != 2 or values.shape[1] != len(FACTORS) + 1 or values.dtype.kind != "f":
        found = "no latents_values" if values is None else f"latents_values of shape {values.shape} of {values.dtype}"
        raise BadData(f"{path} holds {found}, expected numbers of shape (n, {len(FACTORS) + 1}); get the published file")
    if not np.isin(values[:, 1], np.arange(1, SHAPES + 1)).all():
        raise BadData(f"{path}: the second column of latents_values is the shape, expected 1 to {SHAPES}")
    return values.astype(np.float64)
