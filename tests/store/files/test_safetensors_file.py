"""Named arrays and checkpoints in safetensors."""

import io
import logging
from contextlib import contextmanager

import numpy as np
import pytest
import safetensors.numpy
import torch

from stabaudit.errors import BadData
from stabaudit.store.files.safetensors_file import read_weights, write_weights
from stabaudit.store.run.checkpoint import Checkpoint, as_bytes, parse_checkpoint

RNG = np.random.default_rng(0)
ARRAYS = {
    "layer.weight": RNG.normal(size=(4, 3)).astype(np.float32),
    "layer.transposed": RNG.normal(size=(4, 3)).T,
    "layer.strided": np.arange(10)[::3],
    "scale": np.array(2.5),
    "nothing": np.zeros((0, 3), np.float32),
    "generator": RNG.integers(0, 255, size=5_000).astype(np.uint8),
    "not finite": np.array([np.nan, np.inf]),
}


def assert_same(a, b):
    assert sorted(a) == sorted(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], strict=True)


def test_round_trip(tmp_path):
    path = tmp_path / "a.safetensors"
    write_weights(path, ARRAYS)
    assert_same(read_weights(path), ARRAYS)
    assert_same(safetensors.numpy.load_file(path), ARRAYS)


def test_torch_takes_the_arrays_as_they_come(tmp_path):
    path = tmp_path / "a.safetensors"
    write_weights(path, ARRAYS)
    for array in read_weights(path).values():
        torch.from_numpy(array)  # would warn of an array that cannot be written


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 100, b"\x08" + bytes(7) + b'{"a": 1}'])
def test_garbage_is_refused(tmp_path, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadData, match="not safetensors"):
        read_weights(path)
    with pytest.raises(BadData, match="no such file"):
        read_weights(tmp_path / "b.safetensors")


def test_truncated_files_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    write_weights(path, ARRAYS)
    content = path.read_bytes()
    for keep in np.random.default_rng(0).integers(0, len(content), size=50):
        path.write_bytes(content[:keep])
        with pytest.raises(BadData):
            read_weights(path)


def test_checkpoints_come_back():
    checkpoint = Checkpoint(ARRAYS, {"step": 7, "rate": [1e-3, None], "naïve": "ja"})
    assert parse_checkpoint(b"", "it") is None
    loaded = parse_checkpoint(as_bytes(checkpoint), "it")
    assert loaded is not None
    assert_same(loaded.arrays, ARRAYS)
    assert loaded.state == checkpoint.state


@contextmanager
def said_by_the_log():
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logging.getLogger().addHandler(handler)
    try:
        yield said
    finally:
        logging.getLogger().removeHandler(handler)


def test_no_flipped_bit_of_a_checkpoint_is_trained_on():
    content = as_bytes(Checkpoint(ARRAYS, {"step": 7}))
    for place in np.random.default_rng(0).choice(8 * len(content), size=300, replace=False):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        with said_by_the_log() as said:
            loaded = parse_checkpoint(bytes(damaged), "it")
        if loaded is None:
            assert "left aside and its shard begins anew" in said.getvalue()
        else:  # a blank in the header's JSON
            assert_same(loaded.arrays, ARRAYS)
            assert loaded.state == {"step": 7}
