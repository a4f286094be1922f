"""Lists, parts of a table and ids of another name, streamed, against the same files in memory."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stabaudit.comparison.compare import compare
from stabaudit.comparison.reading import selectors, streaming
from stabaudit.comparison.reading.selectors import read_groups
from stabaudit.comparison.settings import Settings
from stabaudit.errors import BadData, UsageError
from stabaudit.store.files import memory
from stabaudit.store.files.parquet import opened, read_table
from stabaudit.store.imports.foreign_files import AS_IS, Naming
from stabaudit.store.run.latents import read_latents
from stabaudit.store.run.latents_stream import iter_latents, read_header, read_ids

N, D = 1000, 4
SETTINGS = Settings(floor_draws=2, rotations=3, memory=2 * 10**6)
KEY = Naming(key="embedding")
pytestmark = pytest.mark.filterwarnings("ignore::stabaudit.errors.Noticed")


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(selectors, "_BYTES_PER_NUMBER", 10**4)  # so that the files of a test exceed what streaming needs
    monkeypatch.setattr(streaming, "_BLOCK_ROWS", 77)


def latents(seed):
    base = np.random.default_rng(9).laplace(size=(N, D))
    return (base + 0.4 * np.random.default_rng(seed).normal(size=(N, D))).astype(np.float32)


def of_lists(z, kind=None, name="sample_id"):
    return pa.table(
        {name: np.arange(N), "embedding": pa.array(z.tolist(), type=kind or pa.list_(pa.float32())), "x.y": ["text"] * N}
    )


def of_columns(z, name="sample_id"):
    return pa.table({name: np.arange(N), **{f"z{k}": z[:, k] for k in range(D)}})


def in_one(path, table):
    pq.write_table(table, path, row_group_size=130)


def in_parts(path, table):
    path.mkdir()
    for place, start in enumerate(range(0, N, 90)):
        pq.write_table(table.slice(start, 90), path / f"part-{place}.parquet", row_group_size=40)


TENSORS = pa.fixed_shape_tensor(pa.float32(), (D,))
MADE = {
    "lists": (of_lists, in_one, KEY),
    "large lists": (lambda z: of_lists(z, pa.large_list(pa.float64())), in_one, KEY),
    "lists of one size": (lambda z: of_lists(z, pa.list_(pa.float32(), D)), in_one, KEY),
    "nested lists": (lambda z: of_lists(z[:, None], pa.list_(pa.list_(pa.float32()))), in_one, KEY),
    "tensors": (lambda z: of_lists(z).set_column(1, "embedding", pa.FixedShapeTensorArray.from_numpy_ndarray(z)), in_one, KEY),
    "parts": (of_columns, in_parts, AS_IS),
    "parts of lists": (of_lists, in_parts, AS_IS),
    "ids of another name": (lambda z: of_columns(z, "cell"), in_one, Naming(id_column="cell")),
    "by position": (of_columns, in_one, Naming(ids_by_position=True)),
    "lists by position": (lambda z: of_lists(z, name="cell"), in_parts, Naming(ids_by_position=True)),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_what_is_streamed_gives_the_scores_of_what_is_in_memory(name, tmp_path, small_blocks):
    make, write, naming = MADE[name]
    ending = "" if write is in_parts else ".parquet"
    paths = [str(tmp_path / f"r{seed}{ending}") for seed in range(3)]
    for seed, path in enumerate(map(tmp_path.joinpath, paths)):
        write(path, make(latents(seed)))
    whole = compare(read_groups(paths, 10**12, naming), SETTINGS)
    groups = read_groups(paths, SETTINGS.memory, naming)
    assert all(group.streams and not group.latents for group in groups)
    streamed = compare(groups, SETTINGS)
    assert [one.metric for one in streamed.scores] == [one.metric for one in whole.scores]
    for one, other in zip(streamed.scores, whole.scores, strict=True):
        assert one.mean == pytest.approx(other.mean, abs=1e-10)


@pytest.mark.parametrize("name", MADE)
def test_blocks_and_header_are_those_of_the_file(name, tmp_path):
    make, write, naming = MADE[name]
    path = tmp_path / ("r" if write is in_parts else "r.parquet")
    z = latents(0)
    write(path, make(z))
    header, whole = read_header(path, naming), read_latents(path, naming)
    assert (header.rows, header.dimensions, header.ids_by_position) == (N, D, whole.ids_by_position)
    blocks = list(iter_latents(path, 77, naming))
    assert [len(block.mean) for block in blocks] == [77] * (N // 77) + [N % 77]
    np.testing.assert_array_equal(np.concatenate([block.mean for block in blocks]), z)
    np.testing.assert_array_equal(whole.mean, z)
    ids = np.concatenate([block.sample_id for block in blocks])
    np.testing.assert_array_equal(ids, read_ids(path, naming))
    np.testing.assert_array_equal(ids, whole.sample_id)


def test_columns_of_any_name_are_not_streamed_by_position(tmp_path, small_blocks):
    """One of them may name the rows, which is seen in memory alone."""
    for name in "ab":
        in_one(tmp_path / f"{name}.parquet", pa.table({"id": np.arange(N), "x": latents(0)[:, 0]}))
    with pytest.raises(BadData, match=r"by position only columns z0, z1, … or lists are streamed"):
        read_groups([str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")], 10**6, Naming(ids_by_position=True))


def test_lists_of_another_length_in_a_later_part(tmp_path):
    in_parts(tmp_path / "r", of_lists(latents(0)))
    in_one(tmp_path / "r" / "part-11.parquet", of_lists(latents(0)[:, :3]))
    with pytest.raises(BadData, match=r"column 'embedding' holds lists of different lengths, 4 in row 924 and 3 in row 990"):
        list(iter_latents(tmp_path / "r", 77, KEY))


def test_a_key_or_an_id_column_that_is_not_there(tmp_path):
    in_one(tmp_path / "r.parquet", of_lists(latents(0)))
    with pytest.raises(UsageError, match=r"unknown column of .* 'cell'"):
        read_header(tmp_path / "r.parquet", Naming(id_column="cell"))
    with pytest.raises(UsageError, match=r"unknown column of .* 'embed'"):
        read_header(tmp_path / "r.parquet", Naming(key="embed"))


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float32(), D), TENSORS])
def test_a_file_of_lists_is_counted_before_it_is_read(kind, tmp_path, monkeypatch):
    z = np.zeros((N, D), np.float32)  # which packs into next to nothing
    made = pa.FixedShapeTensorArray.from_numpy_ndarray(z) if kind == TENSORS else pa.array(z.tolist(), type=kind)
    path = tmp_path / "r.parquet"
    pq.write_table(pa.table({"other": ["a"] * N, "embedding": made}), path)
    width = 8 if kind == pa.large_list(pa.float64()) else 4
    assert path.stat().st_size < N * D
    monkeypatch.setattr(memory, "memory_limit", lambda: N * D * width)
    with pytest.raises(BadData, match=r"1,000 rows takes .* of memory"):
        read_table(path)
    monkeypatch.setattr(memory, "memory_limit", lambda: N * (D * width + 20))
    assert read_table(path).num_rows == N


def test_parts_are_counted_together(tmp_path, monkeypatch):
    in_parts(tmp_path / "r", of_columns(np.zeros((N, D), np.float32)))
    monkeypatch.setattr(memory, "memory_limit", lambda: N * D * 4)  # each by itself would fit
    with pytest.raises(BadData, match=r"its 12 files takes .* of memory"):
        read_latents(tmp_path / "r")


def test_numbers_of_a_row_are_found_beside_nested_columns(tmp_path):
    """Columns of structs and dotted names before it do not shift which column of the file is read."""
    table = pa.table(
        {
            "a.list": pa.array([1.0] * N),
            "a": pa.array([{"list": [1.0, 2.0], "b": {"c": 1}}] * N),
            "m": pa.array([[("k", 1), ("l", 2)]] * N, type=pa.map_(pa.string(), pa.int64())),
            "embedding": pa.array(latents(0).tolist()),
            "sample_id": np.arange(N),
        }
    )
    in_one(tmp_path / "r.parquet", table)
    assert read_header(tmp_path / "r.parquet", KEY).dimensions == D
    with opened(tmp_path / "r.parquet") as file:
        assert file.metadata.num_columns == 7


@pytest.mark.slow
def test_lists_are_read_without_pandas(tmp_path):
    in_parts(tmp_path / "r", of_lists(latents(0)))
    script = (
        "import sys, warnings; from pathlib import Path; from stabaudit.store.run.latents import read_latents; "
        "warnings.simplefilter('ignore'); print(read_latents(Path(sys.argv[1])).mean.shape, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "r")], capture_output=True, text=True, check=True)
    assert done.stdout == f"({N}, {D}) False\n"
