"""A learned mixture of diagonal Gaussians, p(z) = Σ_c π_c N(z; μ_c, diag σ²_c), and its start.

Means and log-variances start Xavier-uniform (Willetts et al. 2021, App. B), or the mixture is fitted to the aggregate posterior
q(z) = (1/n) Σ_i q(z|x_i) of the untrained encoder: k-means or a Gaussian mixture shares the posterior means out among the
components, and each component takes the weight and the first two moments of its share of q(z).
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from stabaudit.errors import UsageError
from stabaudit.families.base import Mixture, gaussian_log_density, xavier_uniform
from stabaudit.nets.base import LOG_VAR_BOUND, Posterior, bounded

Fit = Literal["kmeans", "gmm"]
Start = Literal["xavier", Fit]
FITTED_ROWS = 10_000  # at most


class GaussianMixture(nn.Module):
    """A mixture over R^d.

    Args:
        components: K ≥ 1.
        latent_dim: d.
    """

    def __init__(self, components: int, latent_dim: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(components))
        self.mean = xavier_uniform(components, latent_dim)
        self.log_var = xavier_uniform(components, latent_dim)

    def forward(self, z: Tensor) -> Tensor:
        """Log density at z, shape (batch, d); result shape (batch,)."""
        component = gaussian_log_density(z.unsqueeze(1), self.mean, bounded(self.log_var))
        return torch.logsumexp(component + self.logits.log_softmax(0), dim=1)

    def parameters_of(self) -> Mixture:
        """Weights and components."""
        return Mixture(self.logits.log_softmax(0), Posterior(self.mean, bounded(self.log_var)))

    @torch.no_grad()
    def fit(self, posterior: Posterior, by: Fit) -> None:
        """Start from the aggregate posterior of the given rows, shape (n, d), n ≥ K; seeded from torch's global generator."""
        mean, variance = posterior.mean.double(), posterior.log_var.double().exp()
        shares = torch.from_numpy(_shares(mean.numpy(), len(self.mean), by)).double()
        size = shares.sum(0).clamp(min=torch.finfo(torch.float64).tiny).unsqueeze(1)
        center = shares.T @ mean / size
        spread = shares.T @ (mean.square() + variance) / size - center.square()
        log_var = spread.clamp(min=0).log().clamp(-0.99 * LOG_VAR_BOUND, 0.99 * LOG_VAR_BOUND)
        self.mean.copy_(center)
        self.log_var.copy_(LOG_VAR_BOUND * torch.atanh(log_var / LOG_VAR_BOUND))  # what `bounded` makes `log_var` of
        self.logits.copy_((size.squeeze(1) + 1).log())  # one row more for everyone, so that nobody starts with nothing


def start_mixtures(
    family: nn.Module,
    mixtures: Sequence[GaussianMixture],
    start: Start,
    rows: int,
    encode: Callable[[Tensor], Sequence[Posterior]],
) -> None:
    """Start mixtures from what an untrained encoder makes of training rows, or leave them as they are.

    Args:
        family: that they belong to; encodes as it does in evaluation, and is in training afterwards.
        mixtures: to be fitted, one for each posterior.
        start: "xavier" leaves them.
        rows: how many there are to train on.
        encode: the posteriors of rows with given numbers.
    """
    if start == "xavier":
        return
    chosen = torch.randperm(rows)[:FITTED_ROWS]
    family.eval()
    with torch.no_grad():
        posteriors = encode(chosen)
    family.train()
    for mixture, posterior in zip(mixtures, posteriors, strict=True):
        mixture.fit(posterior, start)


def check_components(components: int, rows: int) -> None:
    """Refuse a mixture that cannot be learned.

    Raises:
        UsageError: more components than training rows.
    """
    if components > rows:
        raise UsageError(f"{components} mixture components are more than the {rows} training rows; lower --set components=…")


def _shares(points: Any, components: int, by: Fit) -> Any:  # noqa: ANN401 -- scikit-learn has no types
    """Which component each point belongs to, in parts that sum to one, shape (n, K)."""
    # Half a second that only a fitted start has to pay.
    from sklearn.cluster import KMeans  # noqa: PLC0415
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415
    from sklearn.mixture import GaussianMixture as Mixture  # noqa: PLC0415

    seed = int(torch.randint(2**31, ()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a start need not have converged
        if by == "gmm":
            return Mixture(components, covariance_type="diag", random_state=seed).fit(points).predict_proba(points)
        labels = KMeans(components, n_init=1, random_state=seed).fit(points).labels_
    return torch.nn.functional.one_hot(torch.from_numpy(labels).long(), components).numpy()
