"""Families against each other over configurations: Friedman's test for three or more, then every two by signed ranks.

A score table holds one value per configuration and family. Friedman's statistic has its exact distribution where that can be
enumerated: χ² is a poor stand-in for few configurations (three families, four configurations, statistic 6: exact 0.069, χ²
0.0498). Two families are compared over the configurations that both have;
those that only one has are named, never dropped from sight. p-values of the pairs are adjusted by Holm's method.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import chdtrc

from stabaudit.statistics.signed_rank import FloatArray, IntArray, Zeros, block_p, doubled_midranks, holm, rounded, signed_rank


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
FriedmanMethod = Literal["exact", "chi-squared"]

EXACT_ROWS = 2_000_000  # rank sums that are formed for an exact p at most: half a second
MOST_FAMILIES = 7  # whose 5,040 orders are listed at once


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
    """Do the families differ at all? Friedman's statistic with ties corrected.

    Args:
        families: that were tested.
        n: configurations that every family has.
        statistic: ≥ 0, about χ² with one degree of freedom less than there are families.
        p: the probability of a statistic at least as large, were the families alike.
        method: "exact", from the distribution given the ties, or "chi-squared" where families and configurations are too many.
    """

    families: tuple[str, ...]
    n: int
    statistic: float
    p: float
    method: FriedmanMethod


@dataclass(frozen=True)
class FamilyTests:
    """Everything that comparing families over configurations gives.

    Args:
        score: what the table's values are, e.g. "mcc".
        friedman: None with two families, or where fewer than two configurations are shared by all.
        comparisons: every two families that share a configuration.
        unmatched: configurations that some families lack, and which lack it.
        averaged: what each value is the mean of, in words; empty where it is a value itself.
    """

    score: str
    friedman: Friedman | None
    comparisons: tuple[FamilyComparison, ...]
    unmatched: tuple[tuple[Configuration, tuple[str, ...]], ...]
    averaged: str = ""


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
            size = max(abs(table[configuration][family]) for configuration in shared for family in (a, b))
            blocks = [(c.architecture, c.dataset) for c in shared]
            ranked = signed_rank(differences, zeros=zeros, size=size)
            tested.append((a, b, ranked, block_p(differences, blocks, size=size)))
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
    values = np.array(complete)
    statistic, exact = friedman_statistic(values), friedman_exact_p(values)
    p = float(chdtrc(len(families) - 1, statistic)) if exact is None else exact
    return Friedman(tuple(families), len(complete), statistic, p, "chi-squared" if exact is None else "exact")


def friedman_statistic(values: FloatArray) -> float:
    """Friedman's statistic, corrected for ties.

    Args:
        values: shape (n configurations, k families).

    Returns:
        In [0, n(k−1)], about χ² with k−1 degrees of freedom.

    >>> friedman_statistic(np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]]))
    6.0
    """
    centred = _centred_ranks(values)
    spread = int((centred**2).sum())
    if spread == 0:  # every configuration ties all families
        return 0.0
    return float((centred.sum(axis=0) ** 2).sum() * (values.shape[1] - 1) / spread)


def friedman_exact_p(values: FloatArray) -> float | None:
    """Probability of a Friedman statistic at least as large, if every configuration ranks the families at random.

    The ranks of one configuration, ties and all, are as likely in any order. The distribution of their sums follows by adding one
    configuration after another. The statistic does not ask which family has which sum, so sums are kept in ascending order, and
    few are then different.

    Args:
        values: shape (n configurations, k families).

    Returns:
        In (0, 1]; None where it would take more than two million sums: without ties beyond 125 configurations of three families,
        26 of four, 9 of five, 4 of six, 2 of seven.

    >>> round(friedman_exact_p(np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]])), 4)
    0.0278
    """
    centred = _centred_ranks(values)
    n, k = centred.shape
    base = 2 * n * k + 1  # sums lie within ±nk, so that a row of them makes one number in this base
    sums: IntArray = np.zeros((1, k), dtype=np.int64)
    probability: FloatArray = np.ones(1)
    formed = 0
    if k > MOST_FAMILIES or base ** (k - 1) > np.iinfo(np.int64).max:
        return None
    for ranks in centred:
        orders = np.unique(np.array(list(permutations(ranks))), axis=0)
        formed += len(sums) * len(orders)
        if formed > EXACT_ROWS:
            return None
        reached = np.sort((sums[:, None] + orders).reshape(-1, k), axis=1)
        keys = reached[:, :-1] @ base ** np.arange(k - 1)  # the last follows: a row sums to 0
        _, first, which = np.unique(keys, return_index=True, return_inverse=True)
        sums = reached[first]
        weights = np.repeat(probability / len(orders), len(orders))
        probability = np.bincount(which.ravel(), weights).astype(np.float64)
    observed = (centred.sum(axis=0) ** 2).sum()
    return min(1.0, float(probability[(sums**2).sum(axis=1) >= observed].sum()))


def _centred_ranks(values: FloatArray) -> IntArray:
    """Twice the rank within each configuration, less its mean: whole numbers that sum to 0, shape (n, k)."""
    doubled = np.array([doubled_midranks(row) for row in rounded(values)])
    centred: IntArray = doubled - (values.shape[1] + 1)
    return centred
