"""A dataset as named arrays that travel to where it is trained on, and back."""

import warnings
from dataclasses import fields

import numpy as np
import torch

from stabaudit.data.dataset import Dataset, Split
from stabaudit.engines.base import Arrays
from stabaudit.training.step.restarts import Rows

_PARTS = ("train", "evaluation")


def arrays_of(dataset: Dataset) -> Arrays:
    """All arrays of a dataset: "train.x", "evaluation.sample_id", …; those to evaluate on only where they are others."""
    return {
        f"{part}.{field.name}": array
        for part in _PARTS
        if part == "train" or dataset.evaluation is not dataset.train
        for field in fields(Split)
        if (array := getattr(getattr(dataset, part), field.name)) is not None
    }


def splits_of(arrays: Arrays) -> tuple[Split, Split]:
    """The training and evaluation rows that `arrays_of` gave these arrays for."""
    parts = [{name.partition(".")[2]: array for name, array in arrays.items() if name.startswith(f"{part}.")} for part in _PARTS]
    train = Split(**parts[0])
    return train, Split(**parts[1]) if parts[1] else train


def rows_of(split: Split) -> Rows:
    """The observations and auxiliary variables of a split as tensors over the same memory."""
    u = np.empty((len(split), 0), np.float32) if split.u is None else split.u
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # nothing writes
        return Rows(torch.from_numpy(split.x), torch.from_numpy(u))
