"""Families over configurations: Willetts' tables, Friedman against scipy, and what is unmatched."""

import numpy as np
import pytest
from scipy import stats

from stabaudit.statistics.families import Configuration, compare_families, friedman_statistic


def table(*rows):
    return {Configuration("mlp", f"data{i}", 10): values for i, values in enumerate(rows)}


@pytest.mark.parametrize("seed", range(5))
def test_friedman_with_ties_is_scipys(seed):
    values = np.random.default_rng(seed).integers(0, 4, (8, 3)).astype(float)
    assert friedman_statistic(values) == pytest.approx(stats.friedmanchisquare(*values.T).statistic)


def test_friedman_of_families_that_always_tie():
    assert friedman_statistic(np.ones((4, 3))) == 0


def test_what_only_some_families_have_is_named():
    tests = compare_families(table({"a": 1.0, "b": 2.0}, {"a": 1.0, "c": 3.0}, {"a": 2.0, "b": 4.0}), score="mcc")
    assert [(c.family_a, c.family_b, c.n) for c in tests.comparisons] == [("a", "b", 2), ("a", "c", 1)]
    assert [(str(configuration), missing) for configuration, missing in tests.unmatched] == [
        ("mlp data0 d=10", ("c",)),
        ("mlp data1 d=10", ("b",)),
        ("mlp data2 d=10", ("c",)),
    ]
    assert tests.friedman is None


def test_swapping_two_families_changes_signs_only():
    rng = np.random.default_rng(0)
    values = rng.uniform(size=(9, 2))
    (forward,) = compare_families(table(*({"a": x, "b": y} for x, y in values)), score="s").comparisons
    (backward,) = compare_families(table(*({"b": y, "a": x} for x, y in values)), score="s").comparisons
    assert (forward.p, forward.statistic) == (backward.p, backward.statistic)
    assert forward.rank_biserial == pytest.approx(-backward.rank_biserial)
    assert forward.hodges_lehmann == pytest.approx(-backward.hodges_lehmann)
    assert forward.hodges_lehmann_low == pytest.approx(-backward.hodges_lehmann_high)


def test_configurations_of_one_block_flip_together():
    rows = {Configuration("mlp", "mnist", d): {"a": 0.5 + d / 1000, "b": 0.4} for d in (10, 20, 30, 40, 50, 60)}
    (comparison,) = compare_families(rows, score="mcc").comparisons
    assert comparison.p == pytest.approx(2**-5)
    assert (comparison.p_block, comparison.min_p_block) == (1.0, 1.0)
