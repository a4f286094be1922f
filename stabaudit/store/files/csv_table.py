"""The one reader of CSV files, plain or gzipped: training data, latents and tables of scores are read alike.

- **Separator.** A comma; or a semicolon or a tab, where these divide the first two lines and commas do not. With semicolons,
  numbers may have decimal commas.
- **Header.** The first line names the columns, unless it is all numbers. Numbers that count the columns, 0 … d-1 or 1 … d, are
  names all the same: pandas writes them where columns have none.
- **Index.** pandas and R write the index of a table as a first column without a name, which pandas reads back as `Unnamed: 0`
  and `reset_index` calls `index`. Where it merely counts the rows, from 0 or from 1, it is left out.
- **Percentages.** A column in which all numbers have percent signs is one of fractions.

What is taken for something else than it may have been meant for is said with the warning `Guessed`. Numbers that are absent,
NaN or infinite are the caller's to judge.
"""

import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from stabaudit.errors import BadData, Guessed
from stabaudit.store.files.atomic import reason, shown
from stabaudit.store.files.gzip_file import inflate
from stabaudit.store.files.memory import require_memory
from stabaudit.store.files.regular import open_text

_TABBED = (".tsv", ".tab", ".tsv.gz", ".tab.gz")
SUFFIXES = (".csv", ".tsv", ".tab", ".csv.gz", ".tsv.gz", ".tab.gz")
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
LEAST_TO_COUNT = 3  # rows: fewer numbers that happen to be 0, 1 may well be values
_NO_NAME = re.compile(r"\s*|Unnamed: \d+")
_RAGGED = re.compile(r"Expected (?P<expected>\d+) columns, got (?P<found>\d+): (?P<row>.*)", re.DOTALL)  # in Arrow's words
_PERCENT = r"^\s*[-+]?\d+([.,]\d+)?\s*%\s*$"
_NUMBER_WITH_COMMA = re.compile(r"\s*[-+]?\d*,\d+([eE][-+]?\d+)?\s*")

Source = Path | bytes  # a file, or what a compressed one holds


@dataclass(frozen=True)
class CsvTable:
    """A CSV file as it was read.

    Args:
        columns: one column a name, numbers or text; without the index.
        headed: whether the file names its columns; they are called f0, f1, … if not.
        separator: what stands between two fields.
    """

    columns: pa.Table
    headed: bool
    separator: str


def read_csv(
    path: Path, *, ids: str | None = None, wanted: Collection[str] = (), by_position: bool = False, text: bool = False
) -> CsvTable:
    """Read a CSV file.

    Args:
        path: the file.
        ids: the column that names the rows, where there is one of that name.
        wanted: columns that are asked for by name, which are never taken for an index.
        by_position: rows are matched by position, so that an index without a name says nothing.
        text: leave all fields as text.

    Raises:
        BadData: a file that cannot be read, holds nothing or is not UTF-8, rows of another number of fields than the first,
            columns of one name, or one without a name that may name the rows.
    """
    where = shown(path)
    source = inflate(path) if path.name.lower().endswith(".gz") else path
    if source is path and path.is_file():
        require_memory(path.stat().st_size, f"{where}: its text")
    separator, names = _layout(source, where)
    headed = not all(map(_is_number, names)) or _count_columns(names)
    columns, decimal = _parsed(source, names, separator, where, headed=headed, text=text)
    table = CsvTable(columns, headed, separator)
    if not headed:
        _notice(where, "its first line holds numbers and is taken for a row of them", "name the columns in the first line")
    if separator != "," and not path.name.lower().endswith(_TABBED):
        commas = ", its numbers as having decimal commas" if decimal == "," else ""
        points = ", and write decimal points" if commas else ""
        said = f"its fields are read as separated by {SEPARATORS[separator]}s{commas}"
        _notice(where, said, f"separate them by commas, or by tabs in .tsv{points}")
    if headed and names[0] == "1" and _count_columns(names):  # 0 to d-1 is what pandas writes
        said = f"its first line, 1 to {len(names)}, counts the columns and is taken for their names"
        _notice(where, said, "call them z0, z1, …")
    repeated = sorted(name for name, count in Counter(table.columns.column_names).items() if count > 1)
    if repeated:
        raise BadData(f"{where}: several columns are called {repeated[0]!r}; columns need names of their own")
    named = by_position or ids in table.columns.column_names
    return _without_index(table, {*wanted, *([] if ids is None else [ids])}, where, named=named)


def _layout(source: Source, where: str) -> tuple[str, list[str]]:
    """The separator, and the fields of the first line.

    A semicolon or a tab must divide the first two lines alike, and the first must have no comma but in numbers.
    """
    for separator in (";", "\t"):
        try:
            first, *others = _first_two(source, separator, where)
        except csv.Error:  # one field of more than Python's reader takes
            continue
        alike = all(len(other) == len(first) for other in others)
        if len(first) > 1 and alike and not any("," in f and not _NUMBER_WITH_COMMA.fullmatch(f) for f in first):
            return separator, first
    try:
        return ",", _first_two(source, ",", where)[0]
    except csv.Error as error:
        raise BadData(f"{where} is not a comma-separated table ({error})") from error


def _first_two(source: Source, separator: str, where: str) -> list[list[str]]:
    """The first two lines that are not empty, or the only one, each as its fields."""
    try:
        with (
            open_text(source, encoding="utf-8-sig", newline="")
            if isinstance(source, Path)
            else io.TextIOWrapper(io.BytesIO(source), encoding="utf-8-sig", newline="")
        ) as file:
            lines = list(islice(filter(None, csv.reader(file, delimiter=separator)), 2))
    except OSError as error:
        raise BadData(f"cannot read {where}: {reason(error)}") from error
    except UnicodeDecodeError as error:
        raise BadData(f"{where} is not UTF-8 text (byte {error.object[error.start]:#04x}); save it as CSV in UTF-8") from error
    if not lines:
        raise BadData(f"{where}: the file is empty, no rows and no names of columns")
    return lines


def _parsed(source: Source, names: list[str], separator: str, where: str, *, headed: bool, text: bool) -> tuple[pa.Table, str]:
    """All rows, and the decimal mark of their numbers: a comma where that leaves fewer columns of text.

    Of fields that are left as text it is a comma where some are such numbers.
    """
    called = names if headed else [f"f{place}" for place in range(len(names))]  # as Arrow calls them
    decimal = "."
    table = _rows(source, called, separator, where, headed=headed, text=text)
    if separator == ";" and not text and _texts(table):
        other = _rows(source, called, separator, where, headed=headed, decimal=",")
        if _texts(other) < _texts(table):
            table, decimal = other, ","
    if separator == ";" and text and any(_has_decimal_commas(column) for column in table.columns):
        decimal = ","
    return _without_percents(table, where, separator, text=text), decimal


def _without_percents(table: pa.Table, where: str, separator: str, *, text: bool) -> pa.Table:
    """Columns of percentages ("62.5%") as fractions."""
    found = []
    for place, (name, kind) in enumerate(zip(table.column_names, table.schema.types, strict=True)):
        column = table.column(place)
        if not pa.types.is_string(kind) or not len(column) or not pc.all(pc.match_substring_regex(column, _PERCENT)).as_py():
            continue
        numbers = pc.replace_substring_regex(column, r"\s*%\s*$", "")
        if pc.any(pc.match_substring(numbers, ",")).as_py():
            if separator != ";":
                continue  # of thousands or of decimals: nobody knows
            numbers = pc.replace_substring(numbers, ",", ".")
        fractions = pc.divide(pc.utf8_trim_whitespace(numbers).cast(pa.float64()), 100.0)
        table = table.set_column(place, name, fractions.cast(pa.string()) if text else fractions)
        found.append(f"'{name}'")
    if found:
        _notice(where, f"percentages in {', '.join(found)} are read as fractions", "write fractions without percent signs")
    return table


def _has_decimal_commas(column: pa.ChunkedArray) -> bool:
    return pa.types.is_string(column.type) and bool(
        pc.any(pc.match_substring_regex(column, f"^{_NUMBER_WITH_COMMA.pattern}$")).as_py()
    )


def _texts(table: pa.Table) -> int:
    return sum(pa.types.is_string(kind) for kind in table.schema.types)


def _rows(
    source: Source, names: list[str], separator: str, where: str, *, headed: bool, decimal: str = ".", text: bool = False
) -> pa.Table:
    """The table as it stands in the file; where it is not headed the first line is a row too."""
    try:
        table = arrow_csv.read_csv(
            source if isinstance(source, Path) else pa.BufferReader(source),
            read_options=arrow_csv.ReadOptions(autogenerate_column_names=not headed),
            parse_options=arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(decimal_point=decimal, column_types=_types(names, text=text)),
        )
    except OSError as error:
        raise BadData(f"cannot read {where}: {reason(error)}") from error
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise BadData(_what_is_wrong(error, separator, where)) from error
    if not text and "sample_id" in table.column_names:
        place = table.column_names.index("sample_id")
        table = table.set_column(place, "sample_id", _whole(table.column(place)))
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        if pa.types.is_binary(kind):
            raise BadData(f"{where}: column {name!r} is not UTF-8 text; save the file as CSV in UTF-8")
    return table


def _whole(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Ids as integers where all of them are integers as they are written, or whole numbers as pandas writes them ("7.0")."""
    if not pa.types.is_string(ids.type) or not len(ids) or ids.null_count:
        return ids
    written = pc.replace_substring_regex(ids, r"\.0+$", "")
    if not pc.all(pc.match_substring_regex(written, r"^(0|-?[1-9][0-9]*)$")).as_py():
        return ids
    for kind in (pa.int64(), pa.uint64()):
        with suppress(pa.ArrowInvalid):
            return written.cast(kind)
    return ids


def _types(names: Collection[str], *, text: bool) -> dict[str, pa.DataType]:
    """Columns that are read as text: all, or those whose names say that they name rows, which floating point would blur."""
    return {name: pa.string() for name in names if text or name == "sample_id"}


def _what_is_wrong(error: Exception, separator: str, where: str) -> str:
    """In one line."""
    said = str(error)
    if isinstance(error, UnicodeDecodeError) or "invalid UTF8" in said:
        return f"{where} is not UTF-8 text; save it as CSV in UTF-8"
    no_table = f"{where} is not a {SEPARATORS[separator]}-separated table"
    ragged = _RAGGED.search(said)
    if ragged is None:
        return f"{no_table} ({' '.join(said.split())[:200]})"
    start = repr(ragged["row"][:40])
    if ragged["row"].count('"') % 2:
        return f"{no_table} (a quotation mark is not closed in the row {start})"
    counts = f"{ragged['found']} and not {ragged['expected']}"
    return f"{where}: a row has another number of fields than the first line, {counts}: {start}"


def _without_index(table: CsvTable, wanted: Collection[str], where: str, *, named: bool, dropped: int = 0) -> CsvTable:
    """The table without the first columns in which pandas or R wrote an index.

    Args:
        table: as it was read.
        wanted: columns that were asked for by name.
        where: the file.
        named: whether something else names the rows.
        dropped: columns that were left out before.

    Raises:
        BadData: a column without a name that is no count of the rows, where nothing else names them.
    """
    columns = table.columns
    names = columns.column_names
    if not table.headed:
        counts = len(names) > 1 and _count_rows(columns.column(0), LEAST_TO_COUNT)
        if counts:
            _notice(where, "its first column counts the rows and is left out", "leave it out")
            return replace(table, columns=columns.remove_column(0))
        return table
    nameless = [name for name in names if _NO_NAME.fullmatch(name) and name not in wanted]
    if names[0] in nameless and len(names) > 1 and (named or _count_rows(columns.column(0), 1)):
        return _without_index(replace(table, columns=columns.remove_column(0)), wanted, where, named=named, dropped=dropped + 1)
    if nameless:
        raise BadData(
            f"{where}: column {names.index(nameless[0]) + 1 + dropped} has no name; call it sample_id if it names the rows "
            "(pandas: to_csv(…, index_label='sample_id')), leave it out if it does not (index=False)"
        )
    if names[0] == "index" and "index" not in wanted and len(names) > 1 and _count_rows(columns.column(0), LEAST_TO_COUNT):
        _notice(where, "its first column, 'index', counts the rows and is left out", "leave it out, or write --id-column index")
        return replace(table, columns=columns.remove_column(0))
    return table


def _count_columns(names: list[str]) -> bool:
    return any(names == [str(first + k) for k in range(len(names))] for first in (0, 1))


def _count_rows(column: pa.ChunkedArray, least: int) -> bool:
    """Whether a column of so many whole numbers at least counts its rows, from 0 or from 1."""
    if pa.types.is_string(column.type):
        numbers = [column.to_pylist()] if len(column) >= least else []
        return any(found == [str(first + i) for i in range(len(found))] for found in numbers for first in (0, 1))
    if not pa.types.is_integer(column.type) or column.null_count or len(column) < least:
        return False
    values = column.to_numpy()
    return bool(values[0] in {0, 1} and (np.diff(values) == 1).all())


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _notice(where: str, what: str, instead: str) -> None:
    warnings.warn(Guessed(where, what, instead), stacklevel=4)
