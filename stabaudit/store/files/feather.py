"""Tables in Arrow's own format: files (Feather version 2, `.arrow`, `.ipc`) as pandas, Polars and R write them, and streams.

A stream is what Hugging Face's `datasets` keep in `.arrow` files. What a file is its first bytes say, not its name.
"""

from pathlib import Path

import pyarrow as pa
from pyarrow import feather

from stabaudit.errors import BadData
from stabaudit.store.files.arrow_size import MAGIC, MARK, inflated_bytes, streamed_bytes
from stabaudit.store.files.atomic import reason, shown
from stabaudit.store.files.memory import require_memory
from stabaudit.store.files.regular import open_regular

SUFFIXES = (".feather", ".arrow", ".ipc")


def read_feather(path: Path) -> pa.Table:
    """All of an Arrow file or stream.

    Raises:
        BadData: a missing file, one that is not Arrow's, is cut short or damaged, or would not fit into memory.
    """
    try:
        with open_regular(path) as file:
            begins = file.read(len(MAGIC))
            streamed = begins.startswith(MARK)
            if streamed or begins == MAGIC:  # version 1 of Feather compresses nothing
                require_memory(streamed_bytes(file) if streamed else inflated_bytes(file), f"{shown(path)}: what it holds")
            file.seek(0)
            table = pa.ipc.open_stream(file).read_all() if streamed else feather.read_table(file)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error
        cause, what = " ".join(str(error).split())[:200], "Arrow" if path.suffix.lower() in SUFFIXES[1:] else "Feather"
        raise BadData(f"{shown(path)} is damaged, cut short or not {what} ({cause}); restore it or write it anew") from error
    return table
