"""What every dataset is: rows to train on, rows to evaluate on, and a fingerprint of both."""

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import BadData

FloatArray = NDArray[np.float32]
Array = NDArray[Any]


@dataclass(frozen=True)
class Split:
    """Rows of a dataset; everything present has n rows.

    Args:
        x: observations, shape (n, *shape), float32, finite.
        sample_id: a name of each row that is unique within the dataset, shape (n,), integers or text.
        u: auxiliary variable, shape (n, k), float32 (categories one-hot), or None.
        labels: class of each row, shape (n,), integers, or None.
        sources: true latent sources, shape (n, d), float32, or None.
    """

    x: FloatArray
    sample_id: Array
    u: FloatArray | None = None
    labels: Array | None = None
    sources: FloatArray | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.x)

    def validate(self, where: str) -> None:
        """Check shapes, finiteness and ids.

        Raises:
            BadData: rows missing in one array, NaN or infinity (with column and count), repeated ids.
        """
        for field in fields(self):
            array = getattr(self, field.name)
            if array is None:
                continue
            if len(array) != len(self.x):
                raise BadData(f"{where}: {field.name} has {len(array)} rows, x has {len(self.x)}")
            if np.issubdtype(array.dtype, np.floating):
                require_finite(array, f"{where}: {field.name}")
        if len(self.x) == 0:
            raise BadData(f"{where}: no rows")
        ids, counts = np.unique(self.sample_id, return_counts=True)
        if (counts > 1).any():
            raise BadData(f"{where}: {int((counts > 1).sum())} sample ids are repeated, the first is {ids[counts > 1][0]}")


@dataclass(frozen=True)
class Dataset:
    """A dataset: two splits, which may be the same rows where a source evaluates on what it trained on (`tcl`).

    Args:
        name: what the user typed, e.g. "mnist".
        train: rows that restarts are trained on.
        evaluation: rows whose latents are kept.
        likelihood: the default likelihood: "bernoulli" for values in [0, 1], "logistic" for colour images in 256
            levels, else "gaussian".
    """

    name: str
    train: Split
    evaluation: Split
    likelihood: Literal["bernoulli", "gaussian", "logistic"]

    def __post_init__(self) -> None:
        """Validate both splits and that they agree in shape."""
        self.train.validate(f"{self.name} (training rows)")
        if self.evaluation is not self.train:
            self.evaluation.validate(f"{self.name} (evaluation rows)")
        if self.train.x.shape[1:] != self.evaluation.x.shape[1:]:
            raise BadData(
                f"{self.name}: training rows have shape {self.train.x.shape[1:]}, evaluation rows {self.evaluation.x.shape[1:]}"
            )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over names, types, shapes and bytes of every array of both splits, first 16 hex digits."""
        digest = hashlib.sha256()
        for split in (self.train, self.evaluation):
            for field in fields(split):
                array = getattr(split, field.name)
                if array is not None:
                    digest.update(f"{field.name} {array.dtype.str} {array.shape}".encode())
                    digest.update(np.ascontiguousarray(array).data if array.dtype.kind != "O" else repr(array.tolist()).encode())
        return digest.hexdigest()[:16]


def one_hot(codes: Array, categories: int | None = None) -> FloatArray:
    """Categories 0..K−1, shape (n,), as one-hot rows, shape (n, K), float32."""
    return np.eye(int(codes.max()) + 1 if categories is None else categories, dtype=np.float32)[codes]


def require_finite(array: Array, where: str) -> None:
    """Refuse NaN and infinity.

    Raises:
        BadData: naming the first column that holds any (of the flattened row), and how many the array holds.
    """
    bad = ~np.isfinite(array)
    if bad.any():
        columns = np.any(bad.reshape(len(array), -1), axis=0)
        first = f", the first in column {int(np.argmax(columns))}" if columns.size > 1 else ""
        raise BadData(f"{where} holds {int(bad.sum())} NaN or infinite values{first}")
