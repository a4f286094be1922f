"""Training of a shard, stopped in the middle: arrays and counters in one safetensors file that carries its own digest.

A checkpoint that cannot be trusted is worth less than none: it is left aside with a message, and the shard begins anew.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from safetensors import SafetensorError, safe_open

from stabaudit.errors import BadData
from stabaudit.store.files.atomic import shown
from stabaudit.store.files.safetensors_file import read_weights, write_weights

Array = NDArray[Any]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """What training needs to go on as if it had never stopped.

    Args:
        arrays: parameters, optimiser, generators, by name.
        state: step, epoch, and whatever else JSON can hold.
    """

    arrays: Mapping[str, Array]
    state: Mapping[str, JsonValue]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically over the one before.

    Raises:
        BadRun: where it cannot be written; the one before is as it was.
    """
    state = json.dumps(checkpoint.state)
    write_weights(path, checkpoint.arrays, {"state": state, "sha256": _digest(checkpoint.arrays, state)})


def load_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint at a path, or None where there is none or it is damaged (then with a message)."""
    if not path.exists():
        return None
    try:
        arrays = read_weights(path)
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
    except (BadData, SafetensorError, OSError) as error:
        _LOG.warning("%s; the checkpoint is left aside and its shard begins anew", error)
        return None
    state = metadata.get("state", "")
    if metadata.get("sha256") != _digest(arrays, state):
        _LOG.warning("%s does not match its own digest; it is left aside and its shard begins anew", shown(path))
        return None
    return Checkpoint(arrays, json.loads(state))


def _digest(arrays: Mapping[str, Array], state: str) -> str:
    digest = hashlib.sha256(state.encode())
    for name, values in sorted(arrays.items()):
        digest.update(f"\n{name} {values.dtype.str} {values.shape}\n".encode())
        digest.update(np.asarray(values, order="C").tobytes())
    return digest.hexdigest()
