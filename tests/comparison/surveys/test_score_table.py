"""Tables of scores as people write them, and tests that do not depend on their units."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stabaudit.comparison.surveys.score_table import read_score_table
from stabaudit.errors import BadData, Noticed
from stabaudit.statistics.families import compare_families

GAIN = np.random.default_rng(1).normal(0.3, 1, 20)


def rows(value):
    return [
        {"architecture": "mlp", "dataset": f"d{i}", "latent_dim": 5, "family": family, "mcc": value(family, gain)}
        for i, gain in enumerate(GAIN)
        for family in "ab"
    ]


def compared(path):
    table, name, _ = read_score_table(path)
    (comparison,) = compare_families(table, score=name).comparisons
    return comparison


@pytest.mark.parametrize("unit", [1e-10, 1e-300, 1e8])
def test_p_does_not_depend_on_the_unit_of_the_scores(tmp_path, unit):
    path, scaled = tmp_path / "a.csv", tmp_path / "b.csv"
    pd.DataFrame(rows(lambda family, gain: 1 + gain * (family == "a"))).to_csv(path, index=False)
    pd.DataFrame(rows(lambda family, gain: unit * (1 + gain * (family == "a")))).to_csv(scaled, index=False)
    one, other = compared(path), compared(scaled)
    assert one.p < 0.05
    assert (other.p, other.statistic, other.rank_biserial) == (one.p, one.statistic, one.rank_biserial)


def test_differences_that_only_rounding_tells_apart_tie(tmp_path):
    path = tmp_path / "a.csv"
    values = {("a", 0): 0.3, ("b", 0): 0.2, ("a", 1): 0.2, ("b", 1): 0.1, ("a", 2): 1e6 + 0.1, ("b", 2): 1e6}
    table = [
        {"architecture": "mlp", "dataset": f"d{i}", "latent_dim": 5, "family": family, "mcc": value}
        for (family, i), value in values.items()
    ]
    pd.DataFrame(table).to_csv(path, index=False)
    assert compared(path).hodges_lehmann == pytest.approx(0.1, abs=1e-12)


def test_several_seeds_are_averaged_and_said(tmp_path):
    path = tmp_path / "a.csv"
    table = [row | {"seed": seed, "mcc": row["mcc"] + seed} for row in rows(lambda _, gain: gain) for seed in range(3)]
    pd.DataFrame(table).to_csv(path, index=False)
    with pytest.warns(Noticed, match="mean over 3 rows of column 'seed'"):
        found, name, averaged = read_score_table(path)
    assert (name, averaged) == ("mcc", "each value is the mean over 3 rows of column 'seed'")
    assert next(iter(found.values()))["a"] == pytest.approx(GAIN[0] + 1)


def test_a_second_value_without_seeds_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    pd.DataFrame(rows(lambda _, gain: gain) * 2).to_csv(path, index=False)
    with pytest.raises(BadData, match="a second time; give one value for each, or a column 'seed'"):
        read_score_table(path)


def test_families_that_differ_in_case_alone_are_named(tmp_path):
    path = tmp_path / "a.csv"
    table = [
        row | {"family": row["family"].upper() if i % 5 == 0 else row["family"]}
        for i, row in enumerate(rows(lambda _, gain: gain))
    ]
    pd.DataFrame(table).to_csv(path, index=False)
    with pytest.warns(Noticed, match="'A' and 'a', 'B' and 'b' are taken for different families"):
        read_score_table(path)


def test_decimals_in_parquet_are_numbers(tmp_path):
    path = tmp_path / "a.parquet"
    table = rows(lambda _, gain: Decimal(f"{gain:.4f}"))
    pq.write_table(pa.Table.from_pylist(table), path)
    found, _, _ = read_score_table(path)
    assert next(iter(found.values()))["a"] == pytest.approx(GAIN[0], abs=1e-4)
