"""The user's own data: a file of numpy's, or a table in Parquet, Feather or CSV.

- `.npz`: arrays `x` (n, …), and if wanted `u`, `labels`, `sources`, `sample_id`; rows to evaluate on as `evaluation_x`,
  `evaluation_u` and so on.
- `.npy`: x alone.
- `.parquet`, `.feather`, `.csv`, `.tsv`: every column is a dimension of x, but for those named as u, label or id.

A u of one column of integers or text is a category and becomes one-hot; otherwise its numbers are used as they are. Without
sample ids, rows are numbered from 0, evaluation rows after training rows. How x is laid out and scaled: see `formats.scaling`.
"""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from stabaudit.config import NonNegative
from stabaudit.data.dataset import NUMBERS, Array, Dataset, Split, require_finite
from stabaudit.data.formats.arrays import check_ids, encode_auxiliary, encode_labels, to_rows
from stabaudit.data.formats.scaling import Scale, Scaling, chosen_scale, laid_out
from stabaudit.data.formats.tables import Columns, read_table
from stabaudit.data.splitting import Rows, hold_out, take
from stabaudit.errors import BadData, Guessed, Noticed, UsageError, are, counted
from stabaudit.registry import unknown
from stabaudit.store.files import csv_table
from stabaudit.store.files.columns import kind_of, outliers
from stabaudit.store.files.numpy_files import load_npy, load_npz, members
from stabaudit.store.imports.foreign_files import kind

TABLES = (".parquet", ".feather", *csv_table.SUFFIXES)
SUFFIXES = (".npz", ".npy", *TABLES)
FIELDS = ("x", "u", "labels", "sources", "sample_id")
EVALUATION = "evaluation_"
LEAST_TO_OUTWEIGH = 20  # rows, below which one may well carry half
NAMES = (*FIELDS, *(EVALUATION + field for field in FIELDS))

Fraction = Annotated[float, Field(ge=0, lt=1)]


def load(
    path: Path,
    *,
    holdout: Fraction = 0.2,
    split_seed: NonNegative = 0,
    likelihood: Literal["auto", "bernoulli", "gaussian"] = "auto",
    u_columns: tuple[str, ...] = (),
    label_column: str | None = None,
    id_column: str | None = None,
    scale: Scale | None = None,
    channels_last: bool = False,
) -> Dataset:
    """Load a file.

    Args:
        path: the file; its ending says what it is.
        holdout: fraction of the rows, drawn at random, to evaluate on; 0 evaluates on the training rows. Not used where a `.npz`
            file brings its own evaluation rows.
        split_seed: decides which rows are held out.
        likelihood: "auto" is bernoulli where all of x lies in [0, 1], gaussian elsewhere.
        u_columns: columns of the auxiliary variable (of a table).
        label_column: column of classes (of a table).
        id_column: column of unique sample ids (of a table).
        scale: "standardise", "minmax" or "none"; None: bytes in [0, 1], and else standardised unless all of x lies in [0, 1].
        channels_last: images are height × width × channels; recognised where that is plain.

    Raises:
        BadData: a missing, damaged or foreign file, or arrays that do not fit together.
        UsageError: columns that the file lacks.
    """
    where = str(path)
    arrays = _read(path, Columns(tuple(u_columns), label_column, id_column))
    names = arrays.pop("x_columns", None)
    if "x" in arrays:
        arrays = laid_out(arrays, where, channels_last=channels_last, scale=scale)
    rows, training = assemble(arrays, where)
    _say_what_u_is(arrays, rows, where)
    _say_what_outweighs(rows, where, names)
    first, second = _parts(len(rows), training, holdout, split_seed, where)
    done = chosen_scale(rows.x, scale, where)
    if done != "none":
        raw = np.concatenate([arrays[name] for name in ("x", "evaluation_x") if name in arrays]).reshape(rows.x.shape)
        rows = replace(rows, x=Scaling.fit(raw[first], done).apply(raw))  # before anything is rounded to float32
    train = take(rows, first) if len(first) < len(rows) else rows
    evaluation = train if second is first else take(rows, second)
    # Evaluation rows may lie beyond the training rows' range.
    wanted = "gaussian" if done == "minmax" and likelihood == "auto" else likelihood
    return Dataset(where, train, evaluation, _likelihood(rows, wanted, where), scale=done)


def _parts(count: int, training: int, holdout: float, seed: int, where: str) -> tuple[Rows, Rows]:
    """Rows to train on and rows to evaluate on; the same where all are both."""
    every = np.arange(count)
    if training < count:
        return every[:training], every[training:]
    if holdout == 0:
        return every, every
    remaining, held_out = hold_out(np.zeros(count), holdout, seed=seed)
    if not (len(remaining) and len(held_out)):
        few = f"{counted(count, 'row')} {are(count)} too few"
        raise BadData(f"{where}: {few} to hold out {holdout:.0%} of; set holdout=0 to hold out none")
    return remaining, held_out


def _say_what_u_is(arrays: Mapping[str, Array], rows: Split, where: str) -> None:
    """That a u of integers is taken for categories."""
    if rows.u is not None and arrays["u"].ndim == 1 and arrays["u"].dtype.kind in "iu":
        said = f"its u of integers is taken for {counted(rows.u.shape[1], 'category', 'categories')}"
        warnings.warn(Guessed(where, said, "write it as text, or as floats where it is a number"), stacklevel=3)


def _say_what_outweighs(rows: Split, where: str, names: Array | None) -> None:
    """Which one row decides mean and deviation of a column."""
    if len(rows) < LEAST_TO_OUTWEIGH or rows.x.ndim != 2:
        return
    found = outliers(rows.x)
    if found:
        column, row, share = found[0]
        others = len(found) - 1
        more = f"; {counted(others, 'more column')} {are(others)} like that" if others else ""
        called = f"{column} of x" if names is None else f"'{names[column]}'"
        value = f"{rows.x[row, column]:g} in row {rows.sample_id[row]}, column {called}"
        said = (
            f"{value}, is {share:.0%} of the column's variance{more}; restarts may diverge: leave the row out if it is an error"
        )
        warnings.warn(Noticed(where, said), stacklevel=3)


def _read(path: Path, columns: Columns) -> dict[str, Array]:
    suffix = kind(path)
    if not path.exists():
        raise BadData(f"{path}: no such file")
    if not (path.is_file() or path.is_dir()):
        raise BadData(f"{path} is no regular file")
    if suffix not in SUFFIXES or not path.is_file():
        raise BadData(f"{path}: expected a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file")
    try:
        if suffix in TABLES:
            return read_table(path, columns)
        if columns.named():
            raise UsageError(f"{path}: --u-columns, --label-column and --id-column are for tables ({', '.join(TABLES)})")
        return {"x": load_npy(path)} if suffix == ".npy" else load_npz(path, _known(members(path), str(path)))
    except OSError as error:
        raise BadData(f"{path} cannot be read: {error.strerror or error}") from error


def _known(names: set[str], where: str) -> set[str]:
    """Names of arrays, all of which are known.

    Raises:
        BadData: one that is not.
    """
    for name in sorted(names - set(NAMES)):
        raise BadData(f"{where}: {unknown('array', name, NAMES)}")
    return names


def assemble(arrays: Mapping[str, Array], where: str) -> tuple[Split, int]:
    """Put raw arrays together.

    Training and evaluation rows go through one encoding, so that a category has the same code in both.

    Args:
        arrays: by name: those in `FIELDS`, and the same with "evaluation_" before.
        where: the file, for messages.

    Returns:
        All rows, training rows first, and the number of training rows.

    Raises:
        BadData: unknown or missing names, lengths or shapes that differ, NaN or infinity, repeated ids.
    """
    _known(set(arrays), where)
    if "x" not in arrays:
        raise BadData(f"{where}: no array 'x'")
    evaluated = any(name.startswith(EVALUATION) for name in arrays)
    parts = ("", EVALUATION) if evaluated else ("",)
    columns: dict[str, Array] = {}
    for field in FIELDS:
        present = [part + field in arrays for part in parts]
        if any(present) and not all(present):
            raise BadData(f"{where}: {field!r} and '{EVALUATION}{field}' must both be there, or neither")
        if all(present):
            columns[field] = _join([(part, arrays[part + field], arrays[part + "x"]) for part in parts], field, where)
    x = to_rows(columns["x"], f"{where}: x")
    rows = Split(
        x=x,
        sample_id=check_ids(columns.get("sample_id", np.arange(len(x))), f"{where}: sample_id"),
        u=encode_auxiliary(columns["u"], f"{where}: u") if "u" in columns else None,
        labels=encode_labels(columns["labels"], f"{where}: labels") if "labels" in columns else None,
        sources=to_rows(columns["sources"], f"{where}: sources") if "sources" in columns else None,
    )
    return rows.checked(where), len(arrays["x"])


def _join(parts: list[tuple[str, Array, Array]], field: str, where: str) -> Array:
    """One field of training and evaluation rows, one below the other; each part must have as many rows as its x."""
    first = parts[0][1]
    for part, array, x in parts:
        if array.dtype.kind not in NUMBERS + "U" or (array.dtype.kind == "U") != (first.dtype.kind == "U"):
            raise BadData(f"{where}: {part}{field} holds {kind_of(array)}, expected numbers or text, and the same in both splits")
        if len(array) != len(x):
            raise BadData(f"{where}: {part}{field} has {counted(len(array), 'row')}, {part}x has {len(x)}")
        if array.shape[1:] != first.shape[1:]:
            raise BadData(f"{where}: rows of {part}{field} have shape {array.shape[1:]}, those of {field} {first.shape[1:]}")
        if len(array) == 0:
            raise BadData(f"{where}: {part}{field} has no rows")
        if array.dtype.kind == "f":
            require_finite(array, f"{where}: {part}{field}")
    return np.concatenate([array for _, array, _ in parts])


def _likelihood(rows: Split, wanted: str, where: str) -> Literal["bernoulli", "gaussian"]:
    low, high = float(rows.x.min()), float(rows.x.max())
    within = low >= 0 and high <= 1
    if wanted == "bernoulli" and not within:
        raise BadData(f"{where}: x lies in [{low:g}, {high:g}], but the Bernoulli likelihood needs [0, 1]")
    return "bernoulli" if within and wanted != "gaussian" else "gaussian"
