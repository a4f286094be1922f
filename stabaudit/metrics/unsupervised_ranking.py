"""UDR, unsupervised disentanglement ranking: does each dimension of one restart match one of the other? (Duan et al. 2020).

With R_kl = |Spearman correlation| of dimension k of a and l of b, over informative dimensions only, r_l = max_k R_kl and r_k
likewise,

    UDR(a, b) = 1 / (d_a + d_b) [ Σ_l r_l² / Σ_k R_kl  +  Σ_k r_k² / Σ_l R_kl ]

1 where every dimension has one partner of correlation 1 and no other; a turned copy, whose dimensions share theirs, has less.
Of a copy the score falls short of 1 by the correlations that its own dimensions have, by chance too: 3 · 0.03 for four
dimensions of 600 rows.

A restart's own UDR is the median over its pairs with the others (`ranking`); a restart of a higher one is more likely to be
disentangled, on the assumption that restarts agree in what is disentangled and differ in every other way.

*Where we differ.* The paper keeps dimensions whose divergence from the prior exceeds 0.01 nats. Latents alone do not tell it,
so a dimension is informative here if its mean varies by at least 0.01, as an active unit (Burda et al. 2016, arXiv:1509.00519);
this is in units of a standard normal prior, so latents of other units are to be scaled first. The paper prefers weights of a
lasso to correlations, by a little. A pair without informative dimensions on either side scores 0. At most 5,000 rows of either
half are ranked.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from stabaudit.metrics.collapse import active_units
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.sampled_rows import reordered, require_rows, sampled
from stabaudit.metrics.scores import Measure, Sides

MOST_ROWS = 5_000  # of a half that are ranked


@dataclass(frozen=True)
class Ranks:
    """Ranks of the informative dimensions, centred and of length 1, shape (n, d′)."""

    columns: Array

    def permuted(self, order: Array) -> "Ranks":
        """The same of the rows in another order."""
        return Ranks(self.columns[reordered(order, MOST_ROWS)])


def ranks_of(z: Array) -> Ranks:
    """What the score needs of latents of shape (n, d)."""
    kept = z[sampled(len(z), MOST_ROWS)][:, active_units(z)]
    if kept.shape[1] == 0:
        return Ranks(kept)
    ranks = rankdata(kept, axis=0)
    ranks -= ranks.mean(axis=0)
    return Ranks(ranks / np.linalg.norm(ranks, axis=0))


def relative_strength(a: Ranks, b: Ranks) -> float:
    """UDR of two restarts."""
    sizes = a.columns.shape[1], b.columns.shape[1]
    if 0 in sizes:
        return 0.0
    relation = np.abs(a.columns.T @ b.columns)
    total = 0.0
    for axis in (0, 1):
        strength, shared = relation.max(axis=axis), relation.sum(axis=axis)
        total += float(np.divide(strength**2, shared, out=np.zeros_like(shared), where=shared > 0).sum())
    return total / sum(sizes)


def udr(a: Array, b: Array) -> float:
    """Unsupervised disentanglement ranking of one pair.

    Args:
        a: first latents, shape (n, d_a), in units of a standard normal prior.
        b: second latents, shape (n, d_b), of the same rows.

    Returns:
        In [0, 1].

    Raises:
        BadData: fewer than 2 rows, or unequal rows.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics import udr
        >>> a = np.random.default_rng(0).standard_normal((5000, 3))
        >>> turned = a @ np.array([[1.0, 1, 1], [1, -1, 0], [1, 1, -2]])
        >>> udr(a, -a[:, [2, 0, 1]]) > 0.95, udr(a, turned) < 0.4
        (True, True)
    """
    require_rows(a, b, 2, "udr")
    return relative_strength(ranks_of(a), ranks_of(b))


def ranking(pairs: Array) -> Array:
    """The UDR of every restart: the median over its pairs with the others, shape (N,).

    Args:
        pairs: UDR of every two restarts, shape (N, N); the diagonal is not looked at.

    >>> ranking(np.array([[1.0, 0.6, 0.8], [0.6, 1.0, 0.2], [0.8, 0.2, 1.0]])).tolist()
    [0.7, 0.4, 0.5]
    """
    others: Array = np.where(np.eye(len(pairs), dtype=bool), np.nan, pairs)
    found: Array = np.nanmedian(others, axis=1)
    return found


SCORE = Measure(
    name="udr",
    label="UDR",
    meaning="has every informative dimension one partner in the other restart and no second? by rank correlations",
    low=0.0,
    high=1.0,
    reference="unsupervised disentanglement ranking: Duan et al. 2020, arXiv:1905.12614",
    function=udr,
    sides=Sides(ranks_of, relative_strength),
    invariances=("translation", "permutation"),
    of_sources=False,
    floors=("independence", "rotation"),
    cost="n d log n for each restart, n d² for each pair, of at most 5,000 rows a half; each turn ranks anew",
)
