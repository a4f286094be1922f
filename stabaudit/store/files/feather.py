"""Tables in Feather files, which are Arrow's own format (version 2), as pandas, Polars and R write them."""

from pathlib import Path

import pyarrow as pa
from pyarrow import feather

from stabaudit.errors import BadData
from stabaudit.store.files.atomic import reason, shown


def read_feather(path: Path) -> pa.Table:
    """All of a Feather file.

    Raises:
        BadData: a missing file, one that is not Feather, is cut short or damaged.
    """
    try:
        table = feather.read_table(path, memory_map=False)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error
        cause = " ".join(str(error).split())[:200]
        raise BadData(f"{shown(path)} is damaged, cut short or not Feather ({cause}); restore it or write it anew") from error
    return table
