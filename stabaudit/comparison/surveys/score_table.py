"""One value per configuration and family, from a table of scores that came from anywhere."""

import math
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from stabaudit.errors import BadData, Guessed, Noticed, UsageError, counted
from stabaudit.registry import unknown
from stabaudit.statistics.families import Configuration, ScoreTable
from stabaudit.store.files.atomic import shown
from stabaudit.store.files.csv_table import SUFFIXES, read_csv
from stabaudit.store.files.feather import read_feather
from stabaudit.store.files.parquet import read_table
from stabaudit.store.imports.foreign_files import kind

TEXTS = ("architecture", "dataset", "family")
KEY_COLUMNS = (*TEXTS[:2], "latent_dim", "family")
TABLES = (".parquet", ".feather", *SUFFIXES)
SEEDS = ("seed", "restart")  # columns that tell several values of one family and configuration apart; their mean is taken


class ReadScores(NamedTuple):
    """A table of scores as it was read.

    Args:
        values: by configuration and family.
        name: of the score.
        averaged: what each value is the mean of, in words; empty where it stands in the table.
    """

    values: ScoreTable
    name: str
    averaged: str = ""


def read_score_table(path: Path, score: str | None = None) -> ReadScores:
    """Read a table with the columns architecture, dataset, latent_dim, family and a score.

    Args:
        path: CSV, Parquet or Feather; a row for each family, or a column for each.
        score: the column that holds the score; None takes `mcc`, or the only column left.

    Raises:
        BadData: a file that cannot be read, a missing column, a value that is no finite number, or a configuration and family
            twice without a column of seeds.
        UsageError: an unknown score, or several to choose from.
    """
    where = shown(path)
    rows = _read(path)
    if not rows:
        raise BadData(f"{where}: no rows; expected the columns {', '.join(KEY_COLUMNS)} and a score")
    columns = list(rows[0])
    families = [name for name in columns if name not in {*KEY_COLUMNS, *SEEDS}]
    if set(KEY_COLUMNS) - set(columns) == {"family"} and len(families) > 1 and score is None:
        rows = _as_rows(rows, families, where)
        columns = list(rows[0])
    missing = [name for name in KEY_COLUMNS if name not in columns]
    if missing:
        raise BadData(
            f"{where}: no column {missing[0]!r} among {', '.join(map(repr, columns))}; expected {', '.join(KEY_COLUMNS)}"
        )
    name = _score_column(score, [column for column in columns if column not in {*KEY_COLUMNS, *SEEDS}], where)
    found: dict[Configuration, dict[str, list[float]]] = {}
    seeded = next((column for column in SEEDS if column in columns and column != name), None)
    for number, row in enumerate(rows, start=1):
        configuration = Configuration(
            str(row["architecture"]), str(row["dataset"]), _whole(row["latent_dim"], f"{where}: row {number}: latent_dim")
        )
        values = found.setdefault(configuration, {}).setdefault(str(row["family"]), [])
        if values and seeded is None:
            raise BadData(
                f"{where}: row {number}: {row['family']} on {configuration} a second time; "
                "give one value for each, or a column 'seed'"
            )
        values.append(_number(row[name], f"{where}: row {number}: {name}"))
    averaged = ""
    if seeded is not None:
        counts = sorted({len(values) for families in found.values() for values in families.values()})
        many = counted(counts[0], "row") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} rows"
        averaged = f"each value is the mean over {many} of column '{seeded}'"
        warnings.warn(Noticed(where, averaged), stacklevel=2)
    _name_similar({family for families in found.values() for family in families}, where)
    means = {c: {family: math.fsum(v) / len(v) for family, v in families.items()} for c, families in found.items()}
    return ReadScores(means, name, averaged)


def _name_similar(families: set[str], where: str) -> None:
    """Warn of families whose names differ in case or blanks alone."""
    alike: dict[str, list[str]] = {}
    for family in sorted(families):
        alike.setdefault(family.strip().casefold(), []).append(family)
    similar = [" and ".join(f"'{name}'" for name in names) for names in alike.values() if len(names) > 1]
    if similar:
        warnings.warn(Noticed(where, f"{', '.join(similar)} are taken for different families"), stacklevel=3)


def _score_column(wanted: str | None, others: list[str], where: str) -> str:
    if wanted is not None:
        if wanted not in others:
            raise unknown(f"score column of {where}", wanted, others)
        return wanted
    if "mcc" in others or len(others) == 1:
        return "mcc" if "mcc" in others else others[0]
    raise UsageError(
        f"{where}: which column is the score? --score {' or '.join(sorted(others)) or 'NAME, but there is no other column'}"
    )


def _csv_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of text; with semicolons between the fields, decimal commas become points in what else would be no number."""
    table = read_csv(path, wanted=KEY_COLUMNS, text=True)
    rows: list[dict[str, Any]] = table.columns.to_pylist()
    if table.separator == ";":
        return [{key: value if key in TEXTS else value.replace(",", ".") for key, value in row.items()} for row in rows]
    return rows


def _read(path: Path) -> list[dict[str, Any]]:
    if kind(path) in SUFFIXES:
        return _csv_rows(path)
    table = read_table(path) if kind(path) == ".parquet" else read_feather(path)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _as_rows(rows: list[dict[str, Any]], families: list[str], where: str) -> list[dict[str, Any]]:
    """A table of one column a family as one of one row a family."""
    said = f"its columns {', '.join(map(repr, families))} are taken for families, which no column names"
    warnings.warn(Guessed(where, said, "write columns 'family' and 'score'"), stacklevel=3)
    kept = [name for name in rows[0] if name not in families]
    return [{name: row[name] for name in kept} | {"family": family, "score": row[family]} for row in rows for family in families]


def _whole(value: object, where: str) -> int:
    number = _number(value, where)
    if number != int(number):
        raise BadData(f"{where} is '{value}', expected a whole number")
    return int(number)


def _number(value: object, where: str) -> float:
    try:
        number = float(value) if isinstance(value, (str, int, float, Decimal)) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadData(f"{where} is '{value}', expected a finite number")
    return number
