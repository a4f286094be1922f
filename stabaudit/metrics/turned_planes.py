"""What purity would be by chance: restarts that are turned at random within a plane.

Of all ways in which axes are not reproducible a turning plane is the hardest to tell from axes, since a dimension has only one
other to lose information to. Restart i shows the plane turned by t_i; as its dimensions are matched with those of the central
restart, t_i is uniform on [−45°, 45°] of that one's angle. The purity of either dimension is then

    T = mean over pairs of cos²(t_i − t_j) = (|Σ exp(2√−1 t_i)|² / N + N − 2) / (2(N − 1)),

whose law depends on N alone. It is drawn once per N, as if this plane alone had decided which restart is central: the one nearest
to the mean direction modulo 90°, which makes quantiles a little larger (N = 10, 95%: 0.854 instead of 0.847). Beyond the 500
largest of 50,000 draws the tail follows its leading term: near T = 1 the angles fill an ellipsoid of N − 1 dimensions, so that
P(T ≥ q) goes with (1 − q)^((N−1)/2).

Purity is estimated from rows, with a standard error σ, and noise can lift a plane that is nearly straight to 1. So what the
observed purity is held against is T + σε with a normal ε.

Over dimensions p-values are adjusted by Holm's procedure (1979), which keeps the family-wise error rate whatever the dependence:
the two dimensions of a plane have the same one.
"""

from functools import cache

import numpy as np

from stabaudit.metrics.pair_scores import Array

_DRAWS = 50_000
_TAIL = 500  # largest draws, beyond which the leading term takes over
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(41)  # integrates over ε


def plane_p_values(purity: Array, restarts: Array, noise: Array) -> Array:
    """Probabilities that a plane turned at random shows at least this purity.

    Args:
        purity: mean over pairs, shape (m,).
        restarts: numbers N ≥ 2 of restarts that each is a mean over, shape (m,).
        noise: standard errors σ of the purities, shape (m,).

    Returns:
        In [0, 1], shape (m,).

    Example:
        Of two planes with the same purity, the one that ten restarts show is the less likely to be an accident.

        >>> plane_p_values(np.array([0.98, 0.98]), np.array([3, 10]), np.zeros(2)).round(3)
        array([0.045, 0.   ])
    """
    weights = _WEIGHTS / _WEIGHTS.sum()
    p = np.empty(len(purity))
    for n in np.unique(restarts):
        chosen = restarts == n
        shifted = purity[chosen, None] - noise[chosen, None] * _NODES
        p[chosen] = _survival(shifted, int(n)) @ weights
    return p.clip(0.0, 1.0)


def plane_quantiles(levels: Array, restarts: Array, noise: Array) -> Array:
    """The purities that a plane turned at random exceeds with the given probabilities; arguments as of `plane_p_values`.

    Example:
        >>> plane_quantiles(np.full(3, 0.05), np.array([3, 5, 10]), np.zeros(3)).round(2)
        array([0.98, 0.92, 0.85])
    """
    low, high = np.zeros(len(levels)), 1.0 + 10.0 * noise
    for _ in range(50):
        middle = (low + high) / 2
        above = plane_p_values(middle, restarts, noise) > levels
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return high


def holm(p: Array) -> Array:
    """Adjusted p-values, shape (m,).

    >>> holm(np.array([0.04, 0.01, 0.03]))
    array([0.06, 0.03, 0.06])
    """
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return adjusted.clip(max=1.0)


def mean_squared_cosine(angles: Array) -> Array:
    """Mean over pairs of cos²(t_i − t_j) in radians, for angles of shape (…, N).

    >>> mean_squared_cosine(np.radians([0.0, 60.0])).round(2)
    np.float64(0.25)
    """
    n = angles.shape[-1]
    resultant = np.cos(2 * angles).sum(axis=-1) ** 2 + np.sin(2 * angles).sum(axis=-1) ** 2
    mean: Array = (resultant / n + n - 2) / (2 * (n - 1))
    return mean


@cache
def _draws(n: int) -> Array:
    """Draws of T for n restarts, ascending."""
    rng = np.random.default_rng(n)
    turns = rng.uniform(0.0, np.pi / 2, (_DRAWS, n))
    mean = np.arctan2(np.sin(4 * turns).sum(axis=1), np.cos(4 * turns).sum(axis=1)) / 4
    nearest = np.abs(_folded(turns - mean[:, None])).argmin(axis=1)
    return np.sort(mean_squared_cosine(_folded(turns - turns[np.arange(_DRAWS), nearest, None])))


def _folded(angles: Array) -> Array:
    """Angles modulo 90°, in [−45°, 45°)."""
    folded: Array = (angles + np.pi / 4) % (np.pi / 2) - np.pi / 4
    return folded


def _survival(q: Array, n: int) -> Array:
    """P(T ≥ q)."""
    draws = _draws(n)
    share = (_DRAWS - np.searchsorted(draws, q)) / _DRAWS
    start = draws[-_TAIL]
    tail = _TAIL / _DRAWS * ((1.0 - q).clip(min=0.0) / (1.0 - start)) ** ((n - 1) / 2)
    survival: Array = np.where(q > start, tail, share)
    return survival
