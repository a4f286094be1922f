"""Tables in Feather files, which are Arrow's own format (version 2), as pandas, Polars and R write them."""

from pathlib import Path

import pyarrow as pa
from pyarrow import feather

from stabaudit.errors import BadData
from stabaudit.store.files.arrow_size import MAGIC, inflated_bytes
from stabaudit.store.files.atomic import reason, shown
from stabaudit.store.files.memory import require_memory
from stabaudit.store.files.regular import open_regular


def read_feather(path: Path) -> pa.Table:
    """All of a Feather file.

    Raises:
        BadData: a missing file, one that is not Feather, is cut short or damaged, or would not fit into memory.
    """
    try:
        with open_regular(path) as file:
            if file.read(len(MAGIC)) == MAGIC:  # version 1 compresses nothing
                require_memory(inflated_bytes(file), f"{shown(path)}: what it holds")
            file.seek(0)
            table = feather.read_table(file)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error
        cause = " ".join(str(error).split())[:200]
        raise BadData(f"{shown(path)} is damaged, cut short or not Feather ({cause}); restore it or write it anew") from error
    return table
