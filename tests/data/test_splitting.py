import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stabaudit.data.splitting import hold_out


@given(
    strata=st.lists(st.integers(0, 3), min_size=1, max_size=60),
    fraction=st.floats(0, 0.99),
    seed=st.integers(0, 1000),
)
def test_every_row_is_in_one_part_and_every_stratum_gives_its_share(strata: list[int], fraction: float, seed: int) -> None:
    rows = np.array(strata)
    remaining, held_out = hold_out(rows, fraction, seed=seed)
    assert sorted([*remaining, *held_out]) == list(range(len(rows)))
    for stratum in set(strata):
        assert (rows[held_out] == stratum).sum() == round(fraction * strata.count(stratum))


def test_every_row_is_equally_likely_to_be_held_out() -> None:
    held = np.bincount(np.concatenate([hold_out(np.zeros(10), 0.3, seed=seed)[1] for seed in range(2000)]))
    assert np.abs(held - 600).max() < 5 * np.sqrt(2000 * 0.3 * 0.7)


def test_the_seed_decides() -> None:
    first, again, other = (hold_out(np.zeros(50), 0.5, seed=seed)[1] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
