"""Families over configurations: Willetts' tables, Friedman against scipy and enumeration, and what is unmatched."""

import csv
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from stabaudit.statistics.families import (
    Configuration,
    compare_families,
    friedman_exact_p,
    friedman_statistic,
)

FIXTURE = Path(__file__).parents[2] / "fixtures" / "willetts2021-mcc.csv"


def table(*rows):
    return {Configuration("mlp", f"data{i}", 10): values for i, values in enumerate(rows)}


@pytest.mark.parametrize("seed", range(5))
def test_friedman_with_ties_is_scipys(seed):
    values = np.random.default_rng(seed).integers(0, 4, (8, 3)).astype(float)
    assert friedman_statistic(values) == pytest.approx(stats.friedmanchisquare(*values.T).statistic)


def test_friedman_of_families_that_always_tie():
    assert friedman_statistic(np.ones((4, 3))) == 0
    assert friedman_exact_p(np.ones((4, 3))) == 1


def friedman_by_enumeration(values):
    """Every order of every configuration's ranks, which are scipy's, one by one."""
    ranks = stats.rankdata(values, axis=1)
    tables = np.array(list(product(*(list(permutations(row)) for row in ranks))))
    observed = (ranks.sum(axis=0) ** 2).sum()
    return np.mean((tables.sum(axis=1) ** 2).sum(axis=1) >= observed - 1e-9)


@pytest.mark.parametrize(("n", "k", "levels"), [(2, 3, 9), (4, 3, 9), (4, 3, 2), (5, 3, 3), (2, 4, 9), (3, 4, 3), (1, 3, 9)])
@pytest.mark.parametrize("seed", range(3))
def test_exact_friedman_by_enumeration(n, k, levels, seed):
    values = np.random.default_rng(seed).integers(0, levels, (n, k)).astype(float)
    assert friedman_exact_p(values) == pytest.approx(friedman_by_enumeration(values))


@pytest.mark.parametrize(
    ("statistic", "rows", "p"),
    [  # Friedman's own tables (Hollander & Wolfe, A.22): four and three configurations of three families
        (6.0, ((1, 2, 3), (1, 2, 3), (2, 1, 3), (2, 1, 3)), 0.0694),
        (8.0, ((1, 2, 3),) * 4, 0.0046),
        (6.0, ((1, 2, 3),) * 3, 0.0278),
    ],
)
def test_exact_friedman_is_that_of_the_textbook(statistic, rows, p):
    values = np.array(rows, dtype=float)
    assert friedman_statistic(values) == pytest.approx(statistic)
    assert friedman_exact_p(values) == pytest.approx(p, abs=5e-5)


def test_exact_friedman_nears_chi_squared():
    values = np.random.default_rng(0).normal(size=(100, 3)) + np.array([0, 0.2, 0.3])
    assert friedman_exact_p(values) == pytest.approx(stats.friedmanchisquare(*values.T).pvalue, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "k", "method"),
    [(125, 3, "exact"), (126, 3, "chi-squared"), (4, 6, "exact"), (5, 6, "chi-squared"), (2, 8, "chi-squared")],
)
def test_friedman_says_how_p_was_found(n, k, method):
    values = np.random.default_rng(0).normal(size=(n, k))
    friedman = compare_families(table(*(dict(zip("abcdefgh", row, strict=False)) for row in values)), score="s").friedman
    assert friedman.method == method
    if method == "chi-squared":
        assert friedman.p == pytest.approx(stats.friedmanchisquare(*values.T).pvalue)
    else:
        assert friedman.p == friedman_exact_p(values)


def test_friedman_of_willetts():
    rows = {}
    with FIXTURE.open() as file:
        for row in csv.DictReader(file):
            rows.setdefault(tuple(v for name, v in row.items() if name not in {"family", "mcc"}), {})[row["family"]] = float(
                row["mcc"]
            )
    friedman = compare_families(table(*rows.values()), score="mcc").friedman
    assert (friedman.n, friedman.method) == (24, "exact")
    assert friedman.statistic == pytest.approx(12.0)
    assert stats.chi2.sf(12.0, 2) == pytest.approx(0.00248, abs=5e-6)
    assert friedman.p == pytest.approx(0.00212, abs=5e-6)


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
