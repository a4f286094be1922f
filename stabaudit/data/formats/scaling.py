"""How one's own observations are laid out and scaled before anything is trained on them.

- **Layout.** Images are channels × height × width. Height × width × channels, as numpy and PIL have them, is recognised by a last
  axis of 1, 3 or 4 where the first is none of these; grey images of bytes, height × width, get one channel.
- **Bytes.** Unsigned bytes above 1 are divided by 255.
- **Scale.** Unless all of x lies in [0, 1], it is standardised: mean 0 and standard deviation 1 over the training rows, each
  column of a table by itself, all elements of images alike. What is constant is only centred.

What is done without being asked for is said with the warning `Guessed`.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stabaudit.data.dataset import Array, FloatArray
from stabaudit.errors import BadData, Guessed
from stabaudit.store.files.columns import kind_of

Scale = Literal["standardise", "minmax", "none"]
CHANNELS = (1, 3, 4)  # of grey, RGB and RGBA images
BYTE = 255


@dataclass(frozen=True)
class Scaling:
    """An affine map of observations, fitted on training rows: x becomes (x − shift)/scale.

    Args:
        shift: shape of one observation, or one number.
        scale: likewise.
    """

    shift: Array
    scale: Array

    @classmethod
    def fit(cls, x: Array, kind: Scale) -> "Scaling":
        """Fit on rows, shape (n, …).

        Args:
            x: observations; of tables, (n, k), every column has a scale of its own.
            kind: "standardise" to mean 0 and standard deviation 1, or "minmax" to [0, 1].

        >>> scaling = Scaling.fit(np.array([[0.0, 5.0], [10.0, 5.0]]), "standardise")
        >>> scaling.apply(np.array([[0.0, 5.0], [20.0, 6.0]])).tolist()
        [[-1.0, 0.0], [3.0, 1.0]]
        """
        axes = 0 if x.ndim == 2 else None
        values = x.astype(np.float64)
        if kind == "standardise":
            shift = values.mean(axis=axes)
            scale = (values - shift).std(axis=axes)
        else:
            shift, scale = values.min(axis=axes), np.ptp(values, axis=axes)
        negligible = scale <= 8 * np.finfo(np.float64).eps * np.abs(shift)
        return cls(np.asarray(shift), np.where(negligible, 1.0, scale))

    def apply(self, x: Array) -> FloatArray:
        """Map rows of the same shape."""
        scaled: FloatArray = ((x.astype(np.float64) - self.shift) / self.scale).astype(np.float32)
        return scaled


def laid_out(arrays: Mapping[str, Array], where: str, *, channels_last: bool, scale: Scale | None) -> dict[str, Array]:
    """Arrays with images as channels × height × width, and bytes in [0, 1] where no other scale is asked for.

    Args:
        arrays: "x", and "evaluation_x" where there is one, among others.
        where: the file.
        channels_last: images are height × width × channels, because the user said so.
        scale: what the user asked for.

    Raises:
        BadData: channels last of what are no images.
    """
    found = dict(arrays)
    x = arrays["x"]
    names = [name for name in ("x", "evaluation_x") if name in arrays]
    images = x.ndim == 4
    if channels_last and not images:
        raise BadData(f"{where}: x has shape {x.shape}, expected rows of height × width × channels for --channels-last")
    if channels_last or (images and x.shape[3] in CHANNELS and x.shape[1] not in CHANNELS):
        if not channels_last:
            said = f"images of {'×'.join(map(str, x.shape[1:]))} are taken as height × width × channels"
            warnings.warn(Guessed(where, said, "write --channels-last, or save them as channels × height × width"), stacklevel=4)
        found |= {name: np.moveaxis(arrays[name], -1, 1) for name in names if arrays[name].ndim == x.ndim}
    if len({arrays[name].dtype == np.uint8 for name in names}) > 1:
        raise BadData(f"{where}: one of x and evaluation_x holds bytes and the other {_kinds(arrays, names)}; write both alike")
    if x.dtype != np.uint8:
        return found
    grey = x.ndim == 3
    if scale is not None or max(arrays[name].max(initial=0) for name in names) <= 1:
        return found | {name: found[name][:, None] for name in names if grey and found[name].ndim == x.ndim}
    said = "its bytes are divided by 255" + (f", its rows of {x.shape[1]}×{x.shape[2]} are images of one channel" if grey else "")
    warnings.warn(Guessed(where, said, "write --scale none, minmax or standardise"), stacklevel=4)
    for name in names:
        values = found[name] / np.float32(BYTE)
        found[name] = values[:, None] if grey and values.ndim == x.ndim else values
    return found


def _kinds(arrays: Mapping[str, Array], names: Sequence[str]) -> str:
    return next(kind_of(arrays[name]) for name in names if arrays[name].dtype != np.uint8)


def chosen_scale(x: Array, wanted: Scale | None, where: str) -> Scale:
    """What is done to x: what was asked for, or else "standardise" unless all of it lies in [0, 1], which is said."""
    if wanted is not None:
        return wanted
    low, high = float(x.min()), float(x.max())
    if low >= 0 and high <= 1:
        return "none"
    each = "every column" if x.ndim == 2 else "x"
    said = f"x lies in [{low:.4g}, {high:.4g}]; {each} is standardised, to mean 0 and standard deviation 1 over the training rows"
    warnings.warn(Guessed(where, said, "write --scale standardise, minmax or none"), stacklevel=4)
    return "standardise"
