"""What theorems promise of models whose facts are written down: the class, the theorem, and what keeps the next class back."""

from dataclasses import replace

import numpy as np
import pytest

from stabaudit.theory import ivae, kivva
from stabaudit.theory.conditions import Claim, Condition
from stabaudit.theory.facts import Components, DecoderFacts, ModelFacts
from stabaudit.theory.promise import promise
from stabaudit.theory.wang import collapsed

AFFINE = DecoderFacts(3, 5, 64, 1e-12, 1, 3, 0.0, 2.0, 64, 0, proof="affine, of full rank")
RELU = DecoderFacts(3, 5, 64, 1e-12, 40, 3, 0.0, 4.0, 64, 0)
SMOOTH = DecoderFacts(3, 5, 64, 1e-4, 64, 3, 0.0, 4.0, 64, 0)
SLOPES = np.ones(3)


def mixture(log_var, mean=None, rows=3000):
    log_var = np.array(log_var, dtype=float)
    mean = np.arange(log_var.size, dtype=float).reshape(log_var.shape) ** 1.5 if mean is None else mean
    return Components(np.full(len(log_var), 1 / len(log_var)), mean, log_var, rows)


DISTINCT = mixture([[0, 0, 0], [1, 2, 3], [0.5, 0.1, -1]])
PROPORTIONAL = mixture([[0, 0, 0], [1, 1, 1], [-1, -1, -1]])


def model(decoder=RELU, prior="gaussian", noise="known", **other):
    return ModelFacts(3, prior, noise, False, decoder, SLOPES, **other)


def said(facts):
    found = promise(facts)
    return found.identified, found.theorem, found.state


def test_a_linear_gaussian_model_is_promised_up_to_a_rotation():
    assert said(model(AFFINE)) == ("orthogonal", "Tipping & Bishop 1999, §3.2", "holds")
    assert promise(model(AFFINE, noise="learned")).identified == "orthogonal"  # x has more dimensions than z
    square = replace(AFFINE, outputs=3)
    assert promise(model(square, noise="learned")).identified == "none"


def test_linear_ica_is_promised_up_to_a_permutation():
    assert said(model(AFFINE, "laplace")) == ("permutation", "Comon 1994, Theorem 11", "holds")
    found = promise(model(AFFINE, "laplace", noise="learned"))
    assert (found.identified, found.possible, [one.name for one in found.missing]) == ("none", "permutation", ["noise"])


@pytest.mark.parametrize("prior", ["gaussian", "laplace"])
def test_one_factorial_prior_identifies_nothing_through_a_smooth_decoder(prior):
    found = promise(model(SMOOTH, prior))
    assert (found.identified, found.possible) == ("none", None)
    states = {one.name: one.state for one in found.conditions}
    assert states["u"] == "fails"
    assert states["F1"] == "fails"


def test_one_standard_component_behind_a_piecewise_affine_decoder_can_only_be_turned():
    found = promise(model(RELU))
    assert (found.identified, found.state) == ("orthogonal", "not refuted")
    assert "3.9" in found.theorem


def test_mixtures_by_what_their_components_are():
    assert said(model(prior="mixture", facets=(PROPORTIONAL,)))[0] == "affine"
    assert promise(model(prior="mixture", facets=(PROPORTIONAL,))).prior == "affine"
    assert said(model(prior="mixture", facets=(DISTINCT,)))[:2] == ("permutation", "Kivva 2022, Theorem 3.9 (b), (c)")
    one = mixture([[0.3, 0.1, -0.2]])
    assert said(model(prior="mixture", facets=(one,)))[0] == "affine"
    assert said(model(SMOOTH, "mixture", facets=(DISTINCT,)))[0] == "none"
    missing = promise(model(prior="mixture", facets=(PROPORTIONAL,))).missing
    assert [(c.name, c.state) for c in missing] == [("P2", "fails")]


def test_ratios_that_chance_could_have_made_are_undecided():
    close = mixture([[0, 0, 0], [0.1, 0.2, 0.3]], rows=200)
    found = promise(model(prior="mixture", facets=(close,)))
    assert (found.identified, found.possible) == ("affine", "permutation")
    assert [(c.name, c.state) for c in found.missing] == [("P2", "undecided")]
    assert promise(model(prior="mixture", facets=(replace(close, rows=20_000),))).identified == "permutation"


def test_equal_ratios_are_called_different_in_at_most_five_per_cent():
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(400):
        rows, components = 500, 5
        samples = rng.standard_normal((components, rows, 2)) * np.array([1.0, 2.0])
        estimated = mixture(np.log(samples.var(axis=1)), mean=5.0 * np.arange(10.0).reshape(5, 2), rows=rows * components)
        (condition,) = (c for c in kivva.prior_conditions(model(prior="mixture", facets=(estimated,))) if c.name == "P2")
        wrong += condition.state == "holds"
    assert wrong <= 0.08 * 400


def test_the_standard_error_of_a_gap_is_that_of_simulated_variances():
    rng = np.random.default_rng(1)
    gaps, error = [], 0.0
    for _ in range(2000):
        variances = [rng.standard_normal((n, 2)).var(axis=0) for n in (300, 600)]
        ratios = np.log(variances[0]) - np.log(variances[1])
        gaps.append(ratios[0] - ratios[1])
    both = Components(np.array([1 / 3, 2 / 3]), np.array([[0.0, 0.0], [9.0, 9.0]]), np.array([[0.0, 0.0], [1.0, 3.0]]), 900)
    gap = kivva.widest_gap((both,))
    error = gap.smallest / gap.standard_errors
    assert gap.smallest == pytest.approx(2.0)
    assert np.std(gaps) == pytest.approx(error, rel=0.06)


def test_components_without_rows_or_alike_are_not_counted():
    twice = mixture([[0, 0, 0], [0, 0, 0], [1, 2, 3]], mean=np.array([[0.0] * 3, [0.0] * 3, [4.0] * 3]))
    assert kivva.used(twice).tolist() == [0, 2]
    rare = replace(twice, weight=np.array([0.6, 0.3999, 0.0001]), rows=1000)
    assert kivva.used(rare).tolist() == [0]
    assert promise(model(prior="mixture", facets=(rare,))).identified == "affine"


def test_overlap_is_the_integral_of_the_root_of_both_densities():
    mean, log_var = np.array([[0.3, -1.0], [1.1, 0.4]]), np.array([[0.2, -0.5], [1.0, 0.3]])
    grid = np.linspace(-15, 15, 20_001)
    expected = 1.0
    for k in range(2):
        p, q = (
            np.exp(-0.5 * (grid - m) ** 2 / np.exp(v)) / np.sqrt(2 * np.pi * np.exp(v))
            for m, v in zip(mean[:, k], log_var[:, k], strict=True)
        )
        expected *= np.trapezoid(np.sqrt(p * q), grid)
    found = kivva.overlaps(Components(np.array([0.5, 0.5]), mean, log_var, 10))
    assert found[0, 1] == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(np.diag(found), 1.0)


def test_facets_are_searched_together():
    one, other = mixture([[0], [1.0]]), mixture([[0], [2.5]])
    two = ModelFacts(2, "mixture", "known", False, replace(RELU, dimensions=2, rank=2), np.ones(2), facets=(one, other))
    found = promise(two)
    assert (found.identified, found.theorem) == ("permutation", "Kivva 2022, Theorem 3.10 (b), (d)")
    assert kivva.widest_gap((one, other)).smallest == pytest.approx(1.5)
    assert promise(replace(two, facets=(one, one))).identified == "affine"
    assert {c.name: c.state for c in found.conditions}["P3"] == "undecided"


def test_a_decoder_that_doubles_every_point_or_some():
    every, some = replace(RELU, doubled=64), replace(RELU, doubled=3)
    found = promise(model(every, "mixture", facets=(DISTINCT,)))
    assert (found.identified, found.prior) == ("none", "none")
    assert {c.name: c.state for c in found.conditions if c.name[0] == "F"} == {
        "F1": "holds",
        "F2": "fails",
        "F3": "fails",
        "F4": "fails",
    }
    found = promise(model(some, "mixture", facets=(DISTINCT,)))
    assert (found.identified, found.missing[0].name) == ("none", "F4")
    assert (found.prior, found.prior_theorem) == ("permutation", "Kivva 2022, Theorem 3.9 (b)")
    flat = promise(model(replace(RELU, singular=0.1), "mixture", facets=(DISTINCT,)))  # a dead region, as of ReLU (Example 3.4)
    assert {c.name: c.state for c in flat.conditions if c.name[0] == "F"} == {
        "F1": "holds",
        "F2": "not refuted",
        "F3": "not refuted",
        "F4": "fails",
    }


def test_a_jacobian_of_low_rank_or_more_latents_than_data():
    low = promise(model(replace(RELU, rank=2), "mixture", facets=(DISTINCT,)))
    assert low.identified == "none"
    assert (low.missing[0].state, low.missing[0].amount) == ("fails", 1.0)
    wide = promise(model(replace(RELU, outputs=2), "mixture", facets=(DISTINCT,)))
    assert wide.identified == "none"
    assert "z has 3 dimensions and x only 2" in wide.missing[0].evidence


def test_noise_that_is_no_known_gaussian_leaves_it_open():
    found = promise(model(prior="mixture", noise="other", facets=(DISTINCT,)))
    assert (found.identified, found.possible) == ("none", "permutation")
    assert [c.name for c in found.missing] == ["noise"]


def conditional(seed=0, values=8, d=3, **other):
    rng = np.random.default_rng(seed)
    known = Components(np.full(values, 1 / values), rng.normal(size=(values, d)), rng.normal(size=(values, d)), 8000)
    return model(SMOOTH, "conditional", conditional=replace(known, **other))


def test_ivae_with_enough_segments():
    assert said(conditional())[:2] == ("permutation", "Khemakhem 2019, Theorem 1 with T = (z, z²)")
    zero = replace(conditional(values=4), zero_mean=True)
    assert said(zero)[:2] == ("permutation", "Khemakhem 2019, Theorem 2")


def test_ivae_with_one_value_too_few():
    found = promise(conditional(values=6))
    assert found.identified == "none"
    assert (found.missing[0].name, found.missing[0].amount, found.missing[0].evidence) == (
        "L",
        1.0,
        "u takes 6 values, 7 are needed (k·d + 1)",
    )


def test_ivae_whose_parameters_lie_in_a_plane():
    rng = np.random.default_rng(3)
    flat = rng.normal(size=(9, 2)) @ rng.normal(size=(2, 3))
    found = promise(
        replace(conditional(log_var=-np.log(20 + flat), mean=np.zeros((9, 3)), weight=np.full(9, 1 / 9)), zero_mean=True)
    )
    assert found.identified == "none"
    assert (found.missing[0].evidence, found.missing[0].amount) == ("rank 2 of 3", 1.0)


def test_ivae_whose_u_moves_means_alone_is_affine():
    found = promise(conditional(log_var=np.zeros((8, 3))))
    assert (found.identified, found.theorem) == ("affine", "Khemakhem 2019, Theorem 1 with T = z")


def test_ivae_with_a_piecewise_affine_decoder_is_a_mixture_too():
    same = replace(conditional(values=4), decoder=RELU)  # three values fewer than the seven that L needs
    assert promise(same).identified == "permutation"
    assert "Kivva" in promise(same).theorem


def test_t_of_z_and_its_square_leaves_order_scale_and_shift():
    """(z, z²) = A (z′, z′²) + c for a linear z = B z′ + b has a solution A only if every row of B has one entry."""
    rng = np.random.default_rng(0)
    other = rng.normal(size=(500, 3))
    statistics = np.column_stack([other, other**2, np.ones(500)])

    def unexplained(mixing):
        z = other @ mixing.T + 0.7
        left = np.column_stack([z, z**2])
        fitted, *_ = np.linalg.lstsq(statistics, left, rcond=None)
        return np.abs(left - statistics @ fitted).max()

    assert unexplained(np.array([[0, 2.0, 0], [-1, 0, 0], [0, 0, 0.5]])) < 1e-9
    assert unexplained(np.array([[1.0, 0.2, 0], [0, 1, 0], [0, 0, 1]])) > 0.1


def test_singular_values_of_the_differences_are_those_of_the_matrix_written_out():
    rng = np.random.default_rng(2)
    parameters = rng.normal(size=(5, 4))
    matrix = np.array([[parameters[u, row] - parameters[0, row] for u in range(1, 5)] for row in range(4)])
    np.testing.assert_allclose(
        ivae.singular_values(parameters) ** 2, np.sort(np.linalg.eigvalsh(matrix @ matrix.T))[::-1], rtol=1e-9
    )
    assert ivae.singular_values(parameters[:3])[2:].tolist() == [0, 0]


def test_an_ill_conditioned_matrix_is_undecided():
    log_var = np.random.default_rng(0).normal(size=(8, 3))
    log_var[:, 0] = 1e-5 * log_var[:, 0]
    found = promise(replace(conditional(log_var=log_var), zero_mean=True))
    assert (found.identified, found.possible, found.missing[0].name) == ("none", "permutation", "L")


def test_collapsed_dimensions_are_left_out_and_named():
    found = promise(replace(model(replace(AFFINE, dimensions=2, rank=2)), slopes=np.array([1.0, 0.0, 2.0])))
    assert (found.identified, found.collapsed, found.dimensions) == ("orthogonal", (1,), 3)
    condition = next(c for c in found.conditions if c.name == "collapse")
    assert (condition.state, condition.amount) == ("fails", 1.0)
    assert "z1" in condition.evidence
    assert collapsed(np.zeros(2), None) == (0, 1)
    assert promise(replace(model(AFFINE), slopes=np.zeros(3))).identified == "none"


def test_a_family_that_says_nothing_of_its_prior_or_has_no_decoder():
    found = promise(model(prior=None))
    assert (found.identified, found.possible) == ("none", "permutation")
    without = promise(ModelFacts(3, "gaussian", "known", False, None))
    assert without.identified == "none"
    assert all(c.state == "undecided" for c in without.conditions if c.name in {"F1", "F2", "F3", "F4", "collapse"})


def test_a_claim_is_as_good_as_its_worst_condition():
    known = {
        name: Condition(name, "", "", state, "")
        for name, state in zip("abcd", ("holds", "not refuted", "undecided", "fails"), strict=True)
    }
    assert [Claim("affine", "", tuple("abcd"[:n])).state(known) for n in (1, 2, 3, 4)] == [
        "holds",
        "not refuted",
        "undecided",
        "fails",
    ]
    assert [one.name for one in Claim("affine", "", tuple("abcd")).missing(known)] == ["d", "c"]
