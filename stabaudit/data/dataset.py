"""What every dataset is: rows to train on, rows to evaluate on, and a fingerprint of both."""

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import BadData, are, counted
from stabaudit.store.files.columns import kind_of

FloatArray = NDArray[np.float32]
Array = NDArray[Any]


Likelihood = Literal["bernoulli", "gaussian", "logistic", "categorical"]
NUMBERS = "biuf"  # kinds of numpy types: bool, integers, floats


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

    def checked(self, where: str) -> "Split":
        """The same rows, with numbers of other types rounded to float32.

        Integers, booleans and floats of any width are taken in x, u and sources, as they are from files, booleans as labels, and
        Python's own text as ids. Nothing else is converted: what a text or a complex number was meant to be is not ours to guess.

        Raises:
            BadData: another type or shape, rows missing in one array, NaN or infinity (with column and count), repeated ids.
        """
        for field in fields(self):
            array = getattr(self, field.name)
            if array is not None and not isinstance(array, np.ndarray):
                raise BadData(f"{where}: {field.name} is a {type(array).__name__}, expected a numpy array")
        if self.x.ndim < 2 or 0 in self.x.shape[1:]:
            raise BadData(f"{where}: x has shape {self.x.shape}, expected one row of numbers a sample: (n, …)")
        if len(self.x) == 0:
            raise BadData(f"{where}: no rows")
        for field in fields(self):
            array = getattr(self, field.name)
            if array is not None and array.shape[:1] != self.x.shape[:1]:
                rows = counted(len(array), "row") if array.ndim else "no rows"
                raise BadData(f"{where}: {field.name} has {rows}, x has {len(self.x)}")
        return Split(
            x=to_float32(self.x, f"{where}: x"),
            sample_id=_ids(self.sample_id, f"{where}: sample_id"),
            u=_matrix(self.u, f"{where}: u"),
            labels=_classes(self.labels, f"{where}: labels"),
            sources=_matrix(self.sources, f"{where}: sources"),
        )

    def equals(self, other: "Split") -> bool:
        """Whether both hold the same rows in the same order."""
        pairs = [(getattr(self, field.name), getattr(other, field.name)) for field in fields(self)]
        return all(a is b or (a is not None and b is not None and np.array_equal(a, b)) for a, b in pairs)


def _matrix(array: FloatArray | None, where: str) -> FloatArray | None:
    if array is None:
        return None
    if array.ndim != 2 or array.shape[1] == 0:
        raise BadData(f"{where} has shape {array.shape}, expected ({len(array)}, k)")
    return to_float32(array, where)


def _classes(labels: Array | None, where: str) -> Array | None:
    if labels is None:
        return None
    if labels.ndim != 1 or labels.dtype.kind not in "biu":
        raise BadData(f"{where}: {kind_of(labels)} of shape {labels.shape}, expected one integer a row, shape ({len(labels)},)")
    return labels.astype(np.int64) if labels.dtype.kind == "b" else labels


def _ids(sample_id: Array, where: str) -> Array:
    if sample_id.dtype.kind == "O" and all(isinstance(name, str) for name in sample_id.ravel()):
        sample_id = sample_id.astype(np.str_)
    if sample_id.ndim != 1 or sample_id.dtype.kind not in "iuU":
        found = f"{kind_of(sample_id)} of shape {sample_id.shape}"
        raise BadData(f"{where}: {found}, expected one integer or text a row, shape ({len(sample_id)},)")
    ids, counts = np.unique(sample_id, return_counts=True)
    if (counts > 1).any():
        repeated = ids[counts > 1]
        said = f"{counted(len(repeated), 'sample id')} {are(len(repeated))} repeated"
        raise BadData(f"{where.removesuffix(': sample_id')}: {said}, the first is {repeated[0]}")
    return sample_id


@dataclass(frozen=True)
class Dataset:
    """A dataset: two splits, which may be the same rows where a source evaluates on what it trained on (`tcl`).

    It is checked when it is made, and numbers of other types become float32 (see `Split.checked`), so that what is wrong with it
    is said before anything is trained.

    Args:
        name: what the user typed, e.g. "mnist".
        train: rows that restarts are trained on.
        evaluation: rows whose latents are kept.
        likelihood: the default likelihood: "bernoulli" for values in [0, 1], "logistic" for colour images in 256
            levels, "categorical" for text, else "gaussian".
        scale: what was done to x of one's own: "standardise" or "minmax" over the training rows, or "none".
        source_names: what each column of the sources is called; empty where they have no names.
        vocabulary: of text, whose x are documents of codes, shape (n, length): what the codes 1, 2, … mean; 0 stands where a
            document has ended already. Empty for other data.

    Raises:
        BadData: a split that is not as it should be, or two that do not agree: other shapes of x or u, ids in both.
    """

    name: str
    train: Split
    evaluation: Split
    likelihood: Likelihood
    scale: str = "none"
    source_names: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check both splits and that they agree."""
        if self.likelihood not in get_args(Likelihood):
            raise BadData(f"{self.name}: likelihood {self.likelihood!r}, expected {', '.join(get_args(Likelihood))}")
        for split in (self.train, self.evaluation):
            if not isinstance(split, Split):
                raise BadData(f"{self.name}: rows are a {type(split).__name__}, expected a stabaudit.data.dataset.Split")
        train = self.train.checked(f"{self.name} (training rows)")
        evaluation = train
        if self.evaluation is not self.train:
            evaluation = self.evaluation.checked(f"{self.name} (evaluation rows)")
            self._require_agreement(train, evaluation)
        width = 0 if evaluation.sources is None else evaluation.sources.shape[1]
        if self.source_names and len(self.source_names) != width:
            names = counted(len(self.source_names), "name")
            raise BadData(f"{self.name}: {names} of sources, of which there {are(width)} {width}")
        if self.vocabulary or self.likelihood == "categorical":
            self._require_codes(train, evaluation)
        object.__setattr__(self, "train", train)
        object.__setattr__(self, "evaluation", evaluation)

    def _require_agreement(self, train: Split, evaluation: Split) -> None:
        if train.x.shape[1:] != evaluation.x.shape[1:]:
            raise BadData(f"{self.name}: training rows have shape {train.x.shape[1:]}, evaluation rows {evaluation.x.shape[1:]}")
        widths = [None if split.u is None else split.u.shape[1] for split in (train, evaluation)]
        if widths[0] != widths[1]:
            said = ["no u" if width is None else f"u of {counted(width, 'column')}" for width in widths]
            raise BadData(f"{self.name}: training rows have {said[0]}, evaluation rows {said[1]}")
        kinds = ["text" if split.sample_id.dtype.kind == "U" else "integers" for split in (train, evaluation)]
        if kinds[0] != kinds[1]:
            raise BadData(f"{self.name}: sample_id holds {kinds[0]} in training rows and {kinds[1]} in evaluation rows")
        both = np.intersect1d(train.sample_id, evaluation.sample_id)
        if len(both) and not train.equals(evaluation):
            shared = f"{counted(len(both), 'sample id')} {are(len(both))} in both training and evaluation rows"
            raise BadData(f"{self.name}: {shared}, the first is {both[0]}; give every row a name of its own")

    def _require_codes(self, *splits: Split) -> None:
        """Refuse x that are no codes of the vocabulary, and documents of nothing."""
        most = len(self.vocabulary)
        if not most or self.likelihood != "categorical":
            raise BadData(
                f"{self.name}: a vocabulary goes with the categorical likelihood, and that with a vocabulary; give both"
            )
        for split in splits:
            if split.x.ndim != 2:
                raise BadData(f"{self.name}: documents have shape {split.x.shape}, expected codes of shape (n, length)")
            if not ((split.x >= 0) & (split.x <= most) & (split.x == np.floor(split.x))).all():
                raise BadData(f"{self.name}: x holds numbers that are no codes from 0 to {most}, the size of the vocabulary")
            if not split.x.any(axis=1).all():
                raise BadData(f"{self.name}: sample {split.sample_id[np.argmin(split.x.any(axis=1))]} is an empty document")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the vocabulary and names, types, shapes and bytes of every array of both splits, first 16 hex digits."""
        digest = hashlib.sha256("\0".join(self.vocabulary).encode())
        for split in (self.train, self.evaluation):
            for field in fields(split):
                array = getattr(split, field.name)
                if array is not None:
                    digest.update(f"{field.name} {array.dtype.str} {array.shape}".encode())
                    digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:16]


def one_hot(codes: Array, categories: int | None = None) -> FloatArray:
    """Categories 0..K−1, shape (n,), as one-hot rows, shape (n, K), float32."""
    return np.eye(int(codes.max()) + 1 if categories is None else categories, dtype=np.float32)[codes]


def is_one_hot(u: Array) -> bool:
    """Whether every row is a category: one 1 among zeros.

    >>> is_one_hot(one_hot(np.array([0, 2, 1]))), is_one_hot(np.array([[0.3], [1.0]]))
    (True, False)
    """
    return bool((((u == 0) | (u == 1)).all()) and (u.sum(axis=1) == 1).all())


def to_float32(array: Array, where: str) -> FloatArray:
    """Numbers as float32.

    Raises:
        BadData: no numbers, NaN or infinity (column and count), or values beyond the range of float32.
    """
    if array.dtype.kind not in NUMBERS:
        raise BadData(f"{where} holds {kind_of(array)}, expected real numbers")
    require_finite(array, where)
    with np.errstate(over="ignore"):
        values = array.astype(np.float32, copy=False)
    beyond = ~np.isfinite(values)
    if beyond.any():
        raise BadData(f"{where} holds {counted(int(beyond.sum()), 'value')} beyond the range of float32 (±3.4e38); rescale them")
    return np.require(values, requirements=["C", "W"])  # torch takes no negative strides, and warns of what is read-only


def require_finite(array: Array, where: str) -> None:
    """Refuse NaN and infinity.

    Raises:
        BadData: naming the first column that holds any (of the flattened row), and how many the array holds.
    """
    bad = ~np.isfinite(array)
    if bad.any():
        columns = np.any(bad.reshape(len(array), -1), axis=0)
        first = f", the first in column {int(np.argmax(columns))}" if columns.size > 1 else ""
        raise BadData(f"{where} holds {counted(int(bad.sum()), 'NaN or infinite value')}{first}")
