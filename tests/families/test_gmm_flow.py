"""`gmm-flow` against its change of variables and against the integral of its density."""

import pytest
import torch
from zuko.flows import MaskedAutoregressiveTransform

from stabaudit.errors import UsageError
from stabaudit.families.base import Batch, Problem
from stabaudit.families.gmm_flow import GMMFlow
from stabaudit.nets.likelihoods import Gaussian


def flow(d, **options):
    torch.manual_seed(0)
    family = GMMFlow(Problem((d,), 0, d, 100, None, Gaussian()), components=4, widths=(16,), **options).double()
    with torch.no_grad():
        for parameter in family.parameters():
            parameter.mul_(1.5)
        family.mixture_logits.normal_()
    return family


def log_prob(family, x):
    """Log density of each row, from the loss of a batch of one."""
    rows = [-family.loss(Batch(row[None], torch.empty(1, 0), None, None))["loss"] for row in x]
    return torch.stack(rows)


def test_the_density_is_that_of_the_mixture_times_the_jacobian():
    family = flow(4, transforms=3)
    x = torch.randn(5, 4, dtype=torch.float64)
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=family.mixture_logits),
        torch.distributions.Independent(torch.distributions.Normal(family.mixture_mean, 1.0), 1),
    )
    for row, mine in zip(x, log_prob(family, x), strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda y: family.encode(y[None], None).mean[0], row)
        z = family.encode(row[None], None).mean[0]
        assert (jacobian.abs() > 1e-9).sum() > 4  # more than a diagonal
        torch.testing.assert_close(mine, mixture.log_prob(z) + torch.linalg.slogdet(jacobian).logabsdet)


def test_the_density_integrates_to_one():
    family = flow(2, transforms=2)
    line = torch.linspace(-12, 12, 401, dtype=torch.float64)
    x = torch.cartesian_prod(line, line)
    with torch.no_grad():
        z, log_determinant = family.transform().call_and_ladj(x)
        density = (family.log_base(z) + log_determinant).exp()
    assert density.sum().item() * (24 / 400) ** 2 == pytest.approx(1, abs=1e-3)


def test_ten_layers_and_fifty_components_are_the_default():
    family = GMMFlow(Problem((3,), 0, 3, 100, None, Gaussian()))
    autoregressive = [m for m in family.transform.modules() if isinstance(m, MaskedAutoregressiveTransform)]
    assert len(autoregressive) == 10
    assert family.mixture_mean.shape == (50, 3)


def test_another_latent_dimension_is_refused():
    with pytest.raises(UsageError, match="keeps all 12 dimensions of x: --latent-dim 12"):
        GMMFlow(Problem((3, 2, 2), 0, 5, 100, None, Gaussian()))
