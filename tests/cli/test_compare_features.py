"""`stabaudit compare --features`: every kind of file, every format of results, and one clear line for what cannot be used."""

import json

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file
from scipy import sparse

from stabaudit.cli.main import _run
from stabaudit.json_schema.schema import json_schema
from stabaudit.store.imports.dictionary_sizes import size_of
from stabaudit.store.imports.foreign_files import AS_IS, Naming

ROWS, D, DIMS = 200, 24, 10
RNG = np.random.default_rng(0)
CODES = np.where(RNG.random((ROWS, D)) < 0.2, RNG.exponential(size=(ROWS, D)), 0.0).astype(np.float32)
CODES[-1] = CODES[-2] = 0.0  # in triplets nothing says that there are such rows
OTHER = CODES[:, RNG.permutation(D)] + np.float32(0.5) * (np.roll(CODES, 1, axis=0) > 0)
OTHER[-1] = 1.0
WEIGHTS = RNG.standard_normal((2, D, DIMS)).astype(np.float32)


def triplets(path, values, **more):
    row, feature = np.nonzero(values)
    columns = {"row": row, "feature": feature.astype(np.int32), "value": values[row, feature]} | more
    pq.write_table(pa.table(columns), path)


SAVE = {
    "npy": np.save,
    "npz": lambda path, values: np.savez(path, values, sample_id=np.arange(len(values))),
    "csr.npz": lambda path, values: sparse.save_npz(path, sparse.csr_array(values)),
    "csc.npz": lambda path, values: sparse.save_npz(path, sparse.csc_matrix(values)),
    "coo.npz": lambda path, values: sparse.save_npz(path, sparse.coo_array(values)),
    "safetensors": lambda path, values: save_file({"acts": np.ascontiguousarray(values), "bias": values[0].copy()}, path),
    "parquet": triplets,
}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def invoke(*words, expected=0):
        assert _run(["compare", "--features", "--floor-draws", "2", *map(str, words)]) == expected
        return capsys.readouterr()

    return invoke


@pytest.fixture
def refused(run):
    def invoke(*words):
        out, err = run(*words, expected=2)
        assert out == ""
        lines = [line for line in err.splitlines() if " error: " in line]
        assert len(lines) == 1, err
        assert not any(word in err for word in ("internal error", "Traceback", "np."))
        return lines[0]

    return invoke


def scores(out):
    return {one["measure"]: one["mean"] for one in json.loads(out)["feature_scores"]}


SLOW = ("csc.npz", "coo.npz")  # read as csr is
KINDS = [pytest.param(kind, marks=pytest.mark.slow) if kind in SLOW else kind for kind in SAVE if kind != "npy"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_gives_the_same_scores(run, kind):
    for name, values in (("a", CODES), ("b", OTHER)):
        np.save(f"{name}.npy", values)
        SAVE[kind](f"{name}.{kind}", values)
    expected = scores(run("a.npy", "b.npy", "--format", "json").out)
    found = run(f"a.{kind}", f"b.{kind}", "--of", "activations", "--format", "json")
    assert scores(found.out) == pytest.approx(expected, abs=1e-5)
    assert 0.5 < expected["matched"] < 1.0


@pytest.mark.parametrize("kind", ["npy", "npz", "csr.npz", "safetensors"])
def test_features_first_is_the_same_turned(run, kind):
    for name, values in (("a", CODES), ("b", OTHER)):
        np.save(f"{name}.npy", values)
        SAVE[kind](f"turned-{name}.{kind}", np.ascontiguousarray(values.T))
    expected = scores(run("a.npy", "b.npy", "--format", "json").out)
    more = ("--dimensions-first", "--ids-by-position", "--of", "activations", "--format", "json")
    assert scores(run(f"turned-a.{kind}", f"turned-b.{kind}", *more).out) == pytest.approx(expected, abs=1e-5)


def bfloat16(path, name, values):
    """A file as torch writes it; numpy has no such type."""
    upper = (values.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    header = json.dumps({name: {"dtype": "BF16", "shape": values.shape, "data_offsets": [0, len(upper)]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + upper)


@pytest.mark.parametrize("turned", [pytest.param(False, marks=pytest.mark.slow), True])
def test_decoder_weights_are_taken_for_such_and_turned_by_their_shape(run, tmp_path, turned):
    for name, values in zip("ab", WEIGHTS, strict=True):
        np.save(f"{name}.npy", values)
        held = {"decoder.weight": np.ascontiguousarray(values.T if turned else values), "encoder.weight": np.eye(3)}
        save_file(held, f"{name}.safetensors")
        bfloat16(tmp_path / f"half-{name}.safetensors", "W_dec", values)
    expected = scores(run("a.npy", "b.npy", "--of", "weights", "--format", "json").out)
    found = run("a.safetensors", "b.safetensors", "--format", "json")
    assert "files are taken for weights; write --of activations if they are" in found.err
    assert scores(found.out) == pytest.approx(expected, abs=1e-6)
    assert scores(run("half-a.safetensors", "half-b.safetensors", "--format", "json").out) == pytest.approx(expected, abs=0.05)
    chosen = scores(run("a.safetensors", "b.safetensors", "--tensor", "encoder.weight", "--format", "json").out)
    assert chosen["matched"] == pytest.approx(1.0)


def test_rows_are_joined_by_their_names(run):
    order = RNG.permutation(ROWS)
    np.savez("a.npz", acts=CODES, name=np.arange(ROWS))
    np.savez("b.npz", acts=CODES[order], name=order)
    out, err = run("a.npz", "b.npz", "--id-column", "name", "--format", "json")
    assert "by position" not in err
    found = scores(out)
    assert found["matched"] == pytest.approx(1.0, abs=1e-6)
    by_position = scores(run("a.npz", "b.npz", "--tensor", "acts", "--ids-by-position", "--format", "json").out)
    assert by_position["matched"] < 0.3
    np.save("c.npy", CODES)
    assert "rows have no names in all files and are joined by position" in run("a.npz", "c.npy", "--tensor", "acts").err


@pytest.mark.slow
def test_json_is_what_the_schema_says(run):
    for name, values in (("a", CODES), ("b", OTHER), ("c", CODES[:, ::-1])):
        np.save(f"{name}.npy", values)
    for words in (("a.npy", "b.npy", "c.npy"), ("a.npy", "b.npy", "--scores", "cka")):
        document = json.loads(run(*words, "--format", "json").out)
        jsonschema.validate(document, json_schema())
        assert {*document} >= {"feature_scores", "feature_pairs", "dictionaries", "matchings", "firing", "parts", "warnings"}


@pytest.mark.slow
def test_tables_never_lack_the_floor_nor_the_interval(run):
    for name, values in (("a", CODES), ("b", OTHER), ("c", CODES[:, ::-1])):
        np.save(f"{name}.npy", values)
    found = run("a.npy", "b.npy", "c.npy")
    assert "strong MCC: matched |correlation|" in found.out
    assert "chance" in found.out
    assert "mean [95%]" in found.out
    assert "affine and canonical scores are left out" in found.err
    assert "[no interval]" in run("a.npy", "b.npy").out
    assert run("a.npy", "b.npy", "--format", "csv").out.startswith("of,measure,mean,sd,ci_low,ci_high,pairs,dictionaries,floor")
    assert "| score |" in run("a.npy", "b.npy", "--format", "markdown").out
    run("a.npy", "b.npy", "--output", "all.csv")


def test_large_arrays_stay_in_their_files(run):
    values = np.random.default_rng(1).random((3000, 30), dtype=np.float32)
    np.save("a.npy", values)
    np.save("b.npy", values[:, ::-1] + 0.1)
    for words in (("--memory", "300kB"), ()):
        assert scores(run("a.npy", "b.npy", *words, "--format", "json").out)["matched"] == pytest.approx(1.0, abs=1e-5)


def test_options_that_would_do_nothing_are_refused(refused, capsys):
    np.save("a.npy", CODES)
    np.save("b.npy", OTHER)
    assert "--clusters has no meaning for dictionaries" in refused("a.npy", "b.npy", "--clusters", "3")
    assert "--drift has no meaning for dictionaries" in refused("a.npy", "b.npy", "--drift")
    assert "--folder has no meaning for dictionaries" in refused("a.npy", "b.npy", "--folder", "table")
    assert "leave --correlation out" in refused("a.npy", "b.npy", "--correlation", "spearman")
    assert "--features has no page" in refused("a.npy", "b.npy", "--format", "html")
    assert "a dictionary is given twice" in refused("a.npy", "a.npy")
    assert "give two or more" in refused("a.npy")
    assert "need 1 MB; raise it" in refused("a.npy", "b.npy", "--memory", "1kB")
    assert _run(["compare", "a.npy", "b.npy", "--match", "greedy"]) == 2
    assert "--match is of dictionaries of features" in capsys.readouterr().err


def forged(**changed):
    """A sparse matrix as scipy saves it, with other parts."""
    held = {"data": np.ones(3), "indices": np.array([0, 1, 2]), "indptr": np.array([0, 1, 2, 3]), "shape": np.array([3, 3])}
    return held | {"format": np.array(b"csr")} | changed


def shortened(make, by):
    """A whole file, the end of which is lost."""

    def write(path):
        make(path)
        path.write_bytes(path.read_bytes()[:-by])

    return write


def tensor(dtype, shape, size):
    """A safetensors file of one tensor, zeros of any type."""
    header = json.dumps({"acts": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}).encode()
    return lambda path: path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))


def spoilt(value):
    values = CODES.copy()
    values[3, 5] = value
    return values


DAMAGED = {
    "empty.npy": (lambda path: path.write_bytes(b""), "empty.npy is not a numpy array"),
    "empty.npz": (lambda path: path.write_bytes(b""), "damaged"),
    "empty.safetensors": (lambda path: path.write_bytes(b""), "is damaged, cut short or not safetensors"),
    "empty.parquet": (lambda path: path.write_bytes(b""), "empty.parquet"),
    "none.npz": (np.savez, "holds nothing"),
    "none.safetensors": (lambda path: save_file({}, path), "holds nothing"),
    "none.parquet": (lambda path: triplets(path, np.zeros((3, 3))), "or all of them are"),
    "folder.npy": (lambda path: path.mkdir(), "cannot read"),
    "short.npy": (shortened(lambda path: np.save(path, CODES), 8), "the file holds"),
    "short.npz": (shortened(lambda path: np.savez(path, CODES), 40), "damaged"),
    "short.parquet": (shortened(lambda path: triplets(path, CODES), 40), "short.parquet"),
    "short.safetensors": (
        shortened(lambda path: save_file({"acts": CODES}, path), 8),
        "is damaged, cut short or not safetensors",
    ),
    "integers.safetensors": (lambda path: save_file({"acts": CODES.astype(np.int64)}, path), "acts holds I64, expected BF16"),
    "bytes.safetensors": (tensor("F8_E4M3", [4, 4], 16), "acts holds F8_E4M3, expected BF16"),
    "other bytes.safetensors": (tensor("F32", [4, 4], 16), "is damaged, cut short or not safetensors"),
    "huge.safetensors": (tensor("F32", [2**40, 2**40], 16), "is damaged, cut short or not safetensors"),
    "no features.npy": (lambda path: np.save(path, CODES[:, :0]), "expected a matrix of numbers"),
    "no rows.npy": (lambda path: np.save(path, CODES[:0]), "expected a matrix of numbers"),
    "no features.safetensors": (tensor("F32", [4, 0], 0), "expected a matrix of numbers"),
    "nothing stored.npz": (lambda path: sparse.save_npz(path, sparse.csr_array((ROWS, D))), "none of 24 features varies"),
    "pickled.npz": (
        lambda path: np.savez(path, acts=np.array([[{}]], dtype=object)),
        "holds Python objects, which are never unpickled",
    ),
    "pickled sparse.npz": (
        lambda path: np.savez(path, **forged(data=np.array([{}, 1, 2], dtype=object))),
        "holds Python objects, which are never unpickled",
    ),
    "infinite.npz": (lambda path: sparse.save_npz(path, sparse.csr_array(spoilt(np.inf))), "feature 5 holds NaN or infinite"),
    "nan.safetensors": (lambda path: save_file({"acts": spoilt(np.nan)}, path), "feature 5 holds NaN or infinite"),
    "nan.parquet": (lambda path: triplets(path, spoilt(np.nan)), "feature 5 holds NaN or infinite"),
    "far.parquet": (
        lambda path: triplets(path, CODES, feature=np.full(np.count_nonzero(CODES), 2**31, dtype=np.int64)),
        "expected numbers from 0",
    ),
    "negative.npz": (lambda path: np.savez(path, **forged(indices=np.array([0, 1, -1]))), "damaged: no sparse matrix"),
    "text.parquet": (lambda path: triplets(path, CODES, value=["x"] * np.count_nonzero(CODES)), "values are numbers"),
    "missing.parquet": (lambda path: triplets(path, CODES, value=[None] * np.count_nonzero(CODES)), "is missing"),
    "names.npz": (lambda path: np.savez(path, acts=CODES, sample_id=np.arange(7)), "names of rows of shape (7,)"),
    "longer.parquet": (lambda path: triplets(path, np.eye(ROWS + 1)), "expected as many in all dictionaries"),
    "no such file.npy": (lambda _: None, "cannot read"),
    "text.txt": (lambda path: path.write_text("1 2"), "expected a file of features"),
    "cut.npy": (lambda path: path.write_bytes(b"\x93NUMPY\x01\x00"), "cut.npy is not a numpy array"),
    "cut.npz": (lambda path: path.write_bytes(b"PK\x03\x04"), "damaged"),
    "cut.safetensors": (lambda path: path.write_bytes(b"\x10"), "is damaged, cut short or not safetensors"),
    "long.safetensors": (lambda path: path.write_bytes(b"\xff" * 64), "is damaged, cut short or not safetensors"),
    "cut.parquet": (lambda path: path.write_bytes(b"PAR1"), "Parquet"),
    "objects.npy": (lambda path: np.save(path, np.array([[{}]], dtype=object), allow_pickle=True), "never unpickled"),
    "text.npy": (lambda path: np.save(path, np.array([["a", "b"]])), "expected a matrix of numbers"),
    "line.npy": (lambda path: np.save(path, np.arange(5.0)), "expected a matrix of numbers"),
    "complex.npy": (lambda path: np.save(path, np.eye(5) * 1j), "expected a matrix of numbers"),
    "nan.npy": (lambda path: np.save(path, np.full((ROWS, 3), np.nan)), "feature 0 and 2 more holds NaN or infinite values"),
    "several.npz": (lambda path: np.savez(path, q=np.eye(3), r=np.eye(3)), "holds q, r; say which with --tensor NAME"),
    "bsr.npz": (lambda path: sparse.save_npz(path, sparse.bsr_array(np.eye(4))), "in the format 'bsr', expected csr, csc or coo"),
    "outside.npz": (lambda path: np.savez(path, **forged(indices=np.array([0, 1, 9]))), "damaged: no sparse matrix"),
    "falling.npz": (lambda path: np.savez(path, **forged(indptr=np.array([0, 3, 1, 3]))), "damaged: no sparse matrix"),
    "huge.npz": (
        lambda path: np.savez(path, **forged(shape=np.array([3, 2**50]))),
        "a sparse matrix of shape (3, 1125899906842624)",
    ),
    "shapeless.npz": (lambda path: np.savez(path, **forged(shape=np.array([3, -3]))), "a sparse matrix of shape [3, -3]"),
    "other.parquet": (lambda path: pq.write_table(pa.table({"a": [1]}), path), "column row is missing"),
    "negative.parquet": (lambda path: triplets(path, CODES, row=-np.nonzero(CODES)[0]), "expected numbers from 0"),
    "names.parquet": (lambda path: triplets(path, CODES, row=["x"] * np.count_nonzero(CODES)), "numbered from 0"),
    "twice.parquet": (
        lambda path: triplets(path, CODES, feature=np.zeros(np.count_nonzero(CODES), dtype=np.int64)),
        "activations are of a row and feature that another has too",
    ),
    "longer.npy": (lambda path: np.save(path, np.eye(ROWS + 1)), "rows are held against each other by position"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_files_that_cannot_be_used_are_refused_in_one_line(refused, tmp_path, name):
    make, message = DAMAGED[name]
    make(tmp_path / name)
    np.save("whole.npy", CODES)
    assert message in refused("whole.npy", name, "--of", "activations")


@pytest.mark.parametrize("name", DAMAGED)
def test_such_files_are_no_dictionaries_by_themselves(tmp_path, name):
    DAMAGED[name][0](tmp_path / name)
    assert (size_of(tmp_path / name, AS_IS) or ("activations", 0))[1] <= ROWS + 1 or name in {"far.parquet", "huge.npz"}


@pytest.mark.parametrize(
    ("kind", "first"), [*((kind, False) for kind in SAVE), ("npy", True), ("safetensors", True), ("csr.npz", True)]
)
def test_sizes_are_known_from_headers(tmp_path, kind, first):
    path = tmp_path / f"it.{kind}"
    SAVE[kind](path, np.ascontiguousarray(CODES.T) if first else CODES)
    assert size_of(path, Naming(dimensions_first=first)) == ("activations", D)


def test_decoders_have_as_many_features_as_their_longer_side(tmp_path):
    for shape in ((7, 30), (30, 7)):
        save_file({"W_dec": np.zeros(shape, dtype=np.float32), "b_dec": np.zeros(7)}, tmp_path / "it.safetensors")
        assert size_of(tmp_path / "it.safetensors", AS_IS) == ("weights", 30)
    for name in ("it.csv", "it.npz", "no folder"):
        assert size_of(tmp_path / name, AS_IS) is None


def test_files_of_many_dimensions_are_taken_for_dictionaries(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stabaudit.cli.compare_features.MANY_FEATURES", D)

    def compared(*words):
        assert _run(["compare", *words, "--format", "json"]) == 0
        out, err = capsys.readouterr()
        return json.loads(out), err

    for name, values in (("a", CODES), ("b", OTHER)):
        np.save(f"{name}.npy", values)
        np.save(f"few-{name}.npy", values[:, : D - 1])
    found, said = compared("a.npy", "b.npy", "--match", "greedy", "--floor-draws", "2")
    assert "feature_scores" in found
    assert f"{D} dimensions: taken for dictionaries of features" in said
    assert found["matchings"][0]["match"] == "greedy"
    assert "affine and canonical scores are left out" in said
    few, said = compared("few-a.npy", "few-b.npy", "--ids-by-position", "--rotations", "19", "--floor-draws", "2")
    asked, _ = compared(
        "a.npy", "b.npy", "--scores", "strong_mcc", "--ids-by-position", "--rotations", "19", "--floor-draws", "2"
    )
    for ordinary in (few, asked):
        assert "feature_scores" not in ordinary
        assert "pairs" in ordinary
    assert "dictionaries" not in said
    for name, values in zip("ab", WEIGHTS, strict=True):
        save_file({"W_dec": values}, f"{name}.safetensors")
    found, _ = compared("a.safetensors", "b.safetensors", "--signed", "--floor-draws", "2")
    assert (found["dictionaries"][0]["of"], found["matchings"][0]["signed"]) == ("weights", True)


def test_scores_with_signs_are_called_so(run):
    np.save("a.npy", CODES)
    np.save("b.npy", -CODES)
    assert "|correlation|" in run("a.npy", "b.npy").out
    signed = run("a.npy", "b.npy", "--signed").out
    assert "matched correlation" in signed
    assert "|correlation|" not in signed
    found = [scores(run("a.npy", "b.npy", *words, "--format", "json").out)["matched"] for words in ((), ("--signed",))]
    assert found[0] == pytest.approx(1.0, abs=1e-6)
    assert found[1] < 0.3


def test_weights_that_do_not_fit_are_refused(refused):
    np.save("a.npy", np.ones((9, 4)))
    np.save("b.npy", np.ones((8, 5)))
    np.save("square.npy", RNG.standard_normal((6, 6)))
    np.save("square2.npy", RNG.standard_normal((6, 6)))
    sparse.save_npz("s.npz", sparse.csr_array(np.eye(5)))
    triplets("t.parquet", CODES)
    assert "no side that all have is their dimension" in refused("a.npy", "b.npy", "--of", "weights")
    assert "which --strict does not guess" in refused("square.npy", "square2.npy", "--of", "weights", "--strict")
    assert "decoder weights are dense" in refused("a.npy", "s.npz", "--of", "weights")
    assert "decoder weights are read from" in refused("a.npy", "t.parquet", "--of", "weights")
    assert "unknown array" in refused("s.npz", "s.npz", "--tensor", "nothing")
