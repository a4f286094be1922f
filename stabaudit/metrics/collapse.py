"""Collapse of one restart: dimensions that say nothing about x (Wang et al. 2021, §4; Burda et al. 2016 for active units).

A collapsed model is trivially stable or trivially unstable, so these numbers stand beside every stability score. Here is what the
latents alone tell; what needs the trained model is computed after training and kept with the restart.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from stabaudit.metrics.scores import Measure

Array = NDArray[Any]

ACTIVE_UNIT_VARIANCE = 0.01  # Burda et al. 2016
ACTIVE_UNIT_DIVERGENCE = 0.05  # nats; that of a variance of 0.1 under a standard normal prior
DRAWS = 2  # of z for each x in a mutual information
BLOCK = 1_000  # rows of the n × n matrix of densities at once


def active_units(mean: Array) -> Array:
    """Which dimensions vary over x: Var_x E[z_k|x] ≥ 0.01.

    Args:
        mean: posterior means, shape (n, d).

    Returns:
        True for active dimensions, shape (d,).
    """
    return active(mean.astype(np.float64).var(axis=0))


def active(variance: Array, divergence: Array | None = None) -> Array:
    """Whether dimensions are active: their posterior means vary, or, whatever their units, their divergence is not negligible.

    Args:
        variance: of the posterior means over x, shape (…).
        divergence: from the prior in nats, shape (…), where it is known by dimension.
    """
    by_variance = np.asarray(variance >= ACTIVE_UNIT_VARIANCE)
    return by_variance if divergence is None else by_variance | np.asarray(divergence >= ACTIVE_UNIT_DIVERGENCE)


def mutual_information(mean: Array, log_var: Array, *, rng: np.random.Generator) -> float:
    """I(x; z) = E_x E_q(z|x) [log q(z|x) − log q(z)], with q(z) the mixture of all n posteriors, in nats.

    Two z are drawn for each x. The estimate cannot exceed log n: near it, more rows are needed to tell how much there is.

    Args:
        mean: posterior means, shape (n, d).
        log_var: posterior log-variances, shape (n, d).
        rng: draws z.

    Returns:
        The mutual information, in [0, log n] up to Monte-Carlo error.
    """
    n = len(mean)
    mean, log_var = mean.astype(np.float64), log_var.astype(np.float64)
    # log q(z_i|x_j) as three matrix products: z² · 1/σ² − 2 z · μ/σ² + what depends on j alone.
    precision = np.exp(-log_var)
    weighted = mean * precision
    constant = (mean * weighted + log_var).sum(axis=1) + mean.shape[1] * math.log(2 * math.pi)
    total = 0.0
    for start in range(0, DRAWS * n, BLOCK):
        rows = np.arange(start, min(start + BLOCK, DRAWS * n)) % n
        z = mean[rows] + np.exp(0.5 * log_var[rows]) * rng.standard_normal((len(rows), mean.shape[1]))
        square = z**2 @ precision.T - 2 * z @ weighted.T + constant
        density = -0.5 * square
        total += float((density[np.arange(len(rows)), rows] - logsumexp(density, axis=1)).sum())
    return total / (DRAWS * n) + math.log(n)


_WANG = "Wang, Blei and Cunningham 2021, arXiv:2301.00537"

ACTIVE_UNITS = Measure(
    name="active_units",
    label="active units",
    meaning="fraction of dimensions whose posterior mean varies over the data (variance at least 0.01)",
    low=0.0,
    high=1.0,
    reference="Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519",
    unit="restart",
    cost="n d",
)
KL = Measure(
    name="kl",
    label="KL",
    meaning="divergence of the posterior from the prior, nats per row",
    low=0.0,
    high=math.inf,
    reference=_WANG,
    needs="model",
    unit="restart",
    stored="evaluation_kl",
)
MUTUAL_INFORMATION = Measure(
    name="mutual_information",
    label="mutual information",
    meaning="I(x; z) under the aggregate posterior, nats",
    low=0.0,
    high=math.inf,
    reference=_WANG,
    unit="restart",
    cost="n² d",
)
LOG_LIKELIHOOD = Measure(
    name="log_likelihood",
    label="log-likelihood",
    meaning="importance-weighted log-likelihood, nats per row",
    low=-math.inf,
    high=math.inf,
    reference="Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519",
    needs="model",
    unit="restart",
    stored="log_likelihood",
)
WORD_LOG_LIKELIHOOD = Measure(
    name="word_log_likelihood",
    label="log-likelihood per word",
    meaning="importance-weighted log-likelihood of documents over their number of symbols, nats",
    low=-math.inf,
    high=math.inf,
    reference="Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519",
    needs="model",
    unit="restart",
    stored="word_log_likelihood",
)
PERPLEXITY = Measure(
    name="perplexity",
    label="perplexity",
    meaning="exponential of the negative log-likelihood per word: of so many equally likely words the model would be as unsure",
    low=1.0,
    high=math.inf,
    reference="He, Spokoyny, Neubig and Berg-Kirkpatrick 2019, arXiv:1901.05534",
    higher_is_better=False,
    needs="model",
    unit="restart",
    stored="perplexity",
)
CLUSTER_ACCURACY = Measure(
    name="cluster_accuracy",
    label="cluster accuracy",
    meaning="accuracy of the family's clusters under the best matching with the labels",
    low=0.0,
    high=1.0,
    reference="Willetts and Paige 2021, arXiv:2106.05238",
    needs="labels",
    unit="restart",
    stored="cluster_accuracy",
)
CLUSTER_NMI = Measure(
    name="cluster_nmi",
    label="cluster NMI",
    meaning="normalised mutual information of the family's clusters and the labels",
    low=0.0,
    high=1.0,
    reference="Willetts and Paige 2021, arXiv:2106.05238",
    needs="labels",
    unit="restart",
    stored="cluster_nmi",
)
PRIOR_RANK = Measure(
    name="prior_rank",
    label="rank of L",
    meaning="rank of the matrix L of the prior, on which identifiability of an iVAE rests",
    low=0.0,
    high=math.inf,
    reference="Khemakhem et al. 2020, arXiv:1907.04809",
    needs="model",
    unit="restart",
    stored="prior_rank",
)
COLLAPSE = (
    ACTIVE_UNITS,
    KL,
    MUTUAL_INFORMATION,
    LOG_LIKELIHOOD,
    WORD_LOG_LIKELIHOOD,
    PERPLEXITY,
    CLUSTER_ACCURACY,
    CLUSTER_NMI,
    PRIOR_RANK,
)  # in the order of tables
