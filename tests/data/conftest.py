"""Small IDX files, written byte by byte from the description of the format."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


def idx_bytes(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.astype(np.uint8).tobytes()


@pytest.fixture
def idx() -> Callable[[np.ndarray], bytes]:
    return idx_bytes


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (7, 28, 28), dtype=np.uint8)


@pytest.fixture
def write_mnist() -> Callable[..., None]:
    """Write the four files of a made-up MNIST into a folder."""

    def write(folder: Path, *, train: int = 12, test: int = 6, compressed: bool = True, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        folder.mkdir(parents=True, exist_ok=True)
        for part, rows in (("train", train), ("t10k", test)):
            for kind, values in (
                ("images-idx3-ubyte", rng.integers(0, 256, (rows, 28, 28))),
                ("labels-idx1-ubyte", rng.integers(0, 10, rows)),
            ):
                content = idx_bytes(values)
                name = f"{part}-{kind}" + (".gz" if compressed else "")
                (folder / name).write_bytes(gzip.compress(content) if compressed else content)

    return write
