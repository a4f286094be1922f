"""`relu-gmm` against quadrature, and against what Kivva et al. 2022 say of it."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import nn

from stabaudit.errors import UsageError
from stabaudit.families import truncated
from stabaudit.families.base import Batch, Problem
from stabaudit.families.relu_gmm import ReLUGMM
from stabaudit.nets.base import bounded
from stabaudit.nets.likelihoods import Gaussian

pytestmark = pytest.mark.slow


def family_of(width=1, seed=0, variance=0.05, **options):
    torch.manual_seed(seed)
    family = ReLUGMM(Problem((width,), 0, 1, 100, None, Gaussian(variance=variance)), **options).double()
    nn.init.normal_(family.mixture_logits)
    nn.init.normal_(family.mixture_log_var)
    return family


def absolute(means):
    """f(z) = |z| with equal weights and variances."""
    family = family_of(hidden=2)
    values = {"weight": [1, -1], "bias": [0, 0], "out": [[1], [1]], "offset": [0], "mixture_mean": means}
    with torch.no_grad():
        for name, value in values.items():
            family.get_parameter(name).copy_(torch.tensor(value))
        family.mixture_logits.zero_()
        family.mixture_log_var.fill_(-1)
    return family


def decode(family, z):
    return torch.relu(z[:, None] * family.weight + family.bias) @ family.out + family.offset


def joint_on_a_line(family, x):
    """p(x, z) for z on a fine line, shape (n, z)."""
    z = torch.linspace(-25, 25, 200_001, dtype=torch.float64)
    noise = torch.distributions.Normal(decode(family, z), (family.likelihood.log_var / 2).exp())
    components = torch.distributions.Normal(family.mixture_mean, (bounded(family.mixture_log_var) / 2).exp())
    prior = torch.distributions.MixtureSameFamily(torch.distributions.Categorical(logits=family.mixture_logits), components)
    return z, torch.stack([(noise.log_prob(row).sum(1) + prior.log_prob(z)).exp() for row in x])


@pytest.mark.parametrize(("width", "hidden", "seed"), [(1, 1, 0), (1, 6, 1), (3, 4, 2)])
@torch.no_grad()
def test_likelihood_and_posterior_equal_quadrature(width, hidden, seed):
    family = family_of(width, seed, hidden=hidden)
    x = decode(family, 3 * torch.randn(12, dtype=torch.float64)) + 0.3 * torch.randn(12, width, dtype=torch.float64)
    z, joint = joint_on_a_line(family, x)
    evidence = torch.trapezoid(joint, z)
    torch.testing.assert_close(family.log_likelihood(x).exp(), evidence, rtol=1e-6, atol=0)
    posterior = family.encode(x, None)
    mean = torch.trapezoid(joint * z, z) / evidence
    variance = torch.trapezoid(joint * (z - mean[:, None]).square(), z) / evidence
    torch.testing.assert_close(posterior.mean[:, 0], mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(posterior.log_var[:, 0].exp(), variance, rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_two_mixtures_give_one_distribution_where_the_decoder_is_not_injective():
    """Kivva et al. 2022, Remark 3.12."""
    x = torch.linspace(-2, 7, 60, dtype=torch.float64)[:, None]
    one, other, third = (absolute(means).log_likelihood(x) for means in ([-2, -1, 3], [-2, 1, 3], [-2, 1, -2.5]))
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    assert (one - third).abs().max() > 0.5


@pytest.mark.parametrize("seed", range(6))
@torch.no_grad()
def test_the_truth_minimises_every_profile_and_nothing_else_does(seed):
    """Kivva et al. 2022, Fig. 1: here for the cross entropy itself, by quadrature over x."""
    family = family_of(seed=seed, hidden=3, components=2 + seed % 2)
    x = torch.linspace(-30, 30, 6001, dtype=torch.float64)[:, None]
    density = family.log_likelihood(x).exp()
    assert density.sum().item() * 0.01 == pytest.approx(1, abs=1e-6)
    draws = x[torch.multinomial(density, 2000, replacement=True, generator=torch.Generator().manual_seed(0))]
    names = [name for name, _ in family.named_parameters() if not name.startswith("likelihood")]
    for name in names:
        truth = family.get_parameter(name).flatten()[0].item()
        values = truth + torch.linspace(-1, 1, 21, dtype=torch.float64)
        profile = family.profile(draws, name, 0, values)
        assert family.get_parameter(name).flatten()[0].item() == truth
        assert profile[10].item() == pytest.approx(-family.log_likelihood(draws).mean().item(), abs=1e-12)
        exact = torch.stack([_cross_entropy(family, name, value, x, density) for value in values])
        if exact.max() - exact.min() > 1e-9:  # a dead unit has no influence
            assert exact.argmin() == 10
            assert (exact[[9, 11]] > exact[10]).all()
            assert 2 * 2000 * (profile[10] - profile.min()) < 16  # a likelihood ratio, about χ² with one degree of freedom


def _cross_entropy(family, name, value, x, density):
    weighted = x[density > 1e-14]
    numbers = family.get_parameter(name).view(-1)
    before = numbers[0].clone()
    numbers[0] = value
    loss = -(density[density > 1e-14] * family.log_likelihood(weighted)).sum() * 0.01
    numbers[0] = before
    return loss


@pytest.mark.parametrize("x", [-1e4, 0.0, 1e4])
def test_values_and_gradients_are_finite_for_odd_parameters_and_data(x):
    family = family_of(hidden=4).float()
    with torch.no_grad():
        family.weight.copy_(torch.tensor([0.0, 1e-9, 1.0, -1e3]))
        family.bias.copy_(torch.tensor([0.0, 1.0, 0.0, 0.0]))  # two kinks at 0, two beyond every z
    terms = family.loss(Batch(torch.full((3, 1), x), torch.empty(3, 0), None, None))
    terms["loss"].backward()
    assert terms["loss"].isfinite()
    assert all(parameter.grad.isfinite().all() for parameter in family.parameters())
    assert all(moment.isfinite().all() for moment in family.encode(torch.full((3, 1), x), None))


def test_masses_and_moments_of_cut_gaussians():
    for low, high in [(-1.0, 2.0), (-0.1, 0.2), (5.0, 6.0), (-9.0, -8.0), (-1e6, 0.5), (3.0, 1e6), (-30.0, -29.0)]:
        ends = torch.tensor([low, high], dtype=torch.float64)
        mean, variance = truncated.moments(torch.tensor(1.0), torch.tensor(2.0), *ends)
        expected = stats.truncnorm(low, high, loc=1, scale=2)
        assert mean.item() == pytest.approx(expected.mean(), rel=1e-6)
        if low > -10:
            assert variance.item() == pytest.approx(expected.var(), rel=1e-4)
        area = integrate.quad(stats.norm.pdf, max(low, -40), min(high, 40), epsabs=0)[0]
        assert truncated.log_mass(*ends).item() == pytest.approx(np.log(area), abs=1e-6)


def test_more_than_one_latent_dimension_is_refused():
    with pytest.raises(UsageError, match="one latent dimension: --latent-dim 1"):
        ReLUGMM(Problem((2,), 0, 2, 100, None, Gaussian()))
