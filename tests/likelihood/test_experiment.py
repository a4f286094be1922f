"""Simulated likelihood profiles: models against quadrature and brute force, and counts that can fail."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from stabaudit.errors import UsageError
from stabaudit.likelihood import relu_models
from stabaudit.likelihood.experiment import Design, fold, folded, judge, remark, simulate
from stabaudit.likelihood.profiles import Profile, trace
from stabaudit.likelihood.relu_models import ReLUMixture, draw_model
from stabaudit.likelihood.results import Fit, Judged, tally

pytestmark = pytest.mark.slow


def drawn(seed, hidden=3, components=2):
    return draw_model(hidden, components, 0.1, rng=np.random.default_rng(seed))


def decoded(model, z):
    return np.maximum(np.multiply.outer(z, model.weight) + model.bias, 0) @ model.out


def density(model, x):
    """p(x) by integration over z, component by component."""

    def joint(z, component):
        seen = stats.norm.pdf(x, decoded(model, z), model.noise)
        return seen * stats.norm.pdf(z, model.mean[component], model.sd[component])

    z = np.linspace(-10, 10, 20_001)
    return sum(share * integrate.simpson(joint(z, component), x=z) for component, share in enumerate(model.share))


def log_likelihood(model, x):
    return model.family().log_likelihood(torch.as_tensor(x)).numpy()


@pytest.mark.parametrize("components", [1, 2, 3])
def test_the_likelihood_equals_numerical_integration(components):
    model = drawn(components, components=components)
    x = model.rows(8, rng=np.random.default_rng(0))
    for version in (model, model.split(), *([model.merged()] if components > 1 else [])):
        expected = [np.log(density(version, row)) for row in x[:, 0]]
        np.testing.assert_allclose(log_likelihood(version, x), expected, rtol=2e-5)


def test_rows_follow_the_model():
    model = drawn(3, components=3)
    x = np.linspace(-25, 25, 5001)
    cdf = integrate.cumulative_simpson(np.exp(log_likelihood(model, x[:, None])), x=x, initial=0)
    assert cdf[-1] == pytest.approx(1, abs=1e-6)
    rows = model.rows(3000, rng=np.random.default_rng(1))[:, 0]
    assert stats.kstest(rows, lambda at: np.interp(at, x, cdf)).pvalue > 0.001


def test_halves_are_the_same_distribution_and_a_merger_keeps_mean_and_variance():
    model = drawn(0, components=3)
    x = model.rows(50, rng=np.random.default_rng(0))
    np.testing.assert_allclose(log_likelihood(model.split(), x), log_likelihood(model, x), rtol=1e-12)

    def moments(one):
        mean = one.share @ one.mean
        return mean, one.share @ (one.sd**2 + (one.mean - mean) ** 2)

    merged = model.merged()
    assert len(merged.mean) == 2
    assert merged.share.sum() == pytest.approx(1)
    assert moments(merged) == pytest.approx(moments(model))
    near = replace(model, mean=np.array([3.0, -2.0, 3.2]), sd=np.ones(3), share=np.full(3, 1 / 3)).merged()
    np.testing.assert_allclose(near.mean, [-2, 3.1])


def preimages(model, level):
    """How many z a decoder maps to a level that it has at no kink, piece by piece; the outer pieces end far away."""
    ends = np.concatenate([[-1e7], np.sort(-model.bias / model.weight), [1e7]])
    above = decoded(model, ends) > level
    return np.count_nonzero(above[1:] != above[:-1])


def test_injectivity_is_what_counting_preimages_says():
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(300):
        hidden = int(rng.integers(1, 4))
        weight, bias, out = rng.choice([-1, 1], (3, hidden)) * rng.uniform(0.5, 1.5, (3, hidden))
        model = ReLUMixture(weight, bias, out, np.ones(1), np.zeros(1), np.ones(1), 0.1)
        corners = np.sort(decoded(model, -bias / weight))
        levels = [corners[0] - 1, corners[0] - 0.1, *(corners[1:] + corners[:-1]) / 2, corners[-1] + 0.1, corners[-1] + 1]
        counts = np.array([preimages(model, level) for level in levels if np.abs(corners - level).min() > 1e-6])
        assert model.weakly_injective == (counts == 1).any()
        slopes = np.diff(decoded(model, np.linspace(-50, 50, 4001)))
        assert model.injective == bool((slopes > 1e-9).all() or (slopes < -1e-9).all())
        assert model.weakly_injective or not model.injective  # F4 ⟹ F2
        seen.add((model.weakly_injective, model.injective))
    assert seen == {(False, False), (True, False), (True, True)}


def test_draws_are_as_described_and_decided_by_the_seed():
    for seed in range(30):
        model = drawn(seed, components=3)
        assert np.diff(np.sort(model.mean)).min() >= 1
        z = model.mean[:, None] + model.sd[:, None] * stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
        active = (np.multiply.outer(z, model.weight) + model.bias > 0).mean(1)
        assert (model.share @ active).min() >= 0.1 - 1e-3
        steep = np.abs(decoded(model, z + 1e-7) - decoded(model, z)) > 0.3e-7 - 1e-12
        assert steep.mean(1).min() >= 0.5 - 1e-3
    assert np.array_equal(drawn(5).bias, drawn(5).bias)
    assert not np.array_equal(drawn(5).bias, drawn(6).bias)


def test_what_cannot_be_drawn_is_said(monkeypatch):
    monkeypatch.setattr(relu_models, "_TRIES", 100)
    with pytest.raises(UsageError, match="--components 12 --hidden 1: none of 100 models has means 1 apart"):
        drawn(0, hidden=1, components=12)


def test_minima_come_nearer_to_the_truth_with_more_rows():
    model = drawn(1, hidden=2)
    family = model.family()
    rng = np.random.default_rng(0)
    distances = []
    for rows in (100, 10_000):
        x = torch.as_tensor(model.rows(rows, rng=rng))
        distances.append(
            [
                abs(
                    trace(
                        lambda v, name=name, x=x: family.profile(x, name, 0, torch.as_tensor(v)).numpy(), truth, 1.0, rows
                    ).minimiser
                    - truth
                )
                for name, truth in (("weight", model.weight[0]), ("mixture_mean", model.mean[0]))
            ]
        )
    assert max(distances[1]) < 0.03
    assert sum(distances[1]) < sum(distances[0])


@pytest.fixture(scope="module")
def two():
    """A model of two components, rows of it and their fits."""
    model = drawn(5, hidden=2)
    x = model.rows(400, rng=np.random.default_rng(1))
    return model, x, judge(model, x, 7)


def test_the_truth_is_the_only_minimiser_where_theory_says_so(two):
    model, _, fits = two
    assert model.weakly_injective
    assert [(fit.simulation, fit.components, fit.fitted, len(fit.judged)) for fit in fits] == [
        (7, 2, 1, 9),
        (7, 2, 2, 13),
        (7, 2, 3, 16),
    ]
    assert fits[1].truth_only
    assert fits[2].truth_only


def test_profiles_of_halves_that_are_not_computed_are_what_they_would_be(two):
    model, x, (_, right, halves) = two
    family = model.split().family()
    assert len(halves.judged) == len(right.judged) + 3
    for one in halves.judged:
        again = family.profile(torch.as_tensor(x), one.parameter, one.position, torch.as_tensor(one.profile.values))
        np.testing.assert_allclose(again.numpy(), one.profile.loss, rtol=1e-10)


def test_a_model_that_is_not_identified_is_not_counted():
    """The means −2, −1, 3 and −2, 1, 3 with f(z) = |z|: two minima along the second mean, equally low."""
    model = folded((-2, -1, 3), 0.1)
    right = judge(model, model.rows(150, rng=np.random.default_rng(0)))[1]
    (second,) = (one for one in right.judged if (one.parameter, one.position) == ("mixture_mean", 1))
    assert second.verdict == "another"
    values, deviance = second.profile.values, second.profile.deviance
    assert deviance[values > 0].min() == pytest.approx(deviance[values < 0].min(), abs=0.1)
    assert not right.truth_only
    assert not right.weakly_injective


def test_rows_of_another_model_rule_the_truth_out():
    model = drawn(1, hidden=2)
    other = replace(model, mean=model.mean + np.array([0.5, 0]))
    right = judge(model, other.rows(300, rng=np.random.default_rng(0)))[1]
    assert right.count("elsewhere") >= 1
    assert not right.truth_only


def test_a_unit_that_is_never_active_is_not_bounded():
    model = drawn(1, hidden=2)
    dead = replace(model, weight=np.append(model.weight, 1.0), bias=np.append(model.bias, -60.0), out=np.append(model.out, 1.0))
    right = judge(dead, dead.rows(200, rng=np.random.default_rng(0)))[1]
    flat = {(one.parameter, one.position) for one in right.judged if one.verdict == "flat"}
    assert {("bias", 2), ("out", 2)} <= flat
    assert not right.truth_only


@pytest.mark.slow
def test_a_simulation_depends_on_the_seed_and_its_number_alone():
    few, more, others = (
        [fit for fits in simulate(Design(count, None, 1, 30, seed=seed)) for fit in fits]
        for count, seed in ((1, 3), (2, 3), (1, 4))
    )
    assert [(fit.simulation, fit.fitted) for fit in more] == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (1, 4)]

    def losses(fits):
        return [one.profile.loss.tolist() for fit in fits if fit.simulation == 0 for one in fit.judged]

    assert losses(few) == losses(more) != losses(others)


def test_remark_3_12_is_recognised():
    found = remark(0.1)
    assert found.same_data
    assert (found.means_p, found.means_q) == ((-2, -1, 3), (-2, 1, 3))
    assert 0.2 < found.relative < 1
    assert not fold((-2, 1, -2.5), (-2, 1, 3), 0.1).same_data
    mirrored = fold((-2, -1, 3), (2, 1, -3), 0.1)
    assert mirrored.same_data
    assert mirrored.relative < 1e-6


def test_tallies_count_fits_by_kind():
    values = np.linspace(-1, 1, 21)

    def fit(fitted, weakly, *verdicts):
        judged = tuple(Judged("weight", 0, Profile(0.0, values, values**2, 10), verdict) for verdict in verdicts)
        return Fit(0, 2, fitted, weakly_injective=weakly, injective=False, limit=10.0, judged=judged)

    found = tally(
        [
            fit(1, True, "elsewhere"),
            fit(2, False, "only", "another"),
            fit(2, True, "only", "only"),
            fit(2, True, "only", "flat"),
            fit(3, True, "only"),
        ]
    )
    assert [(one.excess, one.weakly_injective, one.simulations, one.truth_only, one.profiles) for one in found] == [
        (0, True, 2, 1, 4),
        (0, False, 1, 0, 2),
        (-1, True, 1, 0, 1),
        (1, True, 1, 1, 1),
    ]
    assert [(one.elsewhere, one.another, one.flat) for one in found] == [(0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 0, 0)]
    assert (found[1].ci_low, found[1].ci_high) == pytest.approx((0, 0.975))
