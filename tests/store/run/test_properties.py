"""Readers of files: what was written comes back in every format, and no bytes whatever make them do worse than refuse."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stabaudit.errors import StabauditError
from stabaudit.store.files.safetensors_file import read_weights, write_weights
from stabaudit.store.run.evaluation import Evaluation, read_evaluation, write_evaluation
from stabaudit.store.run.history import read_history, write_history
from stabaudit.store.run.latents import Latents, read_latents, write_latents
from stabaudit.store.run.latents_stream import iter_latents, read_header
from stabaudit.store.run.manifest import read_manifest

few = settings(deadline=None, derandomize=True, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
pytestmark = pytest.mark.filterwarnings("ignore:Reading `.npy` or `.npz` file required additional header parsing")


@pytest.fixture(scope="module")
def place():
    """A folder for the files of all examples."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@st.composite
def tables(draw):
    """Names and values of a few rows, all numbers that float32 has."""
    n, d = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    number = st.floats(width=32, allow_nan=False, allow_infinity=False)
    values = draw(st.lists(number, min_size=n * d, max_size=n * d))
    names = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1, max_size=8)
    ids = draw(st.lists(st.integers(-(2**63), 2**63 - 1) | names, min_size=n, max_size=n, unique_by=str))
    if not all(isinstance(name, int) for name in ids):
        ids = [f"n{name}" for name in ids]
    return np.array(ids), np.array(values, dtype=np.float32).reshape(n, d)


def save_parquet(path, ids, values):
    pq.write_table(pa.table({"sample_id": ids.tolist()} | {f"z{k}": column for k, column in enumerate(values.T)}), path)


def save_csv(path, ids, values):
    from csv import QUOTE_NONNUMERIC, writer

    with path.open("w", encoding="utf-8", newline="") as file:
        rows = writer(file, quoting=QUOTE_NONNUMERIC)
        rows.writerow(["sample_id", *(f"z{k}" for k in range(values.shape[1]))])
        rows.writerows([name, *map(float, row)] for name, row in zip(ids.tolist(), values, strict=True))


SAVERS = {
    "own.parquet": lambda path, ids, values: write_latents(path, Latents(ids, values)),
    "other.parquet": save_parquet,
    "z.npz": lambda path, ids, values: np.savez(path, z=values, sample_id=ids),
    "z.npy": lambda path, _, values: np.save(path, values),
    "z.csv": save_csv,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAVERS)
@few
@given(table=tables())
def test_latents_come_back_from_every_format(place, name, table):
    ids, values = table
    SAVERS[name](place / name, ids, values)
    read = read_latents(place / name)
    np.testing.assert_array_equal(read.mean, values)
    if name == "z.npy":
        assert read.ids_by_position
    else:
        np.testing.assert_array_equal(read.sample_id, ids)


@pytest.mark.slow
@few
@given(table=tables(), labelled=st.booleans())
def test_tables_of_a_run_come_back(place, table, labelled):
    ids, values = table
    labels = np.arange(len(ids)) if labelled else None
    write_evaluation(place / "e.parquet", Evaluation(ids, labels, u=values, sources=values[:, :1]))
    rows = read_evaluation(place / "e.parquet")
    for read, written in ((rows.sample_id, ids), (rows.u, values), (rows.sources, values[:, :1]), (rows.label, labels)):
        np.testing.assert_array_equal(read, written)
    columns = {f"kl {k}": column for k, column in enumerate(values.T)}
    write_history(place / "h.parquet", columns)
    write_weights(place / "w.safetensors", columns)
    for read in (read_history(place / "h.parquet"), read_weights(place / "w.safetensors")):
        assert list(read) == list(columns)
        for name, column in columns.items():
            np.testing.assert_array_equal(read[name], column)


READERS = {
    "a.parquet": [read_latents, read_header, read_history, read_evaluation, lambda path: list(iter_latents(path))],
    "a.npy": [read_latents],
    "a.npz": [read_latents],
    "a.csv": [read_latents],
    "a.h5ad": [read_latents],
    "a.safetensors": [read_weights],
    "run.json": [lambda path: read_manifest(path.parent)],
}


def require_read_or_refused(path, content):
    path.write_bytes(content)
    for read in READERS[path.name]:
        said = refusal(path, read)
        assert said is None or (path.name in said and "\n" not in said)


def refusal(path, read):
    """What is said of a file that cannot be read; None where it can. Any other error than ours is a defect."""
    try:
        read(path)
    except StabauditError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", READERS)
@few
@given(content=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused_in_one_line(place, name, content):
    require_read_or_refused(place / name, content)


@pytest.fixture(scope="module")
def whole(place, manifest):
    """A good file of each kind."""
    values = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    write_latents(place / "a.parquet", Latents(np.arange(9), values, values))
    np.save(place / "a.npy", values)
    np.savez(place / "a.npz", z=values)
    save_csv(place / "a.csv", np.arange(9), values)
    write_weights(place / "a.safetensors", {"w": values})
    (place / "run.json").write_text(json.dumps(json.loads(manifest().model_dump_json()) | {"schema_version": 1}))
    return {name: (place / name).read_bytes() for name in READERS if name != "a.h5ad"}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in READERS if name != "a.h5ad"])
@few
@given(data=st.data())
def test_damaged_files_are_read_or_refused_in_one_line(place, whole, name, data):
    content = bytearray(whole[name])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(start + 9, len(content))))
        content[start:end] = data.draw(st.binary(max_size=9))
    require_read_or_refused(place / name, bytes(content))
