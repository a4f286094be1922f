"""Moments that are not kept: the scores are those of moments that are."""

import numpy as np
import pytest

from stabaudit.metrics import halves_by_rows
from stabaudit.metrics.halves import Halves
from stabaudit.metrics.halves_by_rows import HalvesByRows
from stabaudit.metrics.score_pairs import score_pairs
from stabaudit.metrics.split import split_halves

N = 400


def restarts(sizes=(3, 4, 3, 2), seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(N, 4))
    found = [shared @ rng.normal(size=(4, d)) + 3.0 + 0.5 * rng.normal(size=(N, d)) for d in sizes]
    found[1][:, 1] = 7.0  # dead
    return [z.astype(np.float32) for z in found], split_halves(np.arange(N))


def test_every_pair_has_the_same_cross_moments_and_marginals():
    latents, fit = restarts()
    kept, by_rows = Halves.of_rows(latents, fit), HalvesByRows.of_latents(latents, fit)
    pairs = [(a, b) for a in range(4) for b in range(4) if a != b]
    for (a, b), found in zip(pairs, by_rows.crosses(pairs), strict=True):
        for mine, theirs, alone in zip(found, kept.cross(a, b), by_rows.cross(a, b), strict=True):
            assert np.allclose(mine, theirs, atol=1e-12)
            assert np.allclose(alone, theirs, atol=1e-12)
    for mine, theirs in zip(by_rows.marginals, kept.marginals, strict=True):
        assert np.allclose(mine.decorrelation, theirs.decorrelation, atol=1e-9)
        assert np.array_equal(mine.scale > 0, theirs.scale > 0)
    chosen = {2: np.array([0, 2]), 0: np.array([1])}
    assert np.allclose(by_rows.of_dimensions(chosen).cross(0, 1).fit, kept.of_dimensions(chosen).cross(0, 1).fit, atol=1e-12)
    assert np.allclose(by_rows.of_restarts([3, 1]).cross(0, 1).fit, kept.cross(3, 1).fit, atol=1e-12)


def test_tiles_hold_every_pair_once(monkeypatch):
    latents, fit = restarts((2,) * 7)
    monkeypatch.setattr(halves_by_rows, "TILE", 2 * N * 2)  # two restarts on either side
    by_rows = HalvesByRows.of_latents(latents, fit)
    pairs = [(a, b) for a in range(7) for b in range(a + 1, 7)]
    tiles = by_rows.tiles(pairs)
    assert sorted(position for tile in tiles for position in tile) == list(range(len(pairs)))
    assert len(tiles) == 9
    assert max(map(len, tiles)) == 4


@pytest.mark.parametrize("correlation", ["pearson", "spearman"])
@pytest.mark.parametrize("tile", [1, 2**22])
def test_scores_floors_and_curves_are_the_same(monkeypatch, correlation, tile):
    latents, fit = restarts((3,) * 5)
    asked = {"correlation": correlation, "floor_draws": 3, "rotations": 4}
    kept = score_pairs(latents, fit, rng=np.random.default_rng(0), **asked)
    monkeypatch.setattr(halves_by_rows, "MOST_COLUMNS", 4)
    monkeypatch.setattr(halves_by_rows, "TILE", tile)
    found = score_pairs(latents, fit, rng=np.random.default_rng(0), **asked)
    for mine, theirs in zip(found.pairs, kept.pairs, strict=True):
        assert mine.values == pytest.approx(theirs.values, abs=1e-10)
        for draws in ("independence", "rotation"):
            for name, own in getattr(mine, draws).items():
                assert own == pytest.approx(getattr(theirs, draws)[name], abs=1e-6, nan_ok=True)
        for name, parts in mine.parts.items():
            assert np.allclose(parts.outside, theirs.parts[name].outside, atol=1e-10)
