"""Folders that hold one table in parts, as Spark, Dask, pyarrow, pandas and Hugging Face's `datasets` write them.

A folder of files has always meant restarts, one a file. It is the parts of one table where its writer has left a mark:

1. a file `_SUCCESS`, `_metadata` or `_common_metadata`, or `dataset_info.json` and `state.json` (`Dataset.save_to_disk`);
2. a name of its own that ends in `.parquet`;
3. files that are all called `part-0…`, `part.0.…` or `…-00000-of-00003…`;
4. folders `key=value`, one below another (Hive), unless the key is `seed` or `restart`: these are restarts.

The option `--folder` says it where nothing does, or otherwise. Rows are those of the parts in the order of their paths, numbers
by size. A key is no dimension; of keys only `label` is kept, as the class of the rows.
"""

import hashlib
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa

from stabaudit.errors import BadData, Guessed, are, counted
from stabaudit.store.files import parquet
from stabaudit.store.files.atomic import reason, sha256, shown
from stabaudit.store.files.feather import read_feather
from stabaudit.store.files.memory import require_memory
from stabaudit.store.files.natural_order import natural
from stabaudit.store.imports.foreign_files import Folder, Naming

ENDINGS = (".parquet", ".arrow")
_MARKS = ("_SUCCESS", "_metadata", "_common_metadata")
_SAVED = {"dataset_info.json", "state.json"}
_PART = re.compile(r"part[-.]\d+.*|.*-\d{5,}-of-\d{5,}.*")
_KEY = re.compile(r"([^=]+)=(.*)")
_OF_RESTARTS = {"seed", "restart"}
_DEEPEST = 8  # folders below one another
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Part:
    """A file of a table, and the class of its rows where the folders above it say that."""

    path: Path
    label: str | None = None


def looks_like_a_table(folder: Path) -> str | None:
    """What shows that a folder holds one table in parts; None where nothing does.

    Raises:
        BadData: a folder that cannot be read.
    """
    with _readable(folder):
        names = {entry.name for entry in folder.iterdir()}
    files, below = _entries(folder)
    keys = {_key(one) for one in below}
    if (not files and not below) or keys & _OF_RESTARTS:
        return None
    shown_by = {
        f"it holds {', '.join(mark for mark in _MARKS if mark in names)}": not names.isdisjoint(_MARKS),
        "it was saved by datasets": names >= _SAVED,
        "its name ends in .parquet": folder.suffix.lower() == ".parquet",
        f"its files are called {files[0].name if files else ''}, …": not below
        and all(_PART.fullmatch(one.name) for one in files),
        f"its folders are called {below[0].name if below else ''}, …": not files and all(keys) and any(map(_parts, below)),
    }
    return next((why for why, found in shown_by.items() if found), None)


def restarts_below(folder: Path, said: Folder | None = None) -> list[Path]:
    """Folders in a folder that each hold one table, in the order of their numbers.

    Args:
        folder: of which they are part.
        said: what the user says that folders hold; where it is restarts, every folder with tables is one.

    Raises:
        BadData: a folder that cannot be read.
    """
    with _readable(folder):
        below = [one for one in folder.iterdir() if one.is_dir() and not one.name.startswith((".", "_"))]
    found = [one for one in below if said == "restarts" or _key(one) in _OF_RESTARTS or looks_like_a_table(one) is not None]
    return sorted((one for one in found if _parts(one)), key=lambda one: natural(one.name))


def parts_of(path: Path) -> tuple[Part, ...]:
    """The files of a table: those in a folder and in the folders `key=value` below it, or the file itself.

    Raises:
        BadData: a folder without any, with files of several kinds, or that cannot be read.
    """
    if not path.is_dir():
        return (Part(path),)
    found = tuple(_parts(path))
    endings = sorted({part.path.suffix.lower() for part in found})
    if len(endings) != 1:
        held = f"{' and '.join(endings)} files" if endings else f"no {' or '.join(ENDINGS)} files"
        raise BadData(f"{shown(path)} holds {held}; expected the parts of one table, of one kind")
    return found


def is_parquet(path: Path) -> bool:
    """Whether a file or a folder holds a table in Parquet, which can be streamed."""
    return parts_of(path)[0].path.suffix.lower() == ".parquet"


def say_so(path: Path, naming: Naming) -> None:
    """Say that a folder is taken for one table, where the user has not."""
    if path.is_dir() and naming.folder is None:
        parts, why = parts_of(path), looks_like_a_table(path)
        because = "" if why is None else f" ({why})"
        said = f"its {counted(len(parts), 'file')} {are(len(parts))} taken for one table{because}"
        warnings.warn(Guessed(shown(path), said, "write --folder table, or --folder restarts for a restart a file"), stacklevel=4)


def read_folder(path: Path) -> pa.Table:
    """All rows of a table in parts.

    Raises:
        BadData: a part that cannot be read or has other columns than the first, or more than fits into memory.
    """
    parts, where = parts_of(path), shown(path)
    if is_parquet(path):
        needed = 0
        for part in parts:
            with parquet.opened(part.path) as file:
                needed += parquet.bytes_of(file)
        require_memory(needed, f"{where}: its {counted(len(parts), 'file')}")
    tables: list[pa.Table] = []
    for part in parts:
        table = _labelled(_read(part.path), part)
        names = tables[0].column_names if tables else table.column_names
        require_columns(table.schema, names, shown(part.path))
        tables.append(table.select(names))
    return concatenated(tables, where)


def concatenated(tables: list[pa.Table], where: str) -> pa.Table:
    """Tables below one another.

    Raises:
        BadData: where one has other columns than the first.
    """
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise BadData(f"{where}: its parts do not fit together ({' '.join(str(error).split())[:200]})") from error


def blocks(path: Path, rows: int, wanted: list[str], buffer: int) -> Iterator[pa.Table]:
    """A table in Parquet as blocks of `rows` rows, the last one smaller, across its parts and their row groups.

    Args:
        path: a file or a folder.
        rows: of a block.
        wanted: names of columns.
        buffer: bytes of a column read at a time.

    Raises:
        BadData: a part that is damaged or has other columns.
    """
    held: list[pa.Table] = []
    count = 0
    for part in parts_of(path):
        with parquet.opened(part.path, buffer=buffer) as file:
            require_columns(file.schema_arrow, wanted, shown(part.path))
            for batch in file.iter_batches(batch_size=rows, columns=wanted):
                held.append(pa.Table.from_batches([batch]))
                count += batch.num_rows
                while count >= rows:
                    whole = held[0] if len(held) == 1 else concatenated(held, shown(path))
                    yield whole.slice(0, rows)
                    count -= rows
                    held = [whole.slice(rows)] if count else []
    if count:
        yield concatenated(held, shown(path))


def require_columns(schema: pa.Schema, wanted: list[str], where: str) -> None:
    """Refuse a part that lacks a column.

    Raises:
        BadData: naming it.
    """
    missing = [name for name in wanted if name not in schema.names]
    if missing:
        raise BadData(f"{where} lacks column {missing[0]!r}, which other parts of the table have; write the table anew")


def digest(path: Path) -> str:
    """SHA-256 of a file; of a folder, that of the names of its parts and their own.

    Raises:
        OSError: what cannot be read.
    """
    if not path.is_dir():
        return sha256(path)
    lines = "".join(f"{part.path.relative_to(path).as_posix()}\0{sha256(part.path)}\n" for part in parts_of(path))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def bytes_on_disk(path: Path) -> int:
    """The size of a file, or of all parts of a table.

    Raises:
        OSError: what cannot be looked at.
    """
    return sum(part.path.stat().st_size for part in parts_of(path))


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files of tables, and folders; what begins with a dot or an underscore is neither, as for all who write such folders."""
    with _readable(folder):
        visible = [one for one in folder.iterdir() if not one.name.startswith((".", "_"))]
        below = sorted((one for one in visible if one.is_dir()), key=lambda one: natural(one.name))
    files = sorted((one for one in visible if one.suffix.lower() in ENDINGS), key=lambda one: natural(one.name))
    return [one for one in files if one not in below], below


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """Say in one line that a folder cannot be read.

    Raises:
        BadData: saying why.
    """
    try:
        yield
    except OSError as error:
        raise BadData(f"cannot read {shown(folder)}: {reason(error)}") from error


def _parts(folder: Path, label: str | None = None, depth: int = 0) -> list[Part]:
    files, below = _entries(folder)
    found = [Part(file, label) for file in files]
    if depth == _DEEPEST:
        return found
    for one in below:
        key = _key(one)
        if key is not None:
            found += _parts(one, _value(one) if key == "label" else label, depth + 1)
    return found


def _key(folder: Path) -> str | None:
    match = _KEY.fullmatch(folder.name)
    return None if match is None else unquote(match[1])


def _value(folder: Path) -> str:
    value = unquote(folder.name.partition("=")[2])
    return "" if value == _NO_VALUE else value


def _read(path: Path) -> pa.Table:
    return parquet.read_table(path) if path.suffix.lower() == ".parquet" else read_feather(path)


def _labelled(table: pa.Table, part: Part) -> pa.Table:
    if part.label is None or "label" in table.column_names:
        return table
    return table.append_column("label", pa.repeat(part.label, table.num_rows))
