"""Verdicts on runs whose truth is known, and every number against a second opinion."""

import importlib.util
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from stabaudit.errors import BadData, UsageError
from stabaudit.metrics.anatomy import anatomy
from stabaudit.metrics.blocks import blocks_of
from stabaudit.metrics.evidence import Evidence
from stabaudit.metrics.halves import Halves
from stabaudit.metrics.pair_scores import ScoreName
from stabaudit.metrics.score_pairs import score, score_pairs
from stabaudit.metrics.turned_planes import holm, mean_squared_cosine, plane_p_values, plane_quantiles

pytestmark = pytest.mark.slow

_path = Path(__file__).parents[1] / "benchmarks" / "worlds.py"
_spec = importlib.util.spec_from_file_location("worlds", _path)
worlds = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(worlds)

FIT = np.arange(worlds.ROWS) % 2 == 0


def verdicts(latents, active=None):
    return [dimension.verdict for dimension in examined(latents, active).dimensions]


def examined(latents, active=None):
    return anatomy(Halves.of_rows(latents, np.arange(len(latents[0])) % 2 == 0), range(len(latents)), active)


def zca_cor(rows, fit):
    """Kessy et al. 2018, straight from the rows: standardise on *fit*, then R^(−1/2)."""
    scaled = (rows - rows[fit].mean(axis=0)) / rows[fit].std(axis=0)
    eigenvalues, vectors = np.linalg.eigh(np.corrcoef(scaled[fit].T))
    return scaled @ (vectors / np.sqrt(eigenvalues)) @ vectors.T


@pytest.fixture(scope="module")
def correlated_run():
    rng = np.random.default_rng(3)
    return worlds.correlated(4, 5, rng, 0.5).latents


# Verdicts.


@pytest.mark.parametrize("restarts", [3, 5])
@pytest.mark.parametrize(
    "name",
    [
        "all axes",
        "all axes, d = 1",
        "all axes, d = 2",
        "all axes, Laplace",
        "axes correlated 0.5",
        "3 axes + 7 rotated",
        "4 axes + 6 noise",
        "4 axes + 6 collapsed",
        "1 axis + 9 noise",
        "4 axes, 6 echo the first",
        "all rotated",
        "4 rotated + 6 noise",
        "4 rotated + 6 collapsed",
        "halves rotated apart",
        "planes rotated",
        "two groups of restarts",
        "unrelated",
    ],
)
def test_a_world_is_told_as_it_is(name, restarts):
    outcomes = [worlds.judged(worlds.WORLDS[name](restarts, np.random.default_rng(seed)))[1] for seed in range(5)]
    assert sum(outcome.right for outcome in outcomes) >= 4
    assert sum(outcome.false for outcome in outcomes) <= 1


@pytest.mark.parametrize("name", ["all axes, d = 50", "all rotated, d = 50", "noise 0.1 to 1"])
def test_a_wide_world_is_told_as_it_is(name):
    _, outcome = worlds.judged(worlds.WORLDS[name](5, np.random.default_rng(0)))
    assert outcome.right


@pytest.mark.parametrize("restarts", [3, 10])
def test_a_plane_turned_at_random_is_called_an_axis_in_at_most_a_twentieth_of_runs(restarts):
    rng = np.random.default_rng(5)
    false = [worlds.judged(worlds.rotated(restarts, 2, rng))[1].false for _ in range(200)]
    assert np.mean(false) <= 0.05


def test_p_values_of_a_plane_turned_at_random_are_uniform():
    rng = np.random.default_rng(6)
    p = np.array([worlds.judged(worlds.rotated(4, 2, rng))[0].dimensions[0].p for _ in range(300)])
    assert np.abs(np.sort(p) - (np.arange(300) + 0.5) / 300).max() < 1.63 / np.sqrt(300)  # Kolmogorov–Smirnov at 1%


def test_one_direction_repeated_by_all_dimensions_is_no_axis():
    for seed in range(5):
        found, outcome = worlds.judged(worlds.WORLDS["echo of one direction"](5, np.random.default_rng(seed)))
        assert outcome.axes == 0
        (block,) = found.blocks
        assert block.size == 10
        assert block.information < 1.5


def test_a_small_scale_is_not_collapse():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((1000, 4))
    latents = [z + 0.05 * rng.standard_normal(z.shape) for _ in range(4)]
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) * 0.05 for rows in latents]
    assert verdicts(unit) == ["axis"] * 4


def test_a_dead_dimension_is_inactive_and_disturbs_nothing():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((1000, 3)) * [1.0, 1.0, 0.0]
    assert verdicts([z + [0.1, 0.1, 0.0] * rng.standard_normal(z.shape) for _ in range(4)]) == ["axis", "axis", "inactive"]


def test_nothing_active_is_nothing_shared():
    rng = np.random.default_rng(0)
    none = np.zeros(3, dtype=bool)
    found = examined([rng.standard_normal((400, 3)) for _ in range(3)], [none] * 3)
    assert found.count("inactive") == 3
    assert found.blocks == ()


def test_a_dimension_active_in_some_restarts_is_judged_by_those():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((2000, 3))
    latents = [z + 0.1 * rng.standard_normal(z.shape) for _ in range(5)]
    for rows in latents[:2]:
        rows[:, 2] = 1e-3 * rng.standard_normal(2000)
    active = [np.array([True, True, i > 1]) for i in range(5)]
    found = examined(latents, active)
    (third,) = (dimension for dimension in found.dimensions if dimension.active_restarts == 3)
    assert found.matching[found.central, third.dimension] == 2
    assert third.shared_information == pytest.approx(6 / 20 * 0.98, abs=0.02)
    assert third.purity == pytest.approx(1.0, abs=0.01)
    assert (third.verdict, third.may_be_axis, third.restarts) == ("subspace", False, 5)
    assert found.count("axis") == 2


def test_a_restart_of_lower_rank_is_compared_by_what_it_spans():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((1000, 3))
    latents = [z + 0.1 * rng.standard_normal(z.shape) for _ in range(4)]
    latents[1][:, 2] = latents[1][:, 1]
    found = examined(latents)
    first = next(k for k in range(3) if found.matching[0, k] == 0)
    assert found.dimensions[first].verdict == "axis"
    assert np.isfinite([dimension.shared_information for dimension in found.dimensions]).all()


def test_two_restarts_alike_share_axes_and_two_unrelated_ones_nothing():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((1000, 3))
    assert verdicts([z, z[:, [2, 0, 1]] * [1.0, -2.0, 3.0]]) == ["axis"] * 3
    assert verdicts([z, rng.standard_normal(z.shape)]) == ["not_shared"] * 3


def test_one_restart_that_is_turned_denies_the_axes_of_nine_others():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((2000, 2))
    angles = [0.0] * 9 + [np.radians(35)]
    found = examined([z @ worlds.plane(angle) + 0.1 * rng.standard_normal(z.shape) for angle in angles])
    for dimension in found.dimensions:
        assert dimension.verdict == "subspace"
        assert dimension.purity > dimension.purity_null
        assert dimension.lowest_purity == pytest.approx(np.cos(np.radians(35)) ** 2, abs=0.02)


def test_unrelated_latents_share_nothing_in_19_of_20_runs():
    rng = np.random.default_rng(2)
    none = [examined([rng.standard_normal((300, 5)) for _ in range(3)]).count("not_shared") == 5 for _ in range(200)]
    assert np.mean(none) >= 0.95


def test_what_cannot_be_examined_is_refused():
    rng = np.random.default_rng(0)
    halves = Halves.of_rows([rng.standard_normal((100, d)) for d in (3, 3, 4)], FIT[:100])
    with pytest.raises(UsageError, match="at least two"):
        anatomy(halves, [0])
    with pytest.raises(BadData, match="dimensions"):
        anatomy(halves, [0, 1, 2])


# Numbers.


def test_shared_information_is_that_of_linear_regression(correlated_run):
    found = examined(correlated_run)
    for k, (i, j) in ((k, pair) for k in range(5) for pair in permutations(range(4), 2)):
        target, source = correlated_run[i][:, found.matching[i, k]], correlated_run[j]
        model = LinearRegression().fit(source[FIT], target[FIT])
        assert found.information[k, i, j] == pytest.approx(model.score(source[~FIT], target[~FIT]), abs=1e-10)
    off = ~np.eye(4, dtype=bool)
    assert found.dimensions[2].shared_information == pytest.approx(found.information[2][off].mean())


def test_axis_agreement_is_that_of_whitened_rows(correlated_run):
    found = examined(correlated_run)
    white = [zca_cor(rows, FIT) for rows in correlated_run]
    for i, j in combinations(range(4), 2):
        for k in range(5):
            members = (white[i][~FIT, found.matching[i, k]], white[j][~FIT, found.matching[j, k]])
            assert found.agreement[k, i, j] == pytest.approx(np.corrcoef(*members)[0, 1] ** 2, abs=1e-10)


def test_the_central_restart_and_its_matching_are_the_best_ones(correlated_run):
    found = examined(correlated_run)
    white = [zca_cor(rows, FIT)[FIT] for rows in correlated_run]

    def best(i, j):
        c = np.abs(np.corrcoef(white[i].T, white[j].T)[:5, 5:])
        order = max(permutations(range(5)), key=lambda order: c[range(5), order].sum())
        return c[range(5), order].mean(), order

    means = [sum(best(i, j)[0] for j in range(4) if j != i) for i in range(4)]
    assert found.central == int(np.argmax(means))
    for j in range(4):
        if j != found.central:
            assert tuple(found.matching[j]) == best(found.central, j)[1]


def test_purity_follows_from_whitened_rows_of_both_halves(correlated_run):
    found = examined(correlated_run)
    halves = [[zca_cor(rows, half)[half] for rows in correlated_run] for half in (FIT, ~FIT)]
    for k, dimension in enumerate(found.dimensions):
        paired, own = 0.0, 0.0
        for i, j in permutations(range(4), 2):
            f, s = (np.corrcoef(white[i].T, white[j].T)[:5, 5:] for white in halves)
            a, b = found.matching[i, k], found.matching[j, k]
            paired += f[a, b] * s[a, b]
            own += f[a] @ s[a]
        assert dimension.purity == pytest.approx(paired / own, abs=1e-6)  # products are kept in single precision


def test_purity_of_axes_is_1_whatever_the_noise():
    for noise in (0.1, 0.3, 1.0, 1.5):
        found, _ = worlds.judged(worlds.axes(5, 10, np.random.default_rng(0), noise=noise))
        assert np.mean([dimension.purity for dimension in found.dimensions]) == pytest.approx(1.0, abs=0.01)


def test_the_standard_error_of_purity_is_that_over_repetitions():
    for noise in (0.3, 1.0):
        runs = [worlds.judged(worlds.axes(4, 10, np.random.default_rng(seed), noise=noise))[0] for seed in range(8)]
        found = [dimension for run in runs for dimension in run.dimensions]
        ratio = np.std([x.purity for x in found]) / np.mean([x.purity_noise for x in found])
        assert 0.6 < ratio < 1.1


def test_the_floor_of_shared_information_is_that_of_permuted_rows():
    rng = np.random.default_rng(0)
    latents = worlds.axes(3, 10, rng).latents
    halves = [Halves.of_rows([rows[rng.permutation(len(rows))] for rows in latents], FIT) for _ in range(30)]
    found = [dimension for half in halves for dimension in anatomy(half, range(3)).dimensions]
    permuted = np.array([dimension.shared_information for dimension in found])
    assert permuted.mean() == pytest.approx(found[0].floor, abs=4 * permuted.std() / np.sqrt(len(permuted)))
    assert found[0].floor < -0.01


def test_order_signs_and_units_change_nothing(correlated_run):
    rng = np.random.default_rng(8)
    factors = [rng.choice([-1, 1], 5) * 10.0 ** rng.integers(-3, 3, 5) for _ in correlated_run]
    changed = [rows[:, rng.permutation(5)] * factor + 7.0 for rows, factor in zip(correlated_run, factors, strict=True)]
    before, after = (
        np.array(sorted((x.purity, x.shared_information, x.axis_agreement, x.p) for x in examined(latents).dimensions))
        for latents in (correlated_run, changed)
    )
    np.testing.assert_allclose(before, after, atol=1e-6)


# Planes turned at random.


@pytest.mark.parametrize(("restarts", "quantile"), [(3, 0.977), (5, 0.922), (10, 0.854)])
def test_quantiles_are_those_of_pairwise_angles(restarts, quantile):
    """Angles between all pairs, folded about the most central restart; the quantiles stand in the module's text."""
    rng = np.random.default_rng(1)
    turns = rng.uniform(0, np.pi / 2, (40_000, restarts))
    between = (turns[:, :, None] - turns[:, None] + np.pi / 4) % (np.pi / 2) - np.pi / 4
    central = np.cos(between).sum(axis=2).argmax(axis=1)
    folded = between[np.arange(len(turns)), :, central]
    pairs = [np.cos(folded[:, i] - folded[:, j]) ** 2 for i, j in combinations(range(restarts), 2)]
    brute = np.quantile(np.mean(pairs, axis=0), 0.95)
    (found,) = plane_quantiles(np.array([0.05]), np.array([restarts]), np.zeros(1))
    assert found == pytest.approx(brute, abs=0.003)
    assert found == pytest.approx(quantile, abs=0.001)
    np.testing.assert_allclose(mean_squared_cosine(folded), np.mean(pairs, axis=0), atol=1e-12)


def test_the_tail_of_two_restarts_is_an_angle():
    degrees = np.array([0.01, 0.1, 1.0])
    p = plane_p_values(np.cos(np.radians(degrees)) ** 2, np.full(3, 2), np.zeros(3))
    np.testing.assert_allclose(p, degrees / 45, rtol=0.12)


def test_quantiles_undo_p_values():
    restarts, noise = np.array([3, 5, 10, 100]), np.array([0.0, 0.01, 0.001, 0.02])
    levels = np.array([0.05, 0.01, 0.001, 0.2])
    np.testing.assert_allclose(plane_p_values(plane_quantiles(levels, restarts, noise), restarts, noise), levels, rtol=0.02)


def test_noise_makes_a_purity_of_1_less_certain():
    p = plane_p_values(np.ones(3), np.full(3, 3), np.array([0.0, 0.001, 0.01]))
    assert p[0] == 0.0
    np.testing.assert_allclose(p[2] / p[1], 10, rtol=0.1)


def test_holm_is_that_of_its_definition():
    p = np.random.default_rng(0).uniform(size=20) ** 3
    order = np.argsort(p)
    by_hand = [max(p[order[j]] * (20 - j) for j in range(rank + 1)) for rank in range(20)]
    np.testing.assert_allclose(holm(p)[order], np.minimum(by_hand, 1.0))


# Blocks.


@pytest.mark.parametrize(
    ("turnings", "sizes"),
    [
        (lambda rng: [worlds.haar(5, rng), worlds.haar(5, rng)], [5, 5]),
        (lambda rng: [np.eye(3), worlds.haar(7, rng)], [1, 1, 1, 7]),
        (lambda rng: [worlds.haar(10, rng)], [10]),
    ],
)
def test_dimensions_that_turn_together_are_a_block(turnings, sizes):
    rng = np.random.default_rng(0)
    found, _ = worlds.judged(worlds.mixed(5, 10, rng, lambda: turnings(rng), 0))
    assert sorted(block.size for block in found.blocks) == sizes
    assert sum(block.information for block in found.blocks) == pytest.approx(10 * (1 / 1.09) ** 2, abs=0.2)
    for dimension in found.dimensions:
        assert dimension.dimension in found.blocks[dimension.block].dimensions


def test_noise_joins_no_blocks():
    profile = np.eye(4) + 0.003 * np.abs(np.random.default_rng(0).standard_normal((4, 4)))
    assert len(blocks_of(profile, profile.sum(axis=1), 0.003, range(4), [])) == 4


# Active dimensions.


def worlds_fit(latents):
    return np.arange(len(latents[0])) % 2 == 0


def test_with_all_dimensions_chosen_moments_are_those_of_all(correlated_run):
    halves = Halves.of_rows(correlated_run, worlds_fit(correlated_run))
    whole = halves.of_dimensions({r: np.arange(len(marginal.scale)) for r, marginal in enumerate(halves.marginals)})
    np.testing.assert_array_equal(whole.cross(0, 1).fit, halves.cross(0, 1).fit)
    np.testing.assert_array_equal(whole.marginals[1].decorrelation, halves.marginals[1].decorrelation)


def test_active_dimensions_that_turn_lie_at_their_floor_not_at_that_of_all():
    """Four active dimensions turned at random beside six collapsed ones: above the rotation floor of all ten."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((2000, 4))
    turned = [z @ np.linalg.qr(rng.standard_normal((4, 4)))[0] for _ in range(6)]
    latents = [np.column_stack([active, 0.01 * rng.standard_normal((2000, 6))]) for active in turned]
    every = Evidence.of_rows(latents, np.arange(2000) % 2 == 0)
    active = Evidence.of_moments(every.values.of_dimensions(dict.fromkeys(range(6), np.arange(4))), every.names, every.seeds)
    name = ScoreName("strong_mcc", None, "out")
    means, floors = [], []
    for evidence in (every, active):
        pairs = score(evidence, floor_draws=1, rotations=99, rng=np.random.default_rng(0)).pairs
        means.append(np.mean([pair.values[name] for pair in pairs]))
        floors.append(np.mean([pair.rotation[name] for pair in pairs], axis=0))
    assert means[0] > floors[0].max()
    assert floors[1].min() < means[1] < floors[1].max()


def test_the_rotation_floor_of_a_pair_does_not_depend_on_what_else_is_scored(correlated_run):
    latents, fit = correlated_run, worlds_fit(correlated_run)
    name = ScoreName("strong_mcc", None, "out")
    alone, among = (
        score_pairs(latents[:count], fit, floor_draws=1, rotations=7, rng=np.random.default_rng(0)).pairs[0].rotation[name]
        for count in (2, 4)
    )
    np.testing.assert_allclose(alone, among, atol=1e-12)
