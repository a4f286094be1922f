"""Strong MCC of sampled latents against true sources in small batches, as the published iVAE code computes it."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from stabaudit.errors import BadData, counted
from stabaudit.metrics.pair_scores import Array
from stabaudit.metrics.scores import Measure

BATCH = 64  # rows, as in Khemakhem et al.'s code


def batched_strong_mcc(a: Array, b: Array, *, size: int = BATCH, rng: np.random.Generator) -> float:
    """Mean of strong MCC over batches of few rows, matched and scored on the same ones.

    Few rows flatter: of unrelated latents too, the best of all matchings on 64 rows correlates well above 0.

    Args:
        a: first latents, shape (n, d_a).
        b: second latents, shape (n, d_b), of the same rows.
        size: rows of a batch; rows that do not fill the last one are left out.
        rng: shuffles the rows.

    Returns:
        In [0, 1].

    Raises:
        BadData: fewer rows than a batch.

    Example:
        >>> import numpy as np
        >>> from stabaudit.metrics.mcc_batched import batched_strong_mcc
        >>> from stabaudit.metrics import strong_mcc
        >>> rng = np.random.default_rng(0)
        >>> a, b = rng.standard_normal((2, 6400, 5))
        >>> round(batched_strong_mcc(a, b, size=64, rng=rng), 2), round(strong_mcc(a, b), 2)
        (0.18, 0.01)
    """
    if len(a) < size:
        raise BadData(f"{counted(len(a), 'row')} cannot fill a batch of {size}")
    order = rng.permutation(len(a))[: len(a) // size * size].reshape(-1, size)
    first, second = (_standardised(z.astype(np.float64)[order]) for z in (a, b))
    strength = np.abs(first.mT @ second)
    return float(np.mean([c[linear_sum_assignment(c, maximize=True)].mean() for c in strength]))


def _standardised(batches: Array) -> Array:
    """Columns of every batch, shape (batches, size, d), of mean 0 and length 1; constant ones are 0."""
    centered = batches - batches.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centered, axis=1, keepdims=True)
    scaled: Array = np.divide(centered, length, out=np.zeros_like(centered), where=length > 0)
    return scaled


SCORE = Measure(
    name="batched_source_strong_mcc",
    label=f"sampled, by {BATCH}",
    meaning="strong MCC of one posterior sample a row with the true sources, over batches of 64 rows, in-sample",
    low=0.0,
    high=1.0,
    reference="the code of Khemakhem et al. 2020, arXiv:1907.04809",
    floors=("independence",),
    unit="restart",
    of_sources=False,
    cost="n d²",
)
