"""Omniglot, handwritten characters of 50 alphabets, from its archives of PNG pictures (Lake et al. 2015).

`images_background.zip` (30 alphabets) and `images_evaluation.zip` (20) hold one grey picture of 105×105 pixels a drawing:

    images_background/<alphabet>/character<number>/<character>_<drawer>.png

That split is by alphabet, for learning to learn; a latent-variable model is trained on drawings of all characters (Burda et al.
2015: 24,345 of them). So a quarter of the drawings of each character, 5 of 20, is held out by a fixed seed; 24,345 remain.

Ink is 1 and paper 0, the reverse of the files. Pictures are made smaller by the mean over areas: with W the overlaps of new and
old pixels in 1/105 of a new one's side, x = W p Wᵀ / 105², summed in whole numbers below 2²⁴ and so the same on every machine.
"""

import io
import re
import warnings
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from stabaudit.config import NonNegative
from stabaudit.data.dataset import Dataset, FloatArray, Split, one_hot
from stabaudit.data.formats.archives import read_zip
from stabaudit.data.published_files import DataFolder, Published
from stabaudit.data.splitting import hold_out, take
from stabaudit.errors import BadData

SIDE = 105  # pixels
BACKGROUND, EVALUATION = "images_background.zip", "images_evaluation.zip"
HELD_OUT = 1 / 4
PICTURE_LIMIT = 1 << 16  # bytes; the published ones have a few hundred
ENTRIES_LIMIT = 50_000  # the larger archive holds 19,280 pictures
PNG_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + SIDE.to_bytes(4) * 2  # up to width and height
GREY_MODES = ("1", "L", "P")  # a bit or a byte a pixel, grey or by a palette

Size = Annotated[int, Field(ge=4, le=SIDE)]

OMNIGLOT = Published(
    name="omniglot",
    url="https://raw.githubusercontent.com/brendenlake/omniglot/master/python/",
    sha256={
        BACKGROUND: "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640",
        EVALUATION: "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee",
    },
)


def load(files: DataFolder, *, size: Size = 28, split_seed: NonNegative = 0) -> Dataset:
    """Load Omniglot: x in [0, 1] of shape (1, size, size), labels the character, u the one-hot alphabet.

    A character has 20 drawings, too few to condition on; an alphabet has hundreds. A sample_id is a drawing's place in its
    archive: "Greek/character01/0394_01".

    Args:
        files: the data folder.
        size: pixels along a side.
        split_seed: decides which quarter of the drawings is held out.
    """
    names: list[str] = []
    pictures: list[FloatArray] = []
    overlaps = _overlaps(size)
    for archive, path in files.find(OMNIGLOT).items():
        pattern = re.compile(archive.removesuffix(".zip") + r"/([^/]+/character\d+/\d+_\d+)\.png", re.ASCII)
        before = len(names)
        for match, content in read_zip(path, pattern, largest=PICTURE_LIMIT, most=ENTRIES_LIMIT):
            names.append(match[1])
            pictures.append(_shrink(decode(content, f"{path}: {match[0]}"), overlaps))
        if len(names) == before:
            raise BadData(f"{path} holds no {archive.removesuffix('.zip')}/<alphabet>/character<number>/….png")
    characters = np.unique([name.rpartition("/")[0] for name in names], return_inverse=True)[1]
    alphabets = np.unique([name.partition("/")[0] for name in names], return_inverse=True)[1]
    everything = Split(x=np.stack(pictures), sample_id=np.array(names), u=one_hot(alphabets), labels=characters)
    everything = everything.checked("omniglot")  # before the split, which could hide a drawing that both archives hold
    train, evaluation = hold_out(characters, HELD_OUT, seed=split_seed)
    return Dataset("omniglot", take(everything, train), take(everything, evaluation), "bernoulli")


def decode(content: bytes, where: str) -> NDArray[np.uint8]:
    """Decode a PNG picture: grey values 0..255, shape (105, 105).

    Raises:
        BadData: damaged, not PNG, of another size, not grey, or partly transparent.
    """
    if not content.startswith(PNG_START):
        raise BadData(f"{where} is not a PNG picture of {SIDE}×{SIDE} pixels; get the published archive")
    try:
        with warnings.catch_warnings(action="error"), Image.open(io.BytesIO(content), formats=("PNG",)) as picture:
            # Looked at before any pixel is decoded: a second header could have changed the size.
            if picture.size != (SIDE, SIDE) or picture.mode not in GREY_MODES or "transparency" in picture.info:
                raise BadData(f"{where} is not a grey picture of {SIDE}×{SIDE} pixels; get the published archive")
            return np.asarray(picture.convert("L"))
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError, Warning) as error:
        raise BadData(f"{where} is damaged ({type(error).__name__}); get the archive again") from error


def _overlaps(size: int) -> FloatArray:
    """Overlap of each new pixel with each old one along a side, in 1/105 of a new pixel's side, shape (size, 105).

    >>> _overlaps(28)[0, :5].astype(int).tolist()  # a new pixel covers 105/28 = 3.75 old ones
    [28, 28, 28, 21, 0]
    """
    new, old = SIDE * np.arange(size)[:, None], size * np.arange(SIDE)
    return (np.minimum(new + SIDE, old + size) - np.maximum(new, old)).clip(min=0).astype(np.float32)


def _shrink(grey: NDArray[np.uint8], overlaps: FloatArray) -> FloatArray:
    ink = (255 - grey).astype(np.float32)
    return np.divide((overlaps @ ink @ overlaps.T)[None], 255 * SIDE**2, dtype=np.float32)
