"""Injective decoders: what input-convex networks promise, by autograd and by brute force, and the families built on them."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from stabaudit.config import Training
from stabaudit.errors import UsageError
from stabaudit.families.gmvae import GMVAE
from stabaudit.families.lidmvae import LIDMVAE
from stabaudit.families.lidvae import LIDVAE
from stabaudit.families.vae import VAE
from stabaudit.nets.base import bounded
from stabaudit.nets.convex import ConvexGradient, InjectiveDecoder
from stabaudit.training.step.restarts import Restarts, Rows, encode

ALPHA = 0.1


def potential(network, u):
    """T(u) by its definition, with torch's own functions."""
    direct = [functional.linear(u, skip, bias) for skip, bias in zip(network.skip, network.bias, strict=True)]
    y = functional.softplus(direct[0]) ** 2 / 2
    for weight, term in zip(network.between, direct[1:], strict=True):
        y = functional.softplus(y @ functional.softplus(weight).T / weight.shape[1] + term)
    return y @ (network.scale * functional.softplus(network.last)) + u @ network.linear + network.alpha / 2 * (u * u).sum(-1)


@pytest.fixture(params=[(3, (8,)), (5, (16, 12)), (4, (8, 10, 6))], ids=str)
def network(request):
    """A network far from its start: no guarantee depends on where training leads."""
    dim, widths = request.param
    torch.manual_seed(0)
    network = ConvexGradient(dim, widths, ALPHA).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(2 * torch.randn_like(parameter))
    return network


def points(network, n=40, seed=1):
    return 3 * torch.randn(n, len(network.linear), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_it_is_the_gradient_of_the_potential(network):
    u = points(network).requires_grad_()
    (expected,) = torch.autograd.grad(potential(network, u).sum(), u)
    torch.testing.assert_close(network(u), expected)


def test_the_jacobian_is_symmetric_with_eigenvalues_of_at_least_alpha(network):
    jacobian = torch.func.vmap(torch.func.jacrev(lambda v: network(v[None])[0]))(points(network))
    torch.testing.assert_close(jacobian, jacobian.transpose(1, 2))
    assert torch.linalg.eigvalsh(jacobian).min() >= ALPHA - 1e-9


def test_it_is_strictly_monotone_on_random_pairs(network):
    u, v = points(network, 2000), points(network, 2000, seed=2)
    product = ((network(u) - network(v)) * (u - v)).sum(1)
    assert (product >= ALPHA * (u - v).square().sum(1) * (1 - 1e-9)).all()


@pytest.mark.parametrize("shape", [(7,), (2, 3, 4)])
def test_the_decoder_is_injective_on_random_pairs_near_and_far(shape):
    torch.manual_seed(0)
    decoder = InjectiveDecoder(shape, 3, (16, 16), ALPHA).double()
    u = 3 * torch.randn(2000, 3, dtype=torch.float64)
    v = u + 10.0 ** -torch.randint(5, (2000, 1)) * torch.randn(2000, 3, dtype=torch.float64)
    apart = (decoder(u) - decoder(v)).flatten(1).norm(dim=1)
    assert decoder(u).shape == (2000, *shape)
    assert (apart >= ALPHA**2 * (u - v).norm(dim=1) * (1 - 1e-6)).all()


@pytest.mark.parametrize("dim", [2, 10, 784])
@pytest.mark.parametrize("widths", [(64,), (256, 256), (128, 128, 128)], ids=str)
def test_every_weight_has_a_living_gradient_at_the_start_and_slopes_are_near_one(dim, widths):
    torch.manual_seed(0)
    network = ConvexGradient(dim, widths, ALPHA)
    u, direction = torch.randn(16, dim, requires_grad=True), torch.randn(16, dim)
    (along,) = torch.autograd.grad((network(u) * direction).sum(), u)  # the Jacobian is symmetric: J times the direction
    assert 0.5 < ((along * direction).sum() / direction.square().sum()).item() < 2
    (network(u) * direction).sum().backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad != 0).all(), name


def test_weights_pushed_far_negative_still_move():
    """What clamping would have killed: W stays positive, and so does its gradient."""
    torch.manual_seed(0)
    network = ConvexGradient(3, (8, 8), ALPHA)
    with torch.no_grad():
        network.between[0].fill_(-8.0)
    network(torch.randn(10, 3)).square().sum().backward()
    assert (network.between[0].grad != 0).all()


def test_lidvae_is_vae_but_for_its_decoder(small):
    rows = small.rows()
    vae, lidvae = small.family(VAE), small.family(LIDVAE, convex_widths=(8, 8))
    assert isinstance(lidvae.decoder, InjectiveDecoder)
    assert torch.equal(encode(vae, rows).mean, encode(lidvae, rows).mean)
    vae.decoder = lidvae.decoder
    assert torch.equal(small.terms(vae, rows)["loss"], small.terms(lidvae, rows)["loss"])


@pytest.mark.slow
def test_lidvae_keeps_a_direction_that_the_data_do_not_need(small):
    """x needs one latent of two: a VAE lets the other collapse; here both reach the decoder after training, whatever the data."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2000, 1, generator=generator) * torch.tensor([[1.0, 0.5, -1.0, 2.0]])
    rows = Rows(x + 0.1 * torch.randn(2000, 4, generator=generator), torch.empty(2000, 0))
    of = small.problem(d=2, variance=0.1)
    training = Training(epochs=6, batch_size=50, learning_rate=3e-3)
    least = {}
    for kind, options in ((VAE, {}), (LIDVAE, {"convex_widths": (16, 16), "alpha": 0.5})):
        restarts = Restarts(lambda kind=kind, options=options: kind(of, **options), [0], rows, training)
        for _ in range(6):
            restarts.train_epoch()
        decoder = restarts.module(0).decoder
        slopes = torch.func.vmap(torch.func.jacrev(lambda z, decoder=decoder: decoder(z[None], None)[0]))(torch.randn(100, 2))
        least[kind] = torch.linalg.svdvals(slopes)[:, -1]
    assert least[LIDVAE].min() > 0.5**2
    assert least[VAE].median() < 0.1


def test_lidmvae_is_gmvae_but_for_decoder_and_means(small):
    rows = small.rows(20)
    gmvae = small.family(GMVAE, components=3)
    learned = small.family(LIDMVAE, components=3, means="learned", convex_widths=(8,))
    embedded = small.family(LIDMVAE, components=3, convex_widths=(8,))
    gmvae.decoder = learned.decoder
    assert torch.equal(small.terms(gmvae, rows)["loss"], small.terms(learned, rows)["loss"])
    prior = embedded.cluster_prior()
    assert torch.equal(prior.mean, torch.eye(3))
    assert "mixture_mean" not in dict(embedded.named_parameters())
    torch.testing.assert_close(prior.log_var, bounded(embedded.mixture_log_var).expand(3, 3))


def test_impossible_dimensions_are_refused(small):
    with pytest.raises(UsageError, match="at least as many elements as there are latent dimensions, 5; these have 4"):
        small.family(LIDVAE, of=small.problem(d=5))
    with pytest.raises(UsageError, match="embedded means of 4 components need as many latent dimensions, not 3"):
        small.family(LIDMVAE, components=4)


def test_as_many_dimensions_as_elements_are_allowed(small):
    family, rows = small.family(LIDVAE, of=small.problem(d=4), convex_widths=(8,)), small.rows()
    assert np.isfinite(small.terms(family, rows)["loss"].item())
