"""Training of a shard, stopped in the middle: arrays and counters in one safetensors file that carries its own digest.

A checkpoint that cannot be trusted is worth less than none: it is left aside with a message, and the shard begins anew.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import JsonValue
from safetensors import SafetensorError

Array = NDArray[Any]

_LOG = logging.getLogger(__name__)
_LENGTH_BYTES = 8  # in which safetensors says how long its header is


@dataclass(frozen=True)
class Checkpoint:
    """What training needs to go on as if it had never stopped.

    Args:
        arrays: parameters, optimiser, generators, by name.
        state: step, epoch, and whatever else JSON can hold.
    """

    arrays: Mapping[str, Array]
    state: Mapping[str, JsonValue]


def as_bytes(checkpoint: Checkpoint) -> bytes:
    """A checkpoint as it is kept."""
    state = json.dumps(checkpoint.state)
    arrays = {name: np.asarray(values, order="C") for name, values in checkpoint.arrays.items()}
    return safetensors.numpy.save(arrays, metadata={"state": state, "sha256": _digest(arrays, state)})


def parse_checkpoint(content: bytes, called: str) -> Checkpoint | None:
    """The checkpoint that `as_bytes` gave; None where it is damaged, then with a message.

    Args:
        content: what was kept.
        called: what the message says of it.
    """
    try:
        arrays = dict(sorted(safetensors.numpy.load(content).items()))
        length = int.from_bytes(content[:_LENGTH_BYTES], "little")
        metadata = json.loads(content[_LENGTH_BYTES : _LENGTH_BYTES + length]).get("__metadata__", {})
    except (SafetensorError, KeyError, ValueError) as error:  # KeyError: a number type that numpy lacks
        _LOG.warning("%s is damaged (%s); it is left aside and its shard begins anew", called, error)
        return None
    state = metadata.get("state", "")
    if metadata.get("sha256") != _digest(arrays, state):
        _LOG.warning("%s does not match its own digest; it is left aside and its shard begins anew", called)
        return None
    return Checkpoint(arrays, json.loads(state))


def _digest(arrays: Mapping[str, Array], state: str) -> str:
    digest = hashlib.sha256(state.encode())
    for name, values in sorted(arrays.items()):
        digest.update(f"\n{name} {values.dtype.str} {values.shape}\n".encode())
        digest.update(np.asarray(values, order="C").tobytes())
    return digest.hexdigest()
