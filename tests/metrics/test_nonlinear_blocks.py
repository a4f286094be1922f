"""What restarts share beyond linear maps, in worlds whose truth is known."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

import stabaudit
from stabaudit.errors import Noticed
from stabaudit.metrics.anatomy import anatomy
from stabaudit.metrics.halves import Halves
from stabaudit.metrics.nonlinear_blocks import MOST_ROWS, nonlinear_blocks
from stabaudit.metrics.split import split_halves
from stabaudit.reports.sections.nonlinear import nonlinear_sentences

QUICK = {"scores": ("affine_r2",), "floor_draws": 3, "rotations": 1, "nonlinear": True}


def bent(plane, rng, bend):
    """A plane turned by an angle that grows with the distance from its middle."""
    angle = rng.uniform(-np.pi, np.pi) + bend * np.linalg.norm(plane, axis=1)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.column_stack([cos * plane[:, 0] - sin * plane[:, 1], sin * plane[:, 0] + cos * plane[:, 1]])


def bent_planes(seed, n=2000, planes=2, restarts=5, *, strength=2.0, noise=0.1):
    """Every restart bends the same planes in its own way."""
    rng = np.random.default_rng(seed)
    s = rng.normal(size=(n, 2 * planes))
    latents = []
    bends = rng.permutation(np.linspace(-strength, strength, restarts))
    for bend in bends:
        parts = [bent(s[:, 2 * k : 2 * k + 2], rng, bend) for k in range(planes)]
        latents.append(np.column_stack(parts) + noise * rng.normal(size=s.shape))
    return latents


def linear(seed, n=2000, restarts=5, noise=0.4):
    """Two axes, a plane turned at random, and a dimension of noise: nothing that a line does not show."""
    rng = np.random.default_rng(seed)
    s = rng.normal(size=(n, 4))
    latents = []
    for _ in range(restarts):
        plane = bent(s[:, 2:], rng, 0.0)
        latents.append(np.column_stack([s[:, :2], plane, rng.normal(size=n)]) + noise * rng.normal(size=(n, 5)))
    return latents


def test_values_are_those_of_scikit_learn():
    latents, fit = bent_planes(0, n=3000, restarts=3), split_halves(np.arange(3000))
    found = anatomy(Halves.of_rows(latents, fit), range(3))
    assert fit.sum() <= MOST_ROWS
    others = [k for k in range(3) if k != found.central]
    rows = np.flatnonzero(~fit)[np.sort(np.random.default_rng(1500).choice(1500, 500, replace=False))]
    for one in nonlinear_blocks(latents, fit, found, draws=1, rng=np.random.default_rng(0)):
        wanted = latents[found.central][:, list(one.dimensions)]
        for place, restart in enumerate(others):
            members = found.matching[restart, list(one.dimensions)]
            rest = [k for k in range(4) if k not in members]
            by = {"members": members, "everything": [*range(4)]} | ({"elsewhere": rest} if len(members) > 1 else {})
            for name, chosen in by.items():
                z = latents[restart][:, chosen]
                line = LinearRegression().fit(z[fit], wanted[fit])
                near = KNeighborsRegressor(10).fit(z[fit], wanted[fit] - line.predict(z[fit]))
                left = ((wanted[rows] - line.predict(z[rows]) - near.predict(z[rows])) ** 2).sum()
                total = ((wanted[rows] - wanted[rows].mean(axis=0)) ** 2).sum()
                assert getattr(one, name)[place] == pytest.approx(1 - left / total, abs=1e-9)


@pytest.mark.slow
def test_members_are_those_that_are_matched():
    rng = np.random.default_rng(8)
    orders = [rng.permutation(4) for _ in range(5)]
    bent = bent_planes(8)
    turned = [z[:, order] for z, order in zip(bent, orders, strict=True)]
    plain, permuted = (stabaudit.compare({"run": latents}, **QUICK).nonlinear for latents in (bent, turned))
    assert sorted(round(one.members, 6) for one in plain) == pytest.approx(sorted(round(one.members, 6) for one in permuted))
    assert all(one.elsewhere < 0 for one in permuted)


def test_the_floor_of_all_dimensions_is_their_own():
    rng = np.random.default_rng(9)
    one, many = rng.normal(size=(200, 1)), 30
    latents = [np.column_stack([one + 0.1 * rng.normal(size=one.shape), rng.normal(size=(200, many))]) for _ in range(3)]
    (first,) = [found for found in stabaudit.compare({"run": latents}, **QUICK).nonlinear if found.block is not None]
    assert first.everything_floor < first.members_floor - 0.15  # a line through thirty unrelated dimensions costs more


def test_a_single_restart_has_nothing_to_follow():
    found = stabaudit.compare({"a": linear(5, restarts=1), "b": linear(6, restarts=1)}, **QUICK)
    assert any("--nonlinear follows the dimensions of a run" in line for line in found.warnings)


def test_bent_planes_keep_their_information_block_by_block():
    found = stabaudit.compare({"run": bent_planes(1)}, **QUICK)
    blocks = [one for one in found.nonlinear if one.block is not None]
    assert [len(one.dimensions) for one in blocks] == [2, 2]
    for one in blocks:
        assert one.members > one.linear + 0.1
        assert one.members > 0.8
        assert one.elsewhere == pytest.approx(one.members_floor, abs=0.05)
        assert one.members_floor == pytest.approx(-0.1, abs=0.03)


def test_dimensions_that_share_nothing_linear_are_seen():
    found = stabaudit.compare({"run": bent_planes(2, n=4000, planes=1, restarts=6, strength=6.0, noise=0.01)}, **QUICK)
    assert [one.verdict for one in found.anatomy] == ["not_shared"] * 2
    for one in found.nonlinear:
        assert one.block is None
        assert one.elsewhere is None
        assert one.everything > one.linear + 0.2
    assert all(
        "shares nothing linear with other restarts, but is a function" in said for said in nonlinear_sentences(found.nonlinear)
    )
    assert len(nonlinear_sentences(found.nonlinear)) == 2


def test_inactive_dimensions_and_two_restarts():
    latents = [np.column_stack([z, np.full(len(z), 3.0)]) for z in linear(3, restarts=2)]
    found = stabaudit.compare({"run": latents}, **QUICK)
    assert all(5 not in one.dimensions for one in found.nonlinear)
    assert all(one.members_low is None and one.restarts == 1 for one in found.nonlinear)
    assert nonlinear_sentences(found.nonlinear) == []


def test_streamed_latents_say_that_it_is_left_out(tmp_path):
    files = []
    for restart, z in enumerate(linear(4, n=20_000, restarts=3)):
        columns = {f"z{k}": z[:, k].astype(np.float32) for k in range(z.shape[1])}
        files.append(tmp_path / f"{restart}.parquet")
        pd.DataFrame({"sample_id": np.arange(len(z)), **columns}).to_parquet(files[-1])
    with pytest.warns(Noticed, match="restarts of one model"):
        found = stabaudit.compare(*map(str, files), memory=2_000_000, naming=stabaudit.Naming(one_model=True), **QUICK)
    assert not found.nonlinear
    assert any("beyond linear maps is left out" in warning for warning in found.warnings)


@pytest.mark.slow
def test_sentences_are_right_in_worlds_of_known_truth():
    wrong = sum(len(nonlinear_sentences(stabaudit.compare({"run": linear(seed)}, **QUICK).nonlinear)) for seed in range(12))
    assert wrong <= 1  # of 60 dimensions
    seen = [nonlinear_sentences(stabaudit.compare({"run": bent_planes(seed)}, **QUICK).nonlinear) for seed in range(6)]
    assert sum(map(len, seen)) >= 10  # of 12 planes
    assert all("say more of them than a linear map shows" in one for said in seen for one in said)
