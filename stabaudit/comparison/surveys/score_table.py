"""One value per configuration and family, from a table of scores that came from anywhere."""

import csv
import math
from pathlib import Path
from typing import Any

from stabaudit.errors import BadData, UsageError
from stabaudit.registry import unknown
from stabaudit.statistics.families import Configuration, ScoreTable
from stabaudit.store.files.atomic import reason, shown

KEY_COLUMNS = ("architecture", "dataset", "latent_dim", "family")


def read_score_table(path: Path, score: str | None = None) -> tuple[ScoreTable, str]:
    """Read a table with the columns architecture, dataset, latent_dim, family and a score.

    Args:
        path: CSV or Parquet.
        score: the column that holds the score; None takes `mcc`, or the only column left.

    Returns:
        The values, and the name of the score.

    Raises:
        BadData: a file that cannot be read, a missing column, a value that is no finite number, a configuration and family twice.
        UsageError: an unknown score, or several to choose from.
    """
    where = shown(path)
    rows = _parquet_rows(path) if path.suffix.lower() == ".parquet" else _csv_rows(path)
    if not rows:
        raise BadData(f"{where}: no rows; expected the columns {', '.join(KEY_COLUMNS)} and a score")
    columns = list(rows[0])
    missing = [name for name in KEY_COLUMNS if name not in columns]
    if missing:
        raise BadData(
            f"{where}: no column {missing[0]!r} among {', '.join(map(repr, columns))}; expected {', '.join(KEY_COLUMNS)}"
        )
    name = _score_column(score, [column for column in columns if column not in KEY_COLUMNS], where)
    table: dict[Configuration, dict[str, float]] = {}
    for number, row in enumerate(rows, start=1):
        configuration = Configuration(
            str(row["architecture"]), str(row["dataset"]), _whole(row["latent_dim"], f"{where}: row {number}: latent_dim")
        )
        values = table.setdefault(configuration, {})
        family = str(row["family"])
        if family in values:
            raise BadData(f"{where}: row {number}: {family} on {configuration} a second time; give one value for each")
        values[family] = _number(row[name], f"{where}: row {number}: {name}")
    return table, name


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
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except OSError as error:
        raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadData(f"{shown(path)} is not a comma-separated table ({error})") from error
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise BadData(f"{shown(path)}: row {number} has another number of fields than the first line")
    return rows


def _parquet_rows(path: Path) -> list[dict[str, Any]]:
    from stabaudit.store.files.parquet import read_table  # noqa: PLC0415 -- a CSV table needs no pyarrow, which takes long to load

    rows: list[dict[str, Any]] = read_table(path).to_pylist()
    return rows


def _whole(value: object, where: str) -> int:
    number = _number(value, where)
    if number != int(number):
        raise BadData(f"{where} is {value!r}, expected a whole number")
    return int(number)


def _number(value: object, where: str) -> float:
    try:
        number = float(value) if isinstance(value, (str, int, float)) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadData(f"{where} is {value!r}, expected a finite number")
    return number
