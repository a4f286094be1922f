"""Comparisons of streamed latents against the same latents in memory."""

from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stabaudit.comparison.compare import compare
from stabaudit.comparison.reading import selectors as groups
from stabaudit.comparison.reading import streaming
from stabaudit.comparison.reading.selectors import read_groups
from stabaudit.comparison.reading.streaming import Opened, stream_moments
from stabaudit.comparison.settings import Settings
from stabaudit.errors import BadData, UsageError
from stabaudit.metrics.split import split_halves
from stabaudit.store.run.latents import Latents, LatentsMetadata, write_latents
from stabaudit.store.run.latents_stream import read_header

N, D = 3000, 4
IN_MEMORY = Settings(floor_draws=3)
STREAMED = Settings(floor_draws=3, memory=2 * 10**6)


@pytest.fixture(autouse=True)
def _everything_is_large(monkeypatch):
    monkeypatch.setattr(groups, "_BYTES_PER_NUMBER", 10**4)  # so that the files of a test exceed what streaming needs
    monkeypatch.setattr(streaming, "_BLOCK_ROWS", 257)


@pytest.fixture
def files(tmp_path):
    """Three restarts of the same rows, in row groups of different sizes."""

    def write(order=None, **changed):
        rng = np.random.default_rng(0)
        base = rng.laplace(size=(N, D))
        paths = []
        for i in range(3):
            z = (base @ (np.eye(D) + 0.4 * rng.standard_normal((D, D))) + 0.5 * rng.standard_normal((N, D)) + i).astype(
                np.float32
            )
            if f"z{i}" in changed:
                z = changed[f"z{i}"](z)
            ids = np.arange(N)[::-1] if order is None or i < 2 else order
            path = tmp_path / f"r{i}.parquet"
            table = pa.table({"sample_id": ids, **{f"z{k}": z[:, k] for k in range(z.shape[1])}})
            pq.write_table(table, path, row_group_size=700 + 300 * i)
            paths.append(str(path))
        return paths

    return write


def compare_both_ways(selectors):
    whole = compare(read_groups(selectors, 10**12), IN_MEMORY)
    groups_read = read_groups(selectors, STREAMED.memory)
    assert all(len(group.streams) >= len(group.labels) and not group.latents for group in groups_read)
    return whole, compare(groups_read, STREAMED)


def assert_same_but_for_chance(whole, streamed):
    assert len(whole.scores) == len(streamed.scores) > 0
    by_chance = {"independence_floor", "independence_floor_se", "adjusted"}
    for one, other in zip(whole.scores, streamed.scores, strict=True):
        for field, value in asdict(one).items():
            found = getattr(other, field)
            if field in by_chance:
                assert found == pytest.approx(value, abs=0.05)
            elif isinstance(value, float):
                assert found == pytest.approx(value, abs=1e-10), field
            else:
                assert found == value, field
    assert [asdict(d) for d in streamed.differences] == [pytest.approx(asdict(d), abs=1e-9) for d in whole.differences]
    for one, other in zip(whole.curves, streamed.curves, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-10)


def test_files_streamed_give_the_scores_of_files_in_memory(files):
    whole, streamed = compare_both_ways(files())
    assert_same_but_for_chance(whole, streamed)
    assert [w for w in streamed.warnings if w not in whole.warnings] == [
        "the latents were streamed, so the independence floor is drawn from their means and covariances, as of normal latents"
    ]


@pytest.mark.slow
def test_runs_with_sources_streamed_give_the_scores_of_runs_in_memory(make_run):
    runs = [str(make_run("a", "aligned", 3, sources=True)), str(make_run("b", "rotated", 4, sources=True))]
    whole, streamed = compare_both_ways(runs)
    assert "source_strong_mcc" in {score.metric for score in streamed.scores}
    assert_same_but_for_chance(whole, streamed)


def test_what_is_dead_or_double_is_said_of_streamed_latents_too(make_run):
    rng = np.random.default_rng(2)
    z = [rng.normal(size=(600, 3)) for _ in range(3)]
    z[1][:, 2] = 0.1
    z.append(z[0])
    whole, streamed = compare_both_ways([str(make_run("vae", latents=z, d=3))])
    assert set(whole.warnings) < set(streamed.warnings)
    assert "vae#1:z2: constant on the rows fitted to: their correlations count as 0" in streamed.warnings
    assert "vae#0 and vae#3 hold the same latents; were they trained from the same seed?" in streamed.warnings


def test_blocks_give_the_moments_of_all_rows(files):
    paths = files()
    streams = [Opened.latents_file(path, read_header(path)).stream for path in map(groups.Path, paths)]
    ids = np.arange(N)[::-1]
    fit = split_halves(ids)
    halves, same, _ = stream_moments(streams, paths, ids, fit, 10**6)
    assert same == []
    rows = np.concatenate([np.column_stack([pq.read_table(path)[f"z{k}"] for k in range(D)]) for path in paths], axis=1)
    for half, mask in ((halves.fit, fit), (halves.score, ~fit)):
        assert half.n == mask.sum()
        np.testing.assert_allclose(half.covariance, np.cov(rows[mask].astype(np.float64).T, bias=True), atol=1e-12)


@pytest.mark.parametrize(
    "order", [np.arange(N), np.arange(N)[::-1] + 1, np.append(np.arange(N)[:0:-1], N)], ids=["order", "shifted", "last"]
)
def test_other_ids_or_another_order_cannot_be_streamed(files, order):
    paths = files(order)
    with pytest.raises(BadData, match=r"r0 and r2 hold other sample ids.* from row \d+ on; .*sort both .* or raise --memory"):
        compare(read_groups(paths, STREAMED.memory), STREAMED)


@pytest.mark.parametrize(("first", "second"), [(2570, 2000), (2570, 3000)])  # 2570: whole blocks
def test_files_of_other_lengths_cannot_be_streamed(files, first, second):
    paths = files()
    for path, rows in zip(paths, (first, second), strict=False):
        pq.write_table(pq.read_table(path).slice(0, rows), path)
    with pytest.raises(BadData, match=f"r0 and r1 hold other sample ids.* from row {min(first, second)} on"):
        compare(read_groups(paths, STREAMED.memory), STREAMED)


def test_numbers_that_are_not_finite_are_found(files):
    def spoil(z):
        z[2500, 3] = np.nan
        return z

    with pytest.raises(BadData, match=r"r1\.parquet: z3 holds 1 NaN"):
        compare(read_groups(files(z1=spoil), STREAMED.memory), STREAMED)


def test_ranks_cannot_be_streamed(files):
    settings = Settings(correlation="spearman", memory=STREAMED.memory)
    with pytest.raises(UsageError, match="ranks need all rows in memory: raise --memory"):
        compare(read_groups(files(), settings.memory), settings)


def test_too_little_memory_is_refused_with_what_is_needed(files):
    with pytest.raises(UsageError, match=r"12 dimensions of all restarts together need 1 MB even when streamed; raise --memory"):
        compare(read_groups(files(), 1000), Settings(memory=1000))


def test_only_parquet_can_be_streamed(files, tmp_path):
    np.savez(tmp_path / "c.npz", z=np.zeros((N, D)), sample_id=np.arange(N))
    with pytest.raises(BadData, match=r"c\.npz: .* exceed --memory, and only Parquet files with sample ids can be streamed"):
        read_groups([*files(), str(tmp_path / "c.npz")], STREAMED.memory)


def test_files_without_ids_are_streamed_side_by_side_only_if_they_hold_the_same_dataset(tmp_path):
    rng = np.random.default_rng(3)
    for name, fingerprint in (("a", "f1"), ("b", "f1"), ("c", "f2")):
        metadata = LatentsMetadata(fingerprint=fingerprint)
        path = tmp_path / f"{name}.parquet"
        write_latents(path, Latents(np.arange(600), rng.normal(size=(600, 3)).astype(np.float32), metadata=metadata))
        table = pq.read_table(path)
        pq.write_table(table.drop_columns("sample_id"), path)
    a, b, c = (str(tmp_path / f"{name}.parquet") for name in "abc")
    assert_same_but_for_chance(*compare_both_ways([a, b]))
    with pytest.raises(BadData, match="names no rows"):
        read_groups([a, c], STREAMED.memory)


def test_latents_that_fit_are_read_into_memory(files, monkeypatch):
    paths = files()
    monkeypatch.setattr(groups, "_BYTES_PER_NUMBER", 8)
    assert isinstance(read_groups(paths, 8 * 3 * N * D)[0].latents[0], np.ndarray)
    assert read_groups(paths, 8 * 3 * N * D - 1)[0].streams


def test_grids_cannot_be_streamed(tmp_path):
    metadata = LatentsMetadata(fingerprint="f", grid=(2, 1, 2))
    for name in ("a", "b"):
        z = np.random.default_rng(0).normal(size=(600, 4)).astype(np.float32)
        write_latents(tmp_path / f"{name}.parquet", Latents(np.arange(600), z, metadata=metadata))
    with pytest.raises(BadData, match="grid latents cannot be streamed"):
        read_groups([str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")], STREAMED.memory)
