"""The split into *fit* and *score* depends on the ids alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stabaudit.errors import BadData
from stabaudit.metrics.split import split_halves


@pytest.mark.slow
@given(
    st.one_of(
        st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=40, unique=True),
        st.lists(st.text("abcxyz019", min_size=1, max_size=6), min_size=1, max_size=40, unique=True),
    ),
    st.randoms(use_true_random=False),
)
def test_a_row_falls_into_the_same_half_in_any_row_order(ids, random):
    shuffled = random.sample(ids, len(ids))
    halves = dict(zip(ids, split_halves(np.array(ids)).tolist(), strict=True))
    assert halves == dict(zip(shuffled, split_halves(np.array(shuffled)).tolist(), strict=True))


@pytest.mark.parametrize("n", [2, 7, 1000])
def test_halves_are_equal_in_size(n):
    fit = split_halves(np.arange(n))
    assert int(fit.sum()) - int((~fit).sum()) == n % 2


def test_text_of_any_numpy_type_is_split_alike():
    ids = ["beta", "a", "gamma", "delta", "e", "zeta"]
    np.testing.assert_array_equal(split_halves(np.array(ids)), split_halves(np.array(ids, dtype=object)))


def test_the_seed_decides_and_neighbours_are_not_kept_together():
    ids = np.arange(2000)
    first, second = split_halves(ids, seed=0), split_halves(ids, seed=1)
    assert 800 < int((first == second).sum()) < 1200
    assert 800 < int((first[1:] == first[:-1]).sum()) < 1200


def test_a_repeated_id_is_refused():
    with pytest.raises(BadData, match="1 of 3 sample ids is repeated"):
        split_halves(np.array([4, 5, 4]))
