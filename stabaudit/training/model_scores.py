"""What only the trained model can tell of its collapse (Wang et al. 2021, §4) and its clusters (Willetts & Paige 2021, App. H).

Importance-weighted log-likelihood of each of up to 500 evaluation rows (Burda et al. 2016), its mean over rows given:

    log p̂(x) = log (1/K) Σ_k p(x|z_k) p(z_k) / q(z_k|x),   z_k ~ q(z|x),   K = 100

The code published with Wang et al. averages over rows first, log (1/K) Σ_k exp((1/n) Σ_i log w_ik), which by Jensen's inequality
is at most that; it is kept in the record of a restart, to be held against their table.

It grows with K towards log p(x), from below in expectation; families that know log p(x) give that, and K counts as 0. Of text it
is also given per symbol, the ends of documents among them, with its perplexity exp(−Σ log p̂ / Σ symbols).

A prior made of Gaussians p(z|c) can identify its latents only if the natural parameters λ_c differ enough: the theorem of
Khemakhem et al. (2019) needs a matrix L of differences λ_c − λ_0 that has full rank. Its rank and condition number are followed
over training. A cluster is dead when not one evaluation row has it as its most probable.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stabaudit.families.base import Family
from stabaudit.nets.base import Posterior
from stabaudit.training.step.noise import Fresh
from stabaudit.training.step.restarts import Rows, rows_at_once
from stabaudit.training.step.streams import EVALUATION_STREAM

Array = NDArray[Any]

SAMPLES = 100
ROWS = 500  # with so many samples each; more would take longer than training a small model
NEGLIGIBLE = 1e-6  # singular values of L below this part of the largest count as 0


@dataclass(frozen=True)
class Collapse:
    """What was found.

    Args:
        scores: numbers of the restart, for its record.
        divergence: by column, one row per latent dimension; empty where the divergence does not come apart into dimensions.
        prior: by column, one row per component of the learned mixture prior; empty for other priors.
    """

    scores: dict[str, float]
    divergence: dict[str, Array] = field(default_factory=dict)
    prior: dict[str, Array] = field(default_factory=dict)


@torch.inference_mode()
def collapse(family: Family, rows: Rows, labels: Array | None, seed: int, *, text: bool = False) -> Collapse:
    """Measure a trained restart on the evaluation rows.

    Args:
        family: in evaluation mode.
        rows: the evaluation rows.
        labels: their classes, shape (n,), or None.
        seed: of the restart; the samples come from its evaluation stream.
        text: whether the rows are documents of codes, 0 after their ends.
    """
    divergence = _mean_over(family, rows)
    mixture = family.mixture_prior()
    prior: dict[str, Array] = {}
    if mixture is not None:
        weights, (mean, log_var) = mixture.log_weights.exp(), mixture.components
        prior = {"weight": _array(weights)} | _columns("mean", mean) | _columns("log_var", log_var)
    scores = (
        _log_likelihood(family, rows, seed, text=text)
        | _of_clusters(family, rows, labels)
        | prior_rank(family.conditional_priors())
    )
    dimensions = {} if divergence is None else {"dimension": np.arange(len(divergence)), "kl": _array(divergence)}
    return Collapse(scores, dimensions, prior)


def prior_rank(priors: Posterior | None) -> dict[str, float]:
    """Rank of L, the rank it should have, and its condition number, which is infinite where the rank is not full.

    Args:
        priors: means and log-variances of the K Gaussians that a prior consists of, shape (K, d) both.

    Example:
        >>> prior_rank(Posterior(torch.tensor([[0.0], [1.0], [5.0]]), torch.tensor([[0.0], [0.0], [1.0]])))["prior_rank"]
        2.0
    """
    if priors is None:
        return {}
    mean, log_var = (value.detach().double() for value in priors)
    precision = (-log_var).exp()
    statistics = [-0.5 * precision] if not mean.any() else [mean * precision, -0.5 * precision]  # k = 1 for a mean of zero
    natural = torch.cat(statistics, 1)
    values = torch.linalg.svdvals((natural[1:] - natural[0]).T)
    full = natural.shape[1]
    rank = int((values > NEGLIGIBLE * values.max()).sum()) if values.numel() and values.max() > 0 else 0
    condition = float(values[0] / values[full - 1]) if rank == full else math.inf
    return {"prior_rank": float(rank), "prior_full_rank": float(full), "prior_condition": condition}


def _log_likelihood(family: Family, rows: Rows, seed: int, *, text: bool) -> dict[str, float]:
    device = next(family.parameters()).device
    noise = Fresh(torch.Generator(device).manual_seed(EVALUATION_STREAM + seed))
    count = len(rows) if family.exact_likelihood else min(len(rows), ROWS)
    samples = 1 if family.exact_likelihood else SAMPLES
    x, u = rows.x[:count].to(device), rows.u[:count].to(device)
    parts, size = [], rows_at_once(family, rows)
    for some, its_u in zip(x.split(size), u.split(size), strict=True):
        weights = family.log_weights(some, its_u, noise, samples)
        if weights is None:
            return {}
        parts.append(weights)
    estimate = torch.cat(parts, 1).logsumexp(0) - math.log(samples)
    words = {}
    if text:
        symbols = int((x > 0).sum())
        each = float(estimate.double().sum()) / symbols
        words = {"word_log_likelihood": each, "perplexity": math.exp(-each), "log_likelihood_words": float(symbols)}
    return words | {
        "log_likelihood": float(estimate.double().mean()),
        "rows_first_log_likelihood": float(torch.cat(parts, 1).double().mean(1).logsumexp(0) - math.log(samples)),
        "log_likelihood_samples": 0.0 if family.exact_likelihood else float(samples),
        "log_likelihood_rows": float(count),
    }


def _mean_over(family: Family, rows: Rows) -> Tensor | None:
    """Mean divergence of each dimension over all rows, shape (d,)."""
    device = next(family.parameters()).device
    total: Tensor | None = None
    size = rows_at_once(family, rows)
    for x, u in zip(rows.x.split(size), rows.u.split(size), strict=True):
        part = family.divergence(x.to(device), u.to(device))
        if part is None:
            return None
        total = part.double().sum(0) if total is None else total + part.double().sum(0)
    return None if total is None else total / len(rows)


def _of_clusters(family: Family, rows: Rows, labels: Array | None) -> dict[str, float]:
    device = next(family.parameters()).device
    chosen = []
    count, size = 0, rows_at_once(family, rows)
    for x, u in zip(rows.x.split(size), rows.u.split(size), strict=True):
        part = family.clusters(x.to(device), u.to(device))
        if part is None:
            return {}
        count = part.shape[1]
        chosen.append(part.argmax(1))
    assigned = torch.cat(chosen).cpu().numpy()
    scores = {"clusters": float(count), "dead_clusters": float(count - len(np.unique(assigned)))}
    return scores if labels is None else scores | agreement(assigned, labels)


def agreement(assigned: Array, labels: Array) -> dict[str, float]:
    """Accuracy under the best one-to-one match of clusters and classes, and normalised mutual information, both in [0, 1].

    Args:
        assigned: the cluster of each row, shape (n,), integers.
        labels: its class, shape (n,).

    Example:
        >>> agreement(np.array([2, 2, 0, 0]), np.array([0, 0, 1, 1]))
        {'cluster_accuracy': 1.0, 'cluster_nmi': 1.0}
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 -- only families with clusters need these
    from sklearn.metrics import normalized_mutual_info_score  # noqa: PLC0415

    clusters, of_cluster = np.unique(assigned, return_inverse=True)
    classes, of_class = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(clusters), len(classes)))
    np.add.at(counts, (of_cluster, of_class), 1)
    matched = linear_sum_assignment(counts, maximize=True)
    accuracy = float(counts[matched].sum() / len(labels))
    return {"cluster_accuracy": accuracy, "cluster_nmi": float(normalized_mutual_info_score(of_class, of_cluster))}


def _columns(name: str, values: Tensor) -> dict[str, Array]:
    return {f"{name}{k}": column for k, column in enumerate(_array(values).T)}


def _array(values: Tensor) -> Array:
    return values.double().cpu().numpy()
