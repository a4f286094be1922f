"""Families against each other over configurations: Friedman's test for three or more, then every two by signed ranks.

A score table holds one value per configuration and family. Two families are compared over the configurations that both have;
those that only one has are named, never dropped from sight. p-values of the pairs are adjusted by Holm's method.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc

from stabaudit.statistics.signed_rank import DECIMALS, FloatArray, Zeros, block_p, doubled_midranks, holm, signed_rank


class Configuration(NamedTuple):
    """What two families must share for their values to be compared; `options` spells out everything beyond the first three."""

    architecture: str
    dataset: str
    latent_dim: int
    options: str = ""

    def __str__(self) -> str:
        """Return it as one line: "mlp mnist d=50"."""
        return " ".join(filter(None, [self.architecture, self.dataset, f"d={self.latent_dim}", self.options]))


ScoreTable = Mapping[Configuration, Mapping[str, float]]


@dataclass(frozen=True)
class FamilyComparison:
    """Two families over the configurations that both have; positive effects mean that `family_a` is higher.

    Args:
        family_a, family_b: names, with the options in which runs of the family differ.
        n: how many configurations.
        statistic: T, the smaller of the rank sums of either sign.
        p: two-sided, exact.
        p_holm: p, adjusted over all pairs of families tested together.
        min_p: the smallest value that p can take.
        rank_biserial: matched-pairs effect size, in [−1, 1].
        hodges_lehmann: shift a − b, in units of the score.
        hodges_lehmann_low, hodges_lehmann_high: its interval, at least 95%; None where n is too small for one.
        p_block: of flipping the configurations of one architecture and dataset together.
        min_p_block: the smallest value that this can take.
        method: of the test.
    """

    family_a: str
    family_b: str
    n: int
    statistic: float
    p: float
    p_holm: float
    min_p: float
    rank_biserial: float
    hodges_lehmann: float
    hodges_lehmann_low: float | None
    hodges_lehmann_high: float | None
    p_block: float
    min_p_block: float
    method: str


@dataclass(frozen=True)
class Friedman:
    """Do the families differ at all? χ² with ties corrected.

    Args:
        families: that were tested.
        n: configurations that every family has.
        statistic: χ², with one degree of freedom less than there are families.
        p: from its distribution.
    """

    families: tuple[str, ...]
    n: int
    statistic: float
    p: float


@dataclass(frozen=True)
class FamilyTests:
    """Everything that comparing families over configurations gives.

    Args:
        score: what the table's values are, e.g. "mcc".
        friedman: None with two families, or where fewer than two configurations are shared by all.
        comparisons: every two families that share a configuration.
        unmatched: configurations that some families lack, and which lack it.
    """

    score: str
    friedman: Friedman | None
    comparisons: tuple[FamilyComparison, ...]
    unmatched: tuple[tuple[Configuration, tuple[str, ...]], ...]


def compare_families(table: ScoreTable, *, score: str, zeros: Zeros = "pratt") -> FamilyTests:
    """Test every two families of a score table.

    Args:
        table: values by configuration and family, in the order that families are to be named.
        score: what the values are.
        zeros: see `signed_rank`.
    """
    families = list(dict.fromkeys(family for values in table.values() for family in values))
    tested = []
    for a, b in combinations(families, 2):
        shared = [configuration for configuration, values in table.items() if a in values and b in values]
        if shared:
            differences = np.array([table[configuration][a] - table[configuration][b] for configuration in shared])
            blocks = [(c.architecture, c.dataset) for c in shared]
            tested.append((a, b, signed_rank(differences, zeros=zeros), block_p(differences, blocks)))
    adjusted = holm([result.p for _, _, result, _ in tested])
    return FamilyTests(
        score=score,
        friedman=_friedman(table, families),
        comparisons=tuple(
            FamilyComparison(
                family_a=a,
                family_b=b,
                n=result.n,
                statistic=result.statistic,
                p=result.p,
                p_holm=p_holm,
                min_p=result.min_p,
                rank_biserial=result.rank_biserial,
                hodges_lehmann=result.hodges_lehmann,
                hodges_lehmann_low=result.interval[0] if result.interval else None,
                hodges_lehmann_high=result.interval[1] if result.interval else None,
                p_block=p_block,
                min_p_block=min_p_block,
                method=f"exact Wilcoxon signed-rank, two-sided, zeros: {zeros}",
            )
            for (a, b, result, (p_block, min_p_block)), p_holm in zip(tested, adjusted, strict=True)
        ),
        unmatched=tuple(
            (configuration, missing)
            for configuration, values in table.items()
            if (missing := tuple(family for family in families if family not in values))
        ),
    )


def _friedman(table: ScoreTable, families: list[str]) -> Friedman | None:
    complete = [[values[family] for family in families] for values in table.values() if values.keys() >= set(families)]
    if len(families) < 3 or len(complete) < 2:
        return None
    statistic = friedman_statistic(np.array(complete))
    return Friedman(tuple(families), len(complete), statistic, float(chdtrc(len(families) - 1, statistic)))


def friedman_statistic(values: FloatArray) -> float:
    """Friedman's χ², shape (n configurations, k families) → a number ≥ 0 with k−1 degrees of freedom, corrected for ties."""
    ranks = np.array([doubled_midranks(row) for row in np.round(values, DECIMALS)]) / 2
    expected = (ranks.shape[1] + 1) / 2
    spread: float = ((ranks - expected) ** 2).sum()
    if spread == 0:  # every configuration ties all families
        return 0.0
    columns = ranks.sum(axis=0) - len(ranks) * expected
    return float((columns**2).sum() * (ranks.shape[1] - 1) / spread)
