"""Named arrays as safetensors, which holds nothing but numbers and text: a restart's weights.

Safetensors has no checksums; `Run.weights` holds the file against the digest in the manifest.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from stabaudit.errors import BadData
from stabaudit.store.files.atomic import reason, shown, write_bytes
from stabaudit.store.files.memory import require_memory
from stabaudit.store.files.regular import read_regular

Array = NDArray[Any]


def write_weights(path: Path, weights: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> None:
    """Write named arrays, and text beside them, atomically.

    Raises:
        BadRun: where the file cannot be written or does not read back.
    """
    # Safetensors copies memory from where an array begins: strides would be lost.
    contiguous = {name: np.asarray(values, order="C") for name, values in weights.items()}
    write_bytes(path, safetensors.numpy.save(contiguous, metadata=dict(metadata or {})))


def read_weights(path: Path) -> dict[str, Array]:
    """Named arrays, sorted by name.

    Raises:
        BadData: a missing or damaged file.
    """
    try:
        require_memory(path.stat().st_size, shown(path))  # nothing in it is compressed
        arrays = safetensors.numpy.load(read_regular(path))
    except OSError as error:
        raise BadData(f"cannot read {shown(path)}: {reason(error)}") from error
    except (SafetensorError, KeyError, ValueError) as error:  # KeyError: a number type that numpy lacks
        raise BadData(f"{shown(path)} is damaged, cut short or not safetensors ({error}); restore it or retrain") from error
    return dict(sorted(arrays.items()))
