"""Many pairs at once against the same pairs one at a time."""

import sys
from types import ModuleType

import numpy as np
import pytest
from scipy import linalg
from scipy.stats import rankdata
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from stabaudit.errors import BadData, UsageError
from stabaudit.metrics import threads
from stabaudit.metrics.affine import affine_r2
from stabaudit.metrics.evidence import Evidence
from stabaudit.metrics.halves import Halves
from stabaudit.metrics.mcc_strong import strong_mcc
from stabaudit.metrics.mcc_weak import weak_mcc
from stabaudit.metrics.pair_scores import ScoreName
from stabaudit.metrics.score_pairs import score, score_pairs, score_sources
from stabaudit.metrics.threads import single_threaded

N, D = 240, 5
FIT = np.random.default_rng(96).permutation(N) < N // 2


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def sources(rng):
    return rng.laplace(size=(N, D)).astype(np.float32)


@pytest.fixture
def latents(sources, rng):
    mixings = np.eye(D) + 0.6 * rng.standard_normal((4, D, D))
    return [(sources @ mixing + 0.3 * rng.standard_normal((N, D)) - 4.0).astype(np.float32) for mixing in mixings]


def uncorrelated(z):
    """ZCA-cor whitening by a matrix square root."""
    z = z.astype(np.float64)
    standard = (z - z[FIT].mean(0)) / z[FIT].std(0)
    return standard @ linalg.inv(linalg.sqrtm(np.corrcoef(z[FIT].T)))


def unweighted_r2(a, b, fit=None):
    """Mean over the dimensions of b of the R² that scikit-learn gives."""
    fit = np.ones(len(a), dtype=bool) if fit is None else fit
    score = fit if fit.all() else ~fit
    predicted = LinearRegression().fit(a[fit].astype(float), b[fit]).predict(a[score].astype(float))
    return r2_score(b[score], predicted, multioutput="uniform_average")


def ranks_within_halves(z):
    ranks = np.empty_like(z)
    for half in (FIT, ~FIT):
        ranks[half] = rankdata(z[half], axis=0)
    return ranks


@pytest.mark.parametrize("correlation", ["pearson", "spearman"])
def test_every_score_equals_that_of_the_pair_alone(latents, rng, correlation):
    scored = score_pairs(latents, FIT, k=2, correlation=correlation, floor_draws=0, rng=rng)
    assert [(pair.a, pair.b) for pair in scored.pairs] == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    given = latents if correlation == "pearson" else [ranks_within_halves(z) for z in latents]  # all scores are of ranks then
    for pair in scored.pairs:
        a, b = (given[position] for position in (pair.a, pair.b))
        apart_a, apart_b = uncorrelated(a), uncorrelated(b)
        alone = {
            ScoreName("strong_mcc", None, "in"): strong_mcc(a[FIT], b[FIT]),
            ScoreName("strong_mcc", None, "out"): strong_mcc(latents[pair.a], latents[pair.b], FIT, correlation=correlation),
            ScoreName("decorrelated_strong_mcc", None, "in"): strong_mcc(apart_a[FIT], apart_b[FIT]),
            ScoreName("decorrelated_strong_mcc", None, "out"): strong_mcc(apart_a, apart_b, FIT),
            ScoreName("weak_mcc", 2, "in"): weak_mcc(a[FIT], b[FIT], k=2),
            ScoreName("weak_mcc", 2, "out"): weak_mcc(a, b, FIT, k=2),
            ScoreName("weak_mcc", None, "in"): weak_mcc(a[FIT], b[FIT], k=None),
            ScoreName("weak_mcc", None, "out"): weak_mcc(a, b, FIT, k=None),
            ScoreName("affine_r2", None, "in"): affine_r2(a[FIT], b[FIT]),
            ScoreName("affine_r2", None, "out"): affine_r2(a, b, FIT),
            ScoreName("affine_r2_reverse", None, "in"): affine_r2(b[FIT], a[FIT]),
            ScoreName("affine_r2_reverse", None, "out"): affine_r2(b, a, FIT),
            ScoreName("affine_r2_unweighted", None, "in"): unweighted_r2(a[FIT], b[FIT]),
            ScoreName("affine_r2_unweighted", None, "out"): unweighted_r2(a, b, FIT),
            ScoreName("affine_r2_unweighted_reverse", None, "in"): unweighted_r2(b[FIT], a[FIT]),
            ScoreName("affine_r2_unweighted_reverse", None, "out"): unweighted_r2(b, a, FIT),
        }
        assert pair.values == pytest.approx(alone, abs=1e-10)
        assert all(draws.shape == (0,) for draws in [*pair.independence.values(), *pair.rotation.values()])


def test_axes_that_share_a_direction_are_told_from_axes_that_are_correlated_and_the_same(rng):
    """A strong MCC above the rotation floor may come from one direction that all dimensions of either restart carry."""
    n, d = 4000, 6
    fit = np.arange(n) % 2 == 0
    shared, rest = rng.standard_normal((n, 1)), rng.standard_normal((n, d))
    turn = linalg.qr(rng.standard_normal((d, d)))[0]
    strong, apart = ScoreName("strong_mcc", None, "out"), ScoreName("decorrelated_strong_mcc", None, "out")

    several = score_pairs([2 * shared + rest, 2 * shared + rest @ turn], fit, rng=rng).pairs[0]
    assert several.values[strong] > several.rotation[strong].max() + 0.1
    assert several.values[apart] < several.rotation[apart].max() + 0.02

    mixing = np.eye(d) + 0.4  # correlated axes
    same = score_pairs([rest @ mixing, -3 * (rest @ mixing)[:, ::-1] + 1], fit, rng=rng).pairs[0]
    assert same.values[strong] == pytest.approx(1)
    assert same.values[apart] == pytest.approx(1)
    assert same.rotation[apart].max() < 0.9


def test_which_of_two_is_turned_for_the_rotation_floor_takes_turns(latents, rng):
    ways = [score_pairs(latents, FIT, pairs=[pair], floor_draws=60, rng=rng).pairs[0] for pair in [(0, 1), (1, 0)]]
    for name in ways[0].rotation:
        one, other = (way.rotation[name] for way in ways)
        assert one.mean() == pytest.approx(other.mean(), abs=4 * np.hypot(one.std(), other.std()) / np.sqrt(60))


def test_matched_dimensions_and_the_cumulative_curve(latents, rng):
    pair = score_pairs(latents, FIT, pairs=[(2, 1)], floor_draws=0, rng=rng).pairs[0]
    for half, matched, sample in ((FIT, pair.parts["strong_mcc"].inside, "in"), (~FIT, pair.parts["strong_mcc"].outside, "out")):
        c = np.abs(np.corrcoef(latents[2][half].T, latents[1][half].T)[:D, D:])
        np.testing.assert_allclose(
            matched, c[pair.parts["strong_mcc"].matching[:, 0], pair.parts["strong_mcc"].matching[:, 1]], atol=1e-6
        )
        curve = pair.curve("strong_mcc", sample)
        assert curve[-1] == pytest.approx(pair.values[ScoreName("strong_mcc", None, sample)])
        assert (np.diff(curve) <= 1e-15).all()
    assert (np.diff(pair.parts["strong_mcc"].inside) <= 0).all()
    assert sorted(pair.parts["strong_mcc"].matching[:, 0]) == sorted(pair.parts["strong_mcc"].matching[:, 1]) == list(range(D))


def test_the_order_of_rows_and_pairs_does_not_matter(latents, rng):
    scored = score_pairs(latents, FIT, floor_draws=0, rng=rng)
    order = rng.permutation(N)
    shuffled = score_pairs([z[order] for z in latents], FIT[order], pairs=[(1, 3)], floor_draws=0, rng=rng)
    assert shuffled.pairs[0].values == pytest.approx(scored.pairs[4].values, abs=1e-10)


@pytest.mark.parametrize("correlation", ["pearson", "spearman"])
def test_the_same_generator_gives_the_same_floors(latents, correlation):
    first, second = (
        score_pairs(latents, FIT, correlation=correlation, floor_draws=3, rng=np.random.default_rng(7)).pairs[2] for _ in range(2)
    )
    for name, draws in first.independence.items():
        assert draws.shape == (3,)
        assert len(set(draws)) == 3
        np.testing.assert_array_equal(draws, second.independence[name])
    for name, draws in first.rotation.items():
        assert len(set(draws)) == 3
        np.testing.assert_array_equal(draws, second.rotation[name])


def test_floors_by_rank_are_close_to_those_by_value_on_normal_latents(rng):
    z = rng.standard_normal((600, 4))
    latents = [z + 0.3 * rng.standard_normal(z.shape) for _ in range(2)]
    fit = np.arange(600) % 2 == 0
    by_value, by_rank = (
        score_pairs(latents, fit, correlation=correlation, floor_draws=60, rng=rng).pairs[0]
        for correlation in ("pearson", "spearman")
    )
    for sample in ("in", "out"):
        name = ScoreName("strong_mcc", None, sample)
        assert by_rank.rotation[name].mean() == pytest.approx(by_value.rotation[name].mean(), abs=0.04)
        assert by_rank.independence[name].mean() == pytest.approx(by_value.independence[name].mean(), abs=0.02)
        assert by_rank.rotation[name].mean() < by_rank.values[name] - 0.05


def test_sources_are_one_side_of_every_pair(latents, sources, rng):
    scored = score_sources(latents, sources, FIT, floor_draws=2, rng=rng)
    assert [(pair.a, pair.b) for pair in scored.pairs] == [(0, -1), (1, -1), (2, -1), (3, -1)]
    assert len(scored.dead) == 5
    for pair in scored.pairs:
        assert pair.values[ScoreName("strong_mcc", None, "out")] == pytest.approx(strong_mcc(latents[pair.a], sources, FIT))


def test_dead_and_dependent_dimensions_are_told(latents, rng):
    latents[1][:, 3] = 0.1
    latents[2][:, 4] = latents[2][:, 0] - latents[2][:, 1]
    scored = score_pairs(latents, FIT, floor_draws=2, rng=rng)
    assert scored.dead == ((), (3,), (), ())
    assert scored.warnings == ("latents 2: its 5 dimensions that vary span only 4 directions",)
    for pair in scored.pairs:
        assert np.isfinite(list(pair.values.values())).all()
        assert all(np.isfinite(draws).all() for draws in [*pair.independence.values(), *pair.rotation.values()])
    np.testing.assert_array_equal(scored.pairs[0].parts["strong_mcc"].matching[-1, 1], 3)
    assert scored.pairs[0].parts["strong_mcc"].inside[-1] == 0.0


def test_unequal_dimensions_need_permission_and_are_counted_by_the_matching(latents, rng):
    latents[1] = latents[1][:, :3]
    with pytest.raises(BadData, match="latents 0 and latents 1 have 5 and 3 dimensions"):
        score_pairs(latents, FIT, rng=rng)
    score_pairs(latents, FIT, pairs=[(0, 2)], floor_draws=0, rng=rng)
    pair = score_pairs(latents, FIT, floor_draws=2, rng=rng, allow_unequal=True).pairs[0]
    assert pair.parts["strong_mcc"].matching.shape == (3, 2)


def test_fewer_rows_than_dimensions_are_refused_and_few_are_warned_of(rng):
    few = rng.standard_normal((2, 30, 10))
    fit = np.arange(30) < 10
    with pytest.raises(BadData, match="10 rows to fit on for 10 dimensions"):
        score_pairs(few, fit, rng=rng)
    scored = score_pairs(few, np.arange(30) < 19, floor_draws=1, rng=rng)
    assert scored.warnings == (
        "only 19 rows to fit on for 10 dimensions: in-sample scores are mostly chance below 20",
        "weak_mcc: left out, since 19 rows to fit on for 10 dimensions leave it arbitrary; 20 are needed",
    )
    assert "weak_mcc" not in {name.metric for name in scored.pairs[0].values}
    enough = score_pairs(few, np.arange(30) < 20, floor_draws=1, rng=rng)
    assert enough.warnings == ()
    assert "weak_mcc" in {name.metric for name in enough.pairs[0].values}
    with pytest.raises(UsageError, match=r"^weak_mcc: left out, since 19 rows"):  # and nothing else was asked for
        score_pairs(few, np.arange(30) < 19, scores=["weak_mcc"], rng=rng)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda z: z[2].__setitem__(([7, 9], 3), np.nan), "latents 2: dimension 3 holds 2 NaN or infinite values"),
        (lambda z: z[0].__setitem__((0, [1, 4]), np.inf), "latents 0: dimension 1 .* 2 NaN or infinite values"),
        (lambda z: z.__setitem__(1, z[1][:-1]), "latents 1 has 239 rows, latents 0 has 240"),
        (lambda z: z.__setitem__(1, z[1][:, 0]), r"latents 1: shape \(240,\)"),
        (lambda z: z.__setitem__(1, z[1].astype(str)), "expected a table of numbers"),
        (lambda z: z.__setitem__(1, z[1].astype(np.float64) * 1e200), "exceed the range of float64"),
    ],
)
def test_unusable_latents_are_refused(latents, rng, spoil, message):
    spoil(latents)
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(BadData, match=message):
        score_pairs(latents, FIT, rng=rng)


def test_an_unusable_split_or_k_is_refused(latents, rng):
    with pytest.raises(BadData, match="mask of fit rows"):
        score_pairs(latents, FIT[:-1], rng=rng)
    with pytest.raises(BadData, match="0 of 240 rows are left to score on"):
        score_pairs(latents, np.ones(N, dtype=bool), rng=rng)
    with pytest.raises(UsageError, match="at least one"):
        score_pairs(latents, FIT, k=0, rng=rng)


def test_sources_are_named_in_errors(latents, sources, rng):
    sources[5, 2] = np.nan
    with pytest.raises(BadData, match="sources: dimension 2"):
        score_sources(latents, sources, FIT, rng=rng)


def test_moments_alone_give_the_same_scores_and_rotations_and_a_floor_of_their_own(latents):
    rows = Evidence.of_rows(latents, FIT)
    moments = Evidence.of_moments(Halves.of_rows(latents, FIT), rows.names, rows.seeds)
    by_rows, by_moments = (score(of, k=2, floor_draws=60, rng=np.random.default_rng(1)) for of in (rows, moments))
    for ours, theirs in zip(by_moments.pairs, by_rows.pairs, strict=True):
        assert ours.values == theirs.values
        for name, draws in ours.rotation.items():
            np.testing.assert_array_equal(draws, theirs.rotation[name])
        for name, draws in ours.independence.items():
            permuted = theirs.independence[name]
            error = np.hypot(draws.std(), permuted.std()) / np.sqrt(60)
            assert 0 < abs(draws.mean() - permuted.mean()) < 4.5 * error


def test_the_number_of_threads_changes_no_bit(latents):
    evidence = Evidence.of_moments(Halves.of_rows(latents, FIT), list("abcd"), range(4))
    with single_threaded():
        alone = score(evidence, floor_draws=2, rng=np.random.default_rng(2))
    together = score(evidence, floor_draws=2, rng=np.random.default_rng(2))
    for one, other in zip(alone.pairs, together.pairs, strict=True):
        assert one.values == other.values
        assert {name: draws.tolist() for name, draws in one.independence.items()} == {
            name: draws.tolist() for name, draws in other.independence.items()
        }


def test_floors_of_some_pairs(latents, rng):
    scored = score(Evidence.of_rows(latents, FIT), floor_groups=[[(0, 2)], [(1, 3)]], floor_draws=3, rng=rng)
    drawn = {(pair.a, pair.b): {len(draws) for draws in pair.independence.values()} for pair in scored.pairs}
    assert drawn == {(0, 1): set(), (0, 2): {3}, (0, 3): set(), (1, 2): set(), (1, 3): {3}, (2, 3): set()}
    assert [len(pair.rotation) > 0 for pair in scored.pairs] == [False, True, False, False, True, False]
    assert all(np.isfinite(draws).all() and len(draws) == 3 for pair in scored.pairs for draws in pair.rotation.values())


def test_pairs_of_all_shapes_are_scored_together(latents, rng):
    latents = [*latents, latents[0][:, :3], latents[1][:, :3], np.column_stack([latents[0][:, :4], latents[0][:, 0]])]
    together = score_pairs(latents, FIT, floor_draws=2, rng=rng, allow_unequal=True)
    for pair in together.pairs:
        alone = score_pairs([latents[pair.a], latents[pair.b]], FIT, floor_draws=0, rng=rng, allow_unequal=True).pairs[0]
        assert pair.values == pytest.approx(alone.values, abs=1e-9)


def test_moments_of_too_few_rows_are_refused(rng):
    halves = Halves.of_rows(rng.standard_normal((2, 30, 10)), np.arange(30) < 10)
    with pytest.raises(BadData, match="10 rows to fit on for 10 dimensions"):
        Evidence.of_moments(halves, ["a", "b"], [0, 1])


def test_by_rank_restarts_that_are_monotone_maps_of_each_other_agree_in_every_score():
    """Decorrelation, too, is of ranks: by values it gave 0.98."""
    z = np.random.default_rng(0).standard_normal((2000, 4))
    mapped = np.column_stack([np.exp(z[:, 1]), -(z[:, 0] ** 3), np.tanh(z[:, 3]), z[:, 2] + 5])
    scored = score_pairs(
        [z, mapped], np.arange(2000) % 2 == 0, correlation="spearman", floor_draws=2, rng=np.random.default_rng(1)
    )
    assert all(value == pytest.approx(1.0, abs=1e-9) for value in scored.pairs[0].values.values())


def chatty(a, b):
    """A score that says something every time."""
    print("working")  # noqa: T201 -- as functions of users do
    return float(np.corrcoef(a[:, 0], b[:, 0])[0, 1])


@pytest.mark.slow
def test_what_scores_print_goes_to_stderr_and_stdout_is_as_it_was(capsys, monkeypatch):
    """Threads that exchanged it by themselves would leave it exchanged."""
    module = ModuleType("module_of_a_test")
    module.chatty = chatty
    monkeypatch.setitem(sys.modules, "module_of_a_test", module)
    monkeypatch.setattr(threads, "_threads", lambda: 4)
    rng = np.random.default_rng(0)
    latents = [rng.normal(size=(2000, 20)) for _ in range(8)]
    before = sys.stdout
    names = ["cka", "mean_cosine", "identity_r2", "module_of_a_test:chatty"]
    score_pairs(latents, np.arange(2000) % 2 == 0, scores=names, floor_draws=10, rng=np.random.default_rng(0))
    assert sys.stdout is before
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("working") > 100
