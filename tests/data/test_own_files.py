"""The user's own file becomes a dataset, or one line says why not."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from stabaudit.data.dataset import Dataset, to_float32
from stabaudit.data.formats.arrays import MAX_ONE_HOT, encode_auxiliary
from stabaudit.data.own_files import load as load_file
from stabaudit.errors import BadData, Guessed, Noticed, UsageError

X = np.random.default_rng(0).normal(size=(50, 3))


def load(path: Path, **options: object) -> Dataset:
    """As it is: neither scaled nor, where u is of integers, without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Noticed)
        return load_file(path, **{"scale": "none"} | options)


def npz(folder: Path, **arrays: object) -> Path:
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"


def test_everything_that_an_archive_can_hold(tmp_path: Path) -> None:
    labels = np.arange(50) % 4
    path = npz(tmp_path, x=X, u=labels * 10, labels=labels, sources=X[:, :2], sample_id=np.array([f"s{i}" for i in range(50)]))
    dataset = load(path)
    rows = [int(name[1:]) for name in [*dataset.train.sample_id, *dataset.evaluation.sample_id]]
    assert sorted(rows) == list(range(50))
    assert (len(dataset.train), len(dataset.evaluation)) == (40, 10)
    for split in (dataset.train, dataset.evaluation):
        original = [int(name[1:]) for name in split.sample_id]
        assert np.array_equal(split.x, X[original].astype(np.float32))
        assert np.array_equal(split.labels, labels[original])
        assert np.array_equal(split.u, np.eye(4)[labels[original]])
        assert np.array_equal(split.sources, X[original, :2].astype(np.float32))
    assert dataset.name == str(path)


def test_own_evaluation_rows_share_the_categories_of_training_rows(tmp_path: Path) -> None:
    dataset = load(
        npz(
            tmp_path,
            x=X[:3],
            u=np.array(["b", "c", "b"]),
            labels=np.array(["n", "m", "n"]),
            evaluation_x=X[3:5],
            evaluation_u=np.array(["a", "b"]),
            evaluation_labels=np.array(["m", "o"]),
        )
    )
    assert dataset.train.u.argmax(axis=1).tolist() == [1, 2, 1]
    assert dataset.evaluation.u.argmax(axis=1).tolist() == [0, 1]
    assert dataset.evaluation.u.shape == (2, 3)
    assert dataset.train.labels.tolist() == [1, 0, 1]
    assert dataset.evaluation.labels.tolist() == [0, 2]
    assert dataset.train.sample_id.tolist() == [0, 1, 2]
    assert dataset.evaluation.sample_id.tolist() == [3, 4]


def test_a_bare_array_and_tables_agree(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", X)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    frame.to_csv(tmp_path / "data.csv", index=False, float_format="%.17g")
    frame.to_parquet(tmp_path / "data.parquet")
    npz(tmp_path, x=X)
    assert len({load(tmp_path / f"data.{suffix}").fingerprint for suffix in ("npy", "csv", "parquet", "npz")}) == 1


def test_columns_of_a_table(tmp_path: Path) -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(kind=["p", "q"] * 25, name=[f"r{i}" for i in range(50)])
    frame.to_csv(tmp_path / "data.csv", index=False)
    dataset = load(tmp_path / "data.csv", holdout=0, u_columns=["kind"], label_column="kind", id_column="name")
    assert dataset.evaluation is dataset.train
    assert dataset.train.x.shape == (50, 3)
    assert np.array_equal(dataset.train.u, np.eye(2)[[0, 1] * 25])
    assert dataset.train.labels.tolist() == [0, 1] * 25
    assert dataset.train.sample_id.tolist() == [f"r{i}" for i in range(50)]


def test_which_u_is_a_category() -> None:
    assert encode_auxiliary(np.array([5, -1, 5]), "u").tolist() == [[0, 1], [1, 0], [0, 1]]
    assert encode_auxiliary(np.array([0.5, 2.0]), "u").tolist() == [[0.5], [2.0]]
    already = np.eye(3, dtype=np.int64)
    assert np.array_equal(encode_auxiliary(already, "u"), already)
    with pytest.raises(BadData, match="20,000 different categories in 20,000 rows; save it as floats"):
        encode_auxiliary(np.arange(20_000), "u")
    assert MAX_ONE_HOT < 20_000**2


def test_the_likelihood_follows_the_range(tmp_path: Path) -> None:
    unit = (X - X.min()) / (X.max() - X.min())
    assert load(npz(tmp_path, x=unit)).likelihood == "bernoulli"
    assert load(tmp_path / "data.npz", likelihood="gaussian").likelihood == "gaussian"
    for outside in (X, unit - 0.1, unit + 0.1):
        assert load(npz(tmp_path, x=outside)).likelihood == "gaussian"
    npz(tmp_path, x=X)
    with pytest.raises(BadData, match=r"x lies in \[-2\.\d+, 2\.\d+\], but the Bernoulli likelihood needs \[0, 1\]"):
        load(tmp_path / "data.npz", likelihood="bernoulli")


def test_the_seed_and_the_fraction_decide_the_split(tmp_path: Path) -> None:
    path = npz(tmp_path, x=X)
    assert load(path).fingerprint == load(path).fingerprint != load(path, split_seed=1).fingerprint
    assert len(load(path, holdout=0.5).evaluation) == 25
    assert len(np.intersect1d(load(path).train.sample_id, load(path).evaluation.sample_id)) == 0


def test_images_and_vectors_keep_their_shape(tmp_path: Path) -> None:
    assert load(npz(tmp_path, x=X.reshape(50, 1, 3, 1))).train.x.shape == (40, 1, 3, 1)
    assert load(npz(tmp_path, x=X[:, 0])).train.x.shape == (40, 1)


nan, inf = X.copy(), X.copy()
nan[[3, 7], 1] = np.nan
inf[2, 2] = np.inf
REFUSED = {
    "nan": ({"x": nan}, "x holds 2 NaN or infinite values, the first in column 1"),
    "infinite evaluation rows": (
        {"x": X, "evaluation_x": inf},
        "evaluation_x holds 1 NaN or infinite value, the first in column 2",
    ),
    "nan in u": ({"x": X, "u": nan}, "u holds 2 NaN"),
    "too large": ({"x": X * 1e300}, "x holds 150 values beyond the range of float32"),
    "complex": ({"x": X * 1j}, "x holds complex128, expected numbers"),
    "text": ({"x": np.array(["a", "b"])}, "x holds text, expected real numbers"),
    "times": ({"x": np.zeros(3, "M8[s]")}, r"x holds datetime64\[s\], expected numbers"),
    "records": ({"x": np.zeros(3, "f4,f4")}, "holds records"),
    "numbers and text": (
        {"x": X, "labels": np.zeros(50, int), "evaluation_x": X, "evaluation_labels": np.array(["a"] * 50)},
        "the same in both",
    ),
    "no x": ({"u": X}, "no array 'x'"),
    "misnamed": ({"x": X, "label": np.zeros(50)}, "unknown array 'label'; did you mean 'labels'"),
    "lengths": ({"x": X, "labels": np.zeros(49, int)}, "labels has 49 rows, x has 50"),
    "evaluation lengths": (
        {"x": X, "u": X, "evaluation_x": X[:5], "evaluation_u": X[:4]},
        "evaluation_u has 4 rows, evaluation_x has 5",
    ),
    "evaluation without u": ({"x": X, "u": X, "evaluation_x": X}, "'u' and 'evaluation_u' must both be there"),
    "evaluation without x": ({"x": X, "evaluation_u": X}, "'x' and 'evaluation_x' must both be there"),
    "other width": ({"x": X, "evaluation_x": X[:, :2]}, r"rows of evaluation_x have shape \(2,\), those of x \(3,\)"),
    "no rows": ({"x": X[:0]}, "x has no rows"),
    "one row": ({"x": X[:1]}, "1 row is too few to hold out 20% of; set holdout=0"),
    "repeated ids": ({"x": X, "sample_id": np.arange(50) // 2}, "25 sample ids are repeated, the first is 0"),
    "ids repeated across splits": (
        {"x": X, "sample_id": np.arange(50), "evaluation_x": X, "evaluation_sample_id": np.arange(49, 99)},
        "1 sample id is repeated, the first is 49",
    ),
    "fractional ids": ({"x": X, "sample_id": X[:, 0]}, r"sample_id is float64 of shape \(50,\), expected one integer or text"),
    "fractional labels": ({"x": X, "labels": X[:, 0]}, "labels is float64"),
    "deep u": ({"x": X, "u": X[..., None]}, r"u has shape \(50, 3, 1\), expected one row a sample"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_gets_one_line(tmp_path: Path, case: str) -> None:
    arrays, message = REFUSED[case]
    path = npz(tmp_path, **arrays)
    with pytest.raises(BadData, match=message) as error:
        load(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_files_that_are_not_there_or_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"nothing\.npz: no such file"):
        load(tmp_path / "nothing.npz")
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "data.txt").touch()
    for name in ("folder.npz", "data.txt"):
        with pytest.raises(
            BadData,
            match=r"expected a \.npz, \.npy, \.parquet, \.feather, \.csv, \.tsv, \.tab, \.csv\.gz, \.tsv\.gz or \.tab\.gz file",
        ):
            load(tmp_path / name)
    with pytest.raises(UsageError, match=r"are for tables \(\.parquet, \.feather, \.csv"):
        load(npz(tmp_path, x=X), label_column="kind")


def test_float32_keeps_what_it_can() -> None:
    assert to_float32(np.array([1e-300, 3e38, -3e38]), "x").tolist() == [0.0, np.float32(3e38), np.float32(-3e38)]


def test_tables_are_standardised_over_the_training_rows_unless_they_lie_between_0_and_1(tmp_path: Path) -> None:
    """Against scikit-learn, of values that float32 would blur."""
    x = X * [1.0, 1e5, 1e-3] + [0.0, 1e9, 7.0]
    with pytest.warns(Guessed, match=r"every column is standardised, .* over the training rows"):
        found = load_file(npz(tmp_path, x=x))
    fitted = StandardScaler().fit(x[found.train.sample_id])
    np.testing.assert_allclose(found.train.x, fitted.transform(x[found.train.sample_id]), atol=1e-6)
    np.testing.assert_allclose(found.evaluation.x, fitted.transform(x[found.evaluation.sample_id]), atol=1e-6)
    assert (found.scale, found.likelihood) == ("standardise", "gaussian")
    least = load_file(tmp_path / "data.npz", scale="minmax").train.x
    np.testing.assert_allclose([least.min(axis=0), least.max(axis=0)], [[0] * 3, [1] * 3], atol=1e-6)
    unit = load_file(npz(tmp_path, x=(X > 0) * 1.0))
    assert (unit.scale, unit.likelihood, set(unit.train.x.ravel())) == ("none", "bernoulli", {0.0, 1.0})


def test_constant_columns_are_only_centred(tmp_path: Path) -> None:
    found = load_file(npz(tmp_path, x=np.column_stack([X, np.full(50, 1e6 / 3)])), scale="standardise")
    assert np.abs(found.train.x[:, 3]).max() < 1e-9


@pytest.mark.parametrize("colours", [3, 4, 1])
def test_images_as_numpy_has_them_become_channels_first_in_0_to_1(tmp_path: Path, colours: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 12, colours), dtype=np.uint8)
    with pytest.warns(Guessed) as said:
        found = load_file(npz(tmp_path, x=images), holdout=0)
    assert [str(one.message).partition(": ")[2] for one in said] == [
        f"images of 8×12×{colours} are taken as height × width × channels",
        "its bytes are divided by 255",
    ]
    np.testing.assert_allclose(found.train.x, images.transpose(0, 3, 1, 2) / 255, rtol=1e-6)
    assert found.likelihood == "bernoulli"
    raw = load_file(tmp_path / "data.npz", holdout=0, channels_last=True, scale="none")
    assert np.array_equal(raw.train.x, images.transpose(0, 3, 1, 2))


def test_grey_images_of_bytes_have_one_channel(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 12), dtype=np.uint8)
    with pytest.warns(Guessed, match="rows of 8×12 are images of one channel"):
        assert load_file(npz(tmp_path, x=images)).train.x.shape == (40, 1, 8, 12)
    with pytest.raises(BadData, match="expected rows of height × width × channels for --channels-last"):
        load(tmp_path / "data.npz", channels_last=True)


def test_what_is_guessed_of_u_and_ids_and_what_outweighs_a_column_is_said(tmp_path: Path) -> None:
    with pytest.warns(Guessed, match="its u of integers is taken for 4 categories"):
        load_file(npz(tmp_path, x=X, u=np.arange(50) % 4), scale="none")
    pd.DataFrame(X, columns=list("abc")).assign(cell_id=np.arange(50) + 7).to_csv(tmp_path / "data.csv", index=False)
    with pytest.warns(Guessed, match="its rows are named by its column 'cell_id'"):
        found = load_file(tmp_path / "data.csv", scale="none", holdout=0)
    assert found.train.x.shape == (50, 3)
    assert found.train.sample_id.tolist() == list(range(7, 57))
    spoilt = X.copy()
    spoilt[7, 2] = 1e9
    with pytest.warns(Noticed, match=r"1e\+09 in row 7, column 2 of x, is 100% of the column's variance"):
        load_file(npz(tmp_path, x=spoilt), scale="none")
