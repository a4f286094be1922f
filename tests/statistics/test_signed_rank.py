"""The signed-rank test against enumeration of all signs, scipy, and the golden values of Willetts 2021."""

import csv
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from stabaudit.statistics.signed_rank import block_p, holm, signed_rank

FIXTURE = Path(__file__).parents[2] / "fixtures" / "willetts2021-mcc.csv"


@pytest.fixture(scope="module")
def willetts():
    columns = {}
    with FIXTURE.open() as file:
        for row in csv.DictReader(file):
            columns.setdefault(row["family"], []).append(float(row["mcc"]))
    return {family: np.array(values) for family, values in columns.items()}


# T, tie-aware p, p had there been no ties, rank-biserial, Hodges–Lehmann: definitions, section 5.
GOLDEN = [
    ("ivae", "vade", 121, 0.42234, 0.42234, 0.193, 0.0076),
    ("ivae", "vae", 74, 0.02910, 0.02913, 0.507, 0.0155),
    ("vae", "vade", 78, 0.03876, 0.03948, -0.48, -0.0152),
]


@pytest.mark.parametrize("golden", GOLDEN)
def test_tables_of_willetts(willetts, golden):
    a, b, statistic, p, untied, effect, shift = golden
    result = signed_rank(willetts[a] - willetts[b])
    assert result.n == 24
    assert result.statistic == statistic
    assert result.p == pytest.approx(p, abs=5e-6)
    assert stats.wilcoxon(willetts[a], willetts[b], method="exact").pvalue == pytest.approx(untied, abs=5e-6)
    assert result.rank_biserial == pytest.approx(effect, abs=5e-4)
    assert result.hodges_lehmann == pytest.approx(shift, abs=5e-5)
    assert result.interval[0] < result.hodges_lehmann < result.interval[1]
    assert (result.interval[0] > 0 or result.interval[1] < 0) == (p < 0.05)


def by_enumeration(differences, zeros):
    """p-value from every pattern of signs, ranks by scipy; zeros by Pratt, dropped, or with random signs of their own."""
    d = np.round(differences, 9)
    if zeros == "drop":
        d = d[d != 0]
    ranks = stats.rankdata(np.abs(d))
    observed = abs((ranks * np.sign(d)).sum())
    if zeros == "pratt":
        ranks = ranks[d != 0]
    sums = np.abs([np.dot(ranks, signs) for signs in product([-1, 1], repeat=len(ranks))])
    return np.mean(sums >= observed - 1e-9)


@pytest.mark.slow
@given(
    st.lists(st.integers(-4, 4), min_size=1, max_size=9),
    st.sampled_from(["pratt", "drop", "split"]),
)
def test_every_pattern_of_signs(differences, zeros):
    d = np.array(differences) / 10
    assert signed_rank(d, zeros=zeros).p == pytest.approx(by_enumeration(d, zeros))


@pytest.mark.slow
@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=30, unique=True), st.randoms(use_true_random=False))
def test_scipy_exact_without_ties(sizes, random):
    d = np.array([size * random.choice([-1, 1]) for size in sizes], dtype=float)
    expected = stats.wilcoxon(d, method="exact")
    result = signed_rank(d)
    assert result.statistic == expected.statistic
    assert result.p == pytest.approx(expected.pvalue)


def test_floating_point_noise_makes_no_false_ranks():
    noisy = np.array([0.3 - 0.2, -(0.2 - 0.1), 0.4 - 0.3, 0.9 - 0.8, 0.1])
    assert len(set(np.abs(noisy))) > 1
    assert signed_rank(noisy) == signed_rank(np.array([0.1, -0.1, 0.1, 0.1, 0.1]))


@pytest.mark.parametrize(("n", "smallest"), [(1, 1.0), (5, 0.0625), (6, 0.03125), (24, 2.0**-23)])
def test_smallest_attainable_p(n, smallest):
    result = signed_rank(np.arange(1, n + 1) / 100)
    assert result.p == result.min_p == smallest
    assert (result.interval is None) == (smallest > 0.05)


def test_all_differences_zero():
    result = signed_rank(np.zeros(7))
    assert (result.p, result.rank_biserial, result.hodges_lehmann, result.min_p) == (1.0, 0.0, 0.0, 1.0)


def test_zeros_dropped_are_not_counted():
    d = np.array([0.0, 0.0, 0.1, 0.2, -0.3])
    assert [signed_rank(d, zeros=rule).n for rule in ("pratt", "drop", "split")] == [5, 3, 5]


def test_shift_interval_is_that_of_the_textbook():
    # Hollander & Wolfe, depression scores (Hamilton scale): R's wilcox.test gives 0.460 [0.010, 0.786] with exact level 0.9609.
    first = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    second = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    result = signed_rank(first - second)
    assert result.p == pytest.approx(0.0390625)
    assert result.hodges_lehmann == pytest.approx(0.46)
    assert result.interval == pytest.approx((0.010, 0.786))


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 3)), min_size=1, max_size=10))
def test_blocks_against_every_pattern_of_their_signs(rows):
    d, blocks = np.array([r[0] for r in rows]) / 10, [r[1] for r in rows]
    signed = stats.rankdata(np.abs(np.round(d, 9))) * np.sign(d)
    sums = np.array([signed[np.array(blocks) == block].sum() for block in set(blocks)])
    patterns = np.abs([np.dot(sums, signs) for signs in product([-1, 1], repeat=len(sums))])
    assert block_p(d, blocks)[0] == pytest.approx(np.mean(patterns >= abs(sums.sum()) - 1e-9))


def test_blocks_of_one_are_the_plain_test(willetts):
    d = willetts["vae"] - willetts["vade"]
    assert block_p(d, range(24)) == pytest.approx((signed_rank(d).p, 2.0**-23))


@pytest.mark.slow
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_never_below_and_keeps_the_order(p):
    adjusted = holm(p)
    assert all(a >= x for a, x in zip(adjusted, p, strict=True))
    order = np.argsort(p, kind="stable")
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)
    assert min(adjusted) == pytest.approx(min(1.0, len(p) * min(p)))


def test_holm_of_willetts():
    assert holm([0.42234, 0.02910, 0.03876]) == pytest.approx([0.42234, 0.0873, 0.0873])


def test_the_smallest_p_with_split_zeros_is_that_of_all_others_on_one_side():
    """Enumeration over the signs of zeros and others alike: zeros share their ranks evenly at best."""
    differences = np.array([0, 0, 0, 0, 1.0, 2.0, 3.0, 4.0])
    extreme = signed_rank(differences, zeros="split")
    assert extreme.p == extreme.min_p > 2 * 0.5**8
