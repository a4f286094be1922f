"""Small files in the formats of dSprites and 3D Shapes."""

import itertools
import pickle

import h5py
import numpy as np

from stabaudit.data import dsprites, shapes3d


class Boom:
    """What runs a program when it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


def dsprites_arrays(seed=0):
    """Every combination of few values, as the published file has it."""
    rng = np.random.default_rng(seed)
    grid = itertools.product([1.0], [1.0, 2.0, 3.0], [0.5, 1.0], [0.0, 3.0], [0.0, 1.0], [0.0, 1.0])
    values = np.array(list(grid))
    metadata = np.array({"boom": Boom()}, dtype=object)
    return {
        "metadata": metadata,
        "imgs": rng.integers(0, 2, (len(values), 64, 64), dtype=np.uint8),
        "latents_classes": np.zeros(values.shape, np.int64),
        "latents_values": values,
    }


def write_dsprites(folder, **changed):
    arrays = dsprites_arrays() | changed
    np.savez_compressed(folder / dsprites.FILE, **{name: array for name, array in arrays.items() if array is not None})
    assert pickle.dumps(Boom())


def shapes3d_arrays(seed=0):
    rng = np.random.default_rng(seed)
    grid = itertools.product([0.0, 0.5], [0.0, 0.5], [0.1], [0.75, 1.25], [0.0, 1.0, 2.0, 3.0], [-30.0, 30.0])
    labels = np.array(list(grid))
    return {"images": rng.integers(0, 256, (len(labels), 64, 64, 3), dtype=np.uint8), "labels": labels}


def write_shapes3d(folder, **changed):
    with h5py.File(folder / shapes3d.FILE, "w") as file:
        for name, array in (shapes3d_arrays() | changed).items():
            if array is not None:
                file.create_dataset(name, data=array, compression="gzip" if name == "images" else None)
