"""dSprites and 3D Shapes from small files in their formats; damage and lies are one clear line, and nothing is unpickled."""

import hashlib
import importlib.util
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest

from stabaudit.data import dsprites, shapes3d
from stabaudit.data.load import load_dataset
from stabaudit.data.published_files import DataFolder
from stabaudit.errors import BadData, UsageError

spec = importlib.util.spec_from_file_location("factor_files", Path(__file__).parent / "factor_files.py")
files = importlib.util.module_from_spec(spec)
spec.loader.exec_module(files)


def loaded(name, folder, **options):
    return load_dataset(name, options, DataFolder(folder, unchecked=True))


def rows_of(dataset):
    """Both splits, by the number of the row in the file."""
    return {int(one): (split, at) for split in (dataset.train, dataset.evaluation) for at, one in enumerate(split.sample_id)}


def test_dsprites_rows_are_those_of_the_file_and_metadata_is_never_opened(tmp_path):
    files.write_dsprites(tmp_path)
    dataset, arrays = loaded("dsprites", tmp_path), files.dsprites_arrays()
    assert dataset.likelihood == "bernoulli"
    assert dataset.source_names == ("shape", "scale", "orientation", "x", "y")
    found = rows_of(dataset)
    assert sorted(found) == list(range(48))
    assert (len(dataset.train), len(dataset.evaluation)) == (36, 12)
    for row, (split, at) in found.items():
        assert np.array_equal(split.x[at, 0], arrays["imgs"][row])
        assert split.sources[at].tolist() == pytest.approx(arrays["latents_values"][row, 1:].tolist())
        assert split.labels[at] == split.u[at].argmax() == arrays["latents_values"][row, 1] - 1


def test_3dshapes_rows_are_those_of_the_file(tmp_path):
    files.write_shapes3d(tmp_path)
    dataset, arrays = loaded("3dshapes", tmp_path), files.shapes3d_arrays()
    assert dataset.likelihood == "logistic"
    assert dataset.source_names == ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
    found = rows_of(dataset)
    assert sorted(found) == list(range(64))
    for row, (split, at) in found.items():
        assert np.array_equal(split.x[at], arrays["images"][row].transpose(2, 0, 1) / np.float32(255))
        assert split.sources[at].tolist() == pytest.approx(arrays["labels"][row].tolist())
        assert split.labels[at] == arrays["labels"][row, 4]


@pytest.mark.parametrize(("name", "write"), [("dsprites", files.write_dsprites), ("3dshapes", files.write_shapes3d)])
def test_a_random_part_of_the_rows(name, write, tmp_path):
    write(tmp_path)
    part = loaded(name, tmp_path, rows="20")
    assert len(rows_of(part)) == len(part.train) + len(part.evaluation) == 20
    assert rows_of(part).keys() == rows_of(loaded(name, tmp_path, rows="20")).keys()
    assert rows_of(part).keys() != rows_of(loaded(name, tmp_path, rows="20", split_seed="1")).keys()
    whole = rows_of(loaded(name, tmp_path))
    for row, (split, at) in rows_of(part).items():
        other, there = whole[row]
        assert np.array_equal(split.x[at], other.x[there])


def test_blocks_of_rows(tmp_path, monkeypatch):
    files.write_dsprites(tmp_path)
    files.write_shapes3d(tmp_path)
    before = [loaded(name, tmp_path, rows="30").fingerprint for name in ("dsprites", "3dshapes")]
    monkeypatch.setattr("stabaudit.store.files.numpy_files._BLOCK", 7 * 64 * 64)
    monkeypatch.setattr("stabaudit.data.shapes3d.BLOCK", 7)
    assert [loaded(name, tmp_path, rows="30").fingerprint for name in ("dsprites", "3dshapes")] == before


VALUES = files.dsprites_arrays()["latents_values"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"imgs": None}, "holds no array 'imgs'"),
        ({"latents_values": None}, "holds no latents_values"),
        ({"latents_values": VALUES[:, :4]}, "latents_values of shape (48, 4)"),
        ({"latents_values": np.where(VALUES == 3.0, 7.0, VALUES)}, "is the shape, expected 1 to 3"),
        ({"latents_values": np.array([[{}] * 6] * 48)}, "holds Python objects, which are never unpickled"),
        ({"imgs": np.zeros((47, 64, 64), np.uint8)}, "expected 48 rows"),
        ({"imgs": np.zeros((48, 32, 32), np.uint8)}, "expected bytes 0 and 1"),
        ({"imgs": np.full((48, 64, 64), 2, np.uint8)}, "expected bytes 0 and 1"),
        ({"imgs": np.zeros((48, 64, 64))}, "expected bytes 0 and 1"),
        ({"imgs": np.asfortranarray(np.zeros((48, 64, 64), np.uint8))}, "column by column"),
        ({"imgs": np.array([[[files.Boom()]]] * 48)}, "holds Python objects, which are never unpickled"),
    ],
)
def test_a_wrong_dsprites_file_is_one_line(changed, said, tmp_path):
    files.write_dsprites(tmp_path, **changed)
    with pytest.raises(BadData) as refused:
        loaded("dsprites", tmp_path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


LABELS = files.shapes3d_arrays()["labels"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"images": None}, "no 'images' in /"),
        ({"labels": LABELS[:, :5]}, "images has shape (64, 64, 64, 3) of uint8, labels (64, 5)"),
        ({"labels": np.where(LABELS == 3.0, 9.0, LABELS)}, "is the shape, expected 0 to 3"),
        ({"images": np.zeros((64, 64, 64, 3))}, "expected bytes"),
        ({"images": np.zeros((0, 64, 64, 3), np.uint8), "labels": np.zeros((0, 6))}, "n ≥ 1"),
        ({"labels": np.full((64, 6), b"x")}, "expected bytes"),
    ],
)
def test_a_wrong_3dshapes_file_is_one_line(changed, said, tmp_path):
    files.write_shapes3d(tmp_path, **changed)
    with pytest.raises(BadData) as refused:
        loaded("3dshapes", tmp_path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_hdf5_that_points_elsewhere_or_promises_too_much_is_refused(tmp_path):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["images"] = files.shapes3d_arrays()["images"]
    for links in (h5py.ExternalLink(other, "/images"), h5py.SoftLink("/elsewhere")):
        files.write_shapes3d(tmp_path, images=None)
        with h5py.File(tmp_path / shapes3d.FILE, "a") as file:
            file["images"] = links
        with pytest.raises(BadData, match="is a link to elsewhere, which is not followed"):
            loaded("3dshapes", tmp_path)
    files.write_shapes3d(tmp_path, images=None)
    with h5py.File(tmp_path / shapes3d.FILE, "a") as file:
        file.create_dataset("images", (64, 64, 64, 3), np.uint8, chunks=(1, 64, 64, 3))  # nothing is stored
    with pytest.raises(BadData, match="the file holds 0"):
        loaded("3dshapes", tmp_path)


@pytest.mark.parametrize(
    ("name", "write", "file"),
    [("dsprites", files.write_dsprites, dsprites.FILE), ("3dshapes", files.write_shapes3d, shapes3d.FILE)],
)
def test_damage_anywhere_is_one_line_or_nothing(name, write, file, tmp_path):
    write(tmp_path)
    path = tmp_path / file
    content = bytearray(path.read_bytes())
    for cut in (0, 10, len(content) // 2, len(content) - 30):
        path.write_bytes(content[:cut])
        with pytest.raises(BadData):
            loaded(name, tmp_path)
    rng = np.random.default_rng(0)
    for _ in range(20):
        spoilt = bytearray(content)
        spoilt[rng.integers(len(spoilt))] ^= 1 << int(rng.integers(8))
        path.write_bytes(spoilt)
        with suppress(BadData):  # and nothing else
            loaded(name, tmp_path)


def test_files_are_looked_for_and_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("STABAUDIT_DATA", str(tmp_path))
    for name, file in (("dsprites", dsprites.FILE), ("3dshapes", shapes3d.FILE)):
        with pytest.raises(BadData, match=f"dataset {name}: no {file} in"):
            load_dataset(name, {})
    files.write_dsprites(tmp_path)
    with pytest.raises(BadData, match=r"is not the file that was published: git object [0-9a-f]{40}, expected d98996d3"):
        load_dataset("dsprites", {})
    files.write_shapes3d(tmp_path)
    with pytest.raises(BadData, match=r"is not the file that was published: SHA-256 [0-9a-f]{64}, expected 0a0f6ed9"):
        load_dataset("3dshapes", {})
    content = (tmp_path / dsprites.FILE).read_bytes()
    own = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    monkeypatch.setitem(dsprites.DSPRITES.git, dsprites.FILE, own)
    assert len(load_dataset("dsprites", {}).train) == 36


def test_without_h5py_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    files.write_shapes3d(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(UsageError, match=r"is read by h5py: pip install 'stabaudit\[anndata\]'"):
        loaded("3dshapes", tmp_path)
