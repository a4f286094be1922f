"""Mutual information between every latent dimension and every known factor, from joint histograms, in nats.

    I(z_j; v_k) = Σ p(a, b) log [ p(a, b) / (p(a) p(b)) ]

over the bins a of z_j and the classes b of v_k (see `stabaudit.metrics.factors`), the frequencies p counted on n rows. The
estimate is too large by about (A − 1)(B − 1)/2n for A bins and B classes (Miller 1955), in unrelated pairs too, which is why
scores made of it have an independence floor. At most 10,000 rows of either half are counted.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import xlogy

from stabaudit.metrics.factors import Rows, binned, coded, halved, varying
from stabaudit.metrics.pair_scores import Array

MOST_ROWS = 10_000


class Information(NamedTuple):
    """What dimensions know of factors that vary: mutual information, shape (d, K), and entropies of the factors, shape (K,)."""

    mutual: Array
    entropy: Array


class OfHalves(NamedTuple):
    """The same on *fit* and on *score*."""

    fit: Information
    score: Information


def information_of_halves(latents: Array, factors: Array, fit: Array | None = None) -> OfHalves:
    """Mutual information of latents, shape (n, d), and factors, shape (n, K), on both halves by themselves."""
    rows = halved(latents, factors, fit, MOST_ROWS, "mutual information")
    return OfHalves(information(rows.fit, rows.discrete), information(rows.score, rows.discrete))


def information(rows: Rows, discrete: Array) -> Information:
    """Mutual information on some rows.

    Args:
        rows: latents and factors.
        discrete: which factors are classes, shape (K,).

    >>> v = np.tile([0.0, 1.0], 50)[:, None]
    >>> found = information(Rows(np.hstack([v, 0 * v]), v), np.array([True]))
    >>> found.mutual.round(3).tolist(), found.entropy.round(3).tolist()
    ([[0.693], [0.0]], [0.693])
    """
    bins, codes = binned(rows.latents), coded(rows.factors, discrete)[:, varying(rows.factors)]
    own, of_codes = ([_entropy(np.bincount(column)) for column in columns.T] for columns in (bins, codes))
    joint = [
        [_entropy(np.bincount(bins[:, j] * (codes[:, k].max() + 1) + codes[:, k])) for k in range(codes.shape[1])]
        for j in range(bins.shape[1])
    ]
    entropy = np.array(of_codes)
    mutual = np.array(own)[:, None] + entropy[None] - np.array(joint).reshape(len(own), len(entropy))
    return Information(np.maximum(mutual, 0.0), entropy)


def _entropy(counts: Array) -> float:
    frequency = counts / counts.sum()
    return float(-xlogy(frequency, frequency).sum())
