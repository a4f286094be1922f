"""Tables of latents that other programs wrote as `.csv`, `.npy` or `.npz`."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from stabaudit.errors import BadData
from stabaudit.store.files import reason, shown
from stabaudit.store.numpy_files import load_npy, load_npz

Array = NDArray[Any]


def read_csv(path: Path) -> pa.Table:
    """A comma-separated table; its first line names the columns unless it is all numbers.

    Raises:
        BadData: a missing file, or one that is no such table.
    """
    try:
        table = arrow_csv.read_csv(path)
        if all(_is_number(name) for name in table.column_names):
            table = arrow_csv.read_csv(path, read_options=arrow_csv.ReadOptions(autogenerate_column_names=True))
    except OSError as error:
        raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error
    except (pa.ArrowException, UnicodeDecodeError) as error:
        cause = " ".join(str(error).split())[:200]
        raise BadData(f"{shown(path)} is not a comma-separated table ({cause})") from error
    return table


def read_numpy(path: Path) -> tuple[Array, Array | None]:
    """An array of shape (n, d), and the `sample_id` of its rows, shape (n,), where an `.npz` file holds one beside it.

    Raises:
        BadData: a missing or damaged file, no array `z` among several, or another shape or type.
    """
    arrays = {"z": load_npy(path)} if path.suffix.lower() == ".npy" else load_npz(path)
    ids = arrays.pop("sample_id", None)
    if "z" not in arrays and len(arrays) != 1:
        found = ", ".join(sorted(arrays)) or "nothing"
        raise BadData(f"{shown(path)} holds {found}; expected the latents under the key 'z', or a single array")
    values = arrays["z"] if "z" in arrays else next(iter(arrays.values()))
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise BadData(f"{shown(path)}: {values.dtype} of shape {values.shape}, expected numbers of shape (n, d)")
    if ids is not None and (ids.shape != values.shape[:1] or ids.dtype.kind not in "iuU"):
        raise BadData(
            f"{shown(path)}: sample_id is {ids.dtype} of shape {ids.shape}, expected integers or text of shape ({len(values)},)"
        )
    return values, ids


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
