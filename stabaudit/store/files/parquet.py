"""Tables in Parquet: page checksums written and verified, floats split by byte and compressed, no dictionaries.

Without checksums on both sides most flipped bits read back as other numbers. A dictionary (pyarrow's default) only makes
columns of distinct floats larger and slower.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stabaudit.errors import BadData, BadRun, counted
from stabaudit.store.files.atomic import reason, shown, write_atomically
from stabaudit.store.files.lists import leaves, length_in
from stabaudit.store.files.memory import require_memory
from stabaudit.store.files.regular import require_regular

READ_BUFFER = 2**14  # bytes of each column held while a file is read in blocks; whole row groups of ten files take 100 MB more
_WIDTHS = {"BOOLEAN": 0, "INT32": 4, "INT64": 8, "INT96": 12, "FLOAT": 4, "DOUBLE": 8, "BYTE_ARRAY": 4}  # bytes of a value
ROW_GROUP = 65_536  # rows; a reader that streams holds one group of the columns it asked for: 13 MB at 50 float32 columns


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table atomically, and read all of it back with its checksums before it takes its place.

    Raises:
        BadRun: where it cannot be written or does not read back.
    """

    def check(written: Path) -> None:
        with opened(written) as file:
            rows = sum(file.read_row_group(i).num_rows for i in range(file.num_row_groups))
        if rows != table.num_rows:
            read = f"{rows} of {counted(table.num_rows, 'row')}"
            raise BadRun(f"{shown(path)}: {read} read back; check the disk and run the command again")

    write_atomically(path, lambda file: _write(file, table), check)


def _write(file: Any, table: pa.Table) -> None:  # noqa: ANN401 -- any binary file
    pq.write_table(
        table,
        file,
        row_group_size=ROW_GROUP,
        compression="zstd",
        use_dictionary=False,
        use_byte_stream_split=[field.name for field in table.schema if pa.types.is_floating(field.type)],
        write_page_checksum=True,
    )


@contextmanager
def opened(path: Path, *, buffer: int = 0) -> Iterator[pq.ParquetFile]:
    """A Parquet file, open for reading with its page checksums verified.

    Args:
        path: the file.
        buffer: bytes of a column read at a time; 0: all that a row group has of it.

    Raises:
        BadData: a missing file, one that is not Parquet, is cut short or damaged; also while it is read inside the block.
    """
    try:
        require_regular(path)
    except OSError as error:
        raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error
    try:
        # No prefetching: it would hold the raw bytes of whole row groups beside what was decoded from them.
        with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False, buffer_size=buffer) as file:
            # No checksum covers the footer; a flipped bit in the size of a row group would drop rows in silence.
            groups = sum(file.metadata.row_group(i).num_rows for i in range(file.num_row_groups))
            if groups != file.metadata.num_rows:
                raise BadData(
                    f"{shown(path)} is damaged: {counted(groups, 'row')} in its groups, {file.metadata.num_rows} in all"
                )
            yield file
    except OSError as error:
        if error.errno is not None:
            raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error
        raise _damaged(path, error) from error
    except (pa.ArrowException, UnicodeDecodeError, OverflowError) as error:
        raise _damaged(path, error) from error


def read_table(path: Path) -> pa.Table:
    """All of a Parquet file, checksums verified.

    Raises:
        BadData: see `opened`.
    """
    with opened(path) as file:
        require_memory(bytes_of(file), f"{shown(path)}: {counted(file.metadata.num_rows, 'row')}")
        return file.read()


def bytes_of(file: pq.ParquetFile) -> int:
    """What a file takes at least once it is read: columns of numbers and lists of them by their width, others an offset each."""
    bits = sum(field.type.bit_width if pa.types.is_primitive(field.type) else 32 for field in file.schema_arrow)
    in_lists = sum(
        _values(file, leaf) * _WIDTHS.get(column.physical_type, column.length)
        for leaf in range(file.metadata.num_columns)
        if (column := file.schema.column(leaf)).max_repetition_level
    )
    return int(file.metadata.num_rows * bits // 8 + in_lists)


def numbers_per_row(file: pq.ParquetFile, name: str) -> int:
    """How many numbers the lists of a column hold on average, rounded up; told by its header."""
    schema, rows = file.schema_arrow, file.metadata.num_rows
    place = schema.get_field_index(name)
    known = length_in(schema.field(place).type)
    leaf = sum(leaves(schema.field(i).type) for i in range(place))
    return known if known is not None else max(1, math.ceil(_values(file, leaf) / max(1, rows)))


def _values(file: pq.ParquetFile, leaf: int) -> int:
    groups = range(file.metadata.num_row_groups)
    return sum(int(file.metadata.row_group(i).column(leaf).num_values) for i in groups)


def _damaged(path: Path, error: Exception) -> BadData:
    cause = " ".join(str(error).split())[:200]
    return BadData(f"{shown(path)} is damaged, cut short or not Parquet ({cause}); restore it or write it anew")
