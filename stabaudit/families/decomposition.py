"""KL(q(z|x) ‖ p(z)) in three parts (Chen et al. 2018, eq. 2), and the aggregate posterior that they need.

    KL = E log q(z|x)/q(z)   mutual information of x and z under q
       + E log q(z)/∏ q(z_k)  total correlation
       + E log ∏ q(z_k)/p(z)  dimension-wise KL

q(z) = (1/N) Σ_n q(z|x_n) runs over all N training rows. In training it is estimated from the batch, as a weighted sum over its
rows: the log-weights are what the estimators below differ in.
"""

import math

import torch
from torch import Tensor

from stabaudit.families.base import gaussian_log_density
from stabaudit.nets.base import Posterior

ROWS_AT_ONCE = 128  # of z; bounds the memory of all densities of all rows in each dimension


def stratified(batch: Tensor, rows: int) -> Tensor:
    """Log-weights of minibatch stratified sampling: 1/N for the row that z was drawn for, (N−1)/(N(B−1)) for each other.

    The density of z under that row is in q(z) with certainty, any other row is in the batch with probability (B−1)/(N−1): the
    weights make the expectation over batches exact. Chen et al. 2018 (App. C.2) give one of the other rows a weight of its own;
    its mean over the choice of that row is this one, with less variance.

    Args:
        batch: any tensor with B rows.
        rows: N ≥ B, N > 1.
    """
    size = len(batch)
    own = torch.eye(size, dtype=batch.dtype, device=batch.device)
    return own * math.log(1 / rows) + (1 - own) * math.log((rows - 1) / (rows * max(size - 1, 1)))


def weighted(batch: Tensor, rows: int) -> Tensor:
    """Log-weights of minibatch weighted sampling: 1/(NB) for every row. Biased (Chen et al. 2018, App. C.1)."""
    return batch.new_full((len(batch), len(batch)), -math.log(rows * len(batch)))


def decompose(z: Tensor, posterior: Posterior, log_density: Tensor, log_prior: Tensor, log_weights: Tensor) -> tuple[Tensor, ...]:
    """Mutual information, total correlation and dimension-wise KL, one estimate per row each, shape (batch,).

    Args:
        z: one sample per row, shape (batch, d).
        posterior: of every row.
        log_density: log q(z|x), shape (batch,).
        log_prior: log p(z), shape (batch,).
        log_weights: of every row in the aggregate posterior, one row of weights per z, shape (batch, batch).
    """
    joint, product = aggregate(z, posterior, log_weights)
    return log_density - joint, joint - product, product - log_prior


def aggregate(z: Tensor, posterior: Posterior, log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Log q(z) and Σ_k log q(z_k), shape (batch,) each."""
    parts = []
    for part, weights in zip(z.split(ROWS_AT_ONCE), log_weights.split(ROWS_AT_ONCE), strict=True):
        # One dimension at a time: shape (part, batch, d, 1), summed over the last.
        each = gaussian_log_density(part[:, None, :, None], posterior.mean[..., None], posterior.log_var[..., None])
        joint = torch.logsumexp(each.sum(2) + weights, 1)
        parts.append(torch.stack([joint, torch.logsumexp(each + weights.unsqueeze(2), 1).sum(1)]))
    joint, product = torch.cat(parts, 1)
    return joint, product
