"""What is measured of decoders, against closed forms, other ways to compute it, and functions whose preimages are known."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from stabaudit.nets.base import LeakyTanh
from stabaudit.nets.convex import InjectiveDecoder
from stabaudit.nets.likelihoods import Bernoulli, DiscretisedLogistic, Gaussian
from stabaudit.nets.mlp import Decoder as MlpDecoder
from stabaudit.store.run.latents import Latents
from stabaudit.theory.facts import Components
from stabaudit.training.diagnosis.decoder_at_points import Decoder, decoder_of
from stabaudit.training.diagnosis.layers import layers_of, proof
from stabaudit.training.diagnosis.model_facts import Precision, _curvature, _pieces, log_prior, noise_of, posterior_share
from stabaudit.training.diagnosis.second_preimages import search


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain(f, d):
    return Decoder(f, torch.zeros(d, dtype=torch.float64), torch.ones(d, dtype=torch.float64), tuple(range(d)))


def searched(f, d, points=64):
    return search(plain(f, d), normal(points, d))


def test_the_jacobian_is_that_of_automatic_differentiation():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 20), nn.Tanh(), nn.Linear(20, 5)).double()
    center, spread = normal(3, seed=1), normal(3, seed=2).abs() + 0.5
    decoder = Decoder(net, center, spread, (0, 2))
    y = normal(7, 2, seed=3)
    expected = torch.stack([torch.autograd.functional.jacobian(net, z)[:, [0, 2]] * spread[[0, 2]] for z in decoder.latents(y)])
    torch.testing.assert_close(decoder.jacobian(y), expected, rtol=1e-8, atol=1e-9)
    held = decoder.latents(y)
    assert (held[:, 1] == center[1]).all()


@pytest.mark.slow
def test_second_preimages_of_functions_that_have_them_everywhere_somewhere_and_nowhere():
    every = searched(torch.abs, 1)
    assert every.doubled.all()
    torch.testing.assert_close(every.pairs[:, 0], -every.pairs[:, 1], rtol=1e-6, atol=1e-9)
    folded = searched(lambda z: torch.stack([z[:, 0], (z[:, 1] - 1).abs()], 1), 2)
    assert folded.doubled.all()
    cubic = searched(lambda z: z**3 - z, 1)  # three preimages where |z³ − z| < 2/√27, of z within ±2/√3
    origin = normal(64, 1)[torch.randperm(64, generator=torch.Generator().manual_seed(1310))][:, 0]
    inside = origin.abs() < 2 / math.sqrt(3)
    assert (cubic.doubled == inside).double().mean() > 0.95
    for one_to_one in (lambda z: z**3 + z, lambda z: z @ normal(2, 4, seed=9), lambda z: z + 0.5 * z.sin()):
        assert not searched(one_to_one, 2).doubled.any()


def test_a_direction_that_is_nearly_flat_is_no_second_preimage():
    assert not searched(lambda z: z * torch.tensor([1.0, 1e-6], dtype=z.dtype), 2).doubled.any()


@pytest.mark.slow
def test_leaky_relu_networks_of_growing_width_have_no_second_preimage():
    for seed in range(5):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(2, 5), nn.LeakyReLU(0.1), nn.Linear(5, 8)).double()
        assert not searched(net, 2, points=20).doubled.any()


class Holder(nn.Module):
    def __init__(self, decoder, likelihood=None):
        super().__init__()
        self.decoder = decoder
        if likelihood is not None:
            self.likelihood = likelihood


def proved(decoder, d):
    return proof(Holder(decoder), tuple(range(d)))


def stretch_of(said):
    return float(said.split("distances by ")[1].split(" ")[0])


def pair_layer(bias, *, scale=1.0):
    layer = nn.Linear(2, 4)
    half = torch.tensor([[1.0, 2.0], [0.5, -1.0]])
    with torch.no_grad():
        layer.weight.copy_(torch.cat([half, -scale * half]))
        layer.bias.copy_(torch.tensor(bias))
    return layer


def least_stretch(net, d):
    a, b = normal(20_000, d, seed=4), normal(20_000, d, seed=5)
    net = net.double()
    with torch.no_grad():
        return float(((net(a) - net(b)).norm(dim=1) / (a - b).norm(dim=1)).min())


def test_layers_that_prove_it_and_the_stretch_they_promise():
    torch.manual_seed(0)
    chains = [
        nn.Sequential(nn.Linear(2, 6), nn.LeakyReLU(0.1), nn.Linear(6, 9)),
        nn.Sequential(nn.Linear(2, 6), LeakyTanh(), nn.Linear(6, 6)),
        nn.Sequential(pair_layer([0.1, 0.2, 0.3, -0.1]), nn.ReLU(), nn.Linear(4, 7)),
        nn.Sequential(pair_layer([0.1, 0.2, 0.3, 0.1], scale=0.2), nn.ReLU(), nn.Linear(4, 7)),
        MlpDecoder([2, 5], (6,), "leaky-relu", 0.0),
    ]
    for chain in chains:
        said = proved(chain, 2)
        assert said is not None
        called = chain if isinstance(chain, nn.Sequential) else lambda z, net=chain: net(z, None)
        module = chain.double()
        found = least_stretch(module if called is chain else _Called(module), 2)
        assert 0 < stretch_of(said) <= found * 1.01


class _Called(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, z):
        return self.net(z, None)


def test_layers_that_do_not_prove_it():
    torch.manual_seed(0)
    gap = pair_layer([-0.1, 0.2, 0.0, -0.1])  # between −0.0 and 0.1 of the first pair neither row is active
    chains = [
        nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 9)),
        nn.Sequential(nn.Linear(2, 6), nn.LeakyReLU(0.1), nn.Linear(6, 4)),
        nn.Sequential(gap, nn.ReLU(), nn.Linear(4, 7)),
        nn.Sequential(nn.Linear(2, 6), nn.GELU(), nn.Linear(6, 9)),
    ]
    assert [proved(chain, 2) for chain in chains] == [None] * 4
    flat = nn.Linear(2, 5)
    with torch.no_grad():
        flat.weight[:, 1] = 2 * flat.weight[:, 0]
    assert proved(flat, 2) is None
    assert proof(Holder(flat), (0,)) is not None  # without the second dimension


def test_one_pair_cannot_span_two_dimensions_and_a_row_counts_once():
    layer = nn.Linear(2, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [-2.0, 0.0]]))
        layer.bias.fill_(0.5)
    assert proved(nn.Sequential(layer, nn.ReLU(), nn.Linear(3, 3)), 2) is None
    assert proof(Holder(nn.Sequential(layer, nn.ReLU(), nn.Linear(3, 3))), (0,)) is not None


def test_an_injective_decoder_says_its_smallest_stretch():
    torch.manual_seed(0)
    decoder = InjectiveDecoder((4,), 2, (8,), 0.5)
    assert stretch_of(proved(decoder, 2)) == 0.25
    assert least_stretch(decoder, 2) >= 0.25


def test_layers_have_the_ranks_and_singular_values_of_numpy():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Conv1d(2, 4, 3))
    with torch.no_grad():
        net[0].weight[:, 2] = net[0].weight[:, 1]
    first, second = layers_of(Holder(net))
    expected = np.linalg.svd(net[0].weight.detach().double().numpy(), compute_uv=False)
    assert (first.name, first.into, first.out, first.rank) == ("0.weight", 3, 5, 2)
    assert first.largest == pytest.approx(expected[0])
    assert first.smallest == pytest.approx(expected[-1], abs=1e-7)
    assert (second.into, second.out) == (6, 4)


@pytest.mark.parametrize(
    ("activation", "bends"),
    [(nn.ReLU(), False), (nn.LeakyReLU(0.1), False), (nn.Tanh(), True), (nn.ELU(), True), (nn.SiLU(), True)],
)
def test_curvature_tells_pieces_from_bends(activation, bends):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 200), activation, nn.Linear(200, 200), activation, nn.Linear(200, 6)).double()
    found = _curvature(plain(net, 3), normal(256, 3), torch.Generator().manual_seed(0))
    assert (found > 1e-7) == bends
    assert found > 1e-6 if bends else found < 1e-10


def test_pieces_of_affine_and_kinked_decoders():
    def pieces(f, d=2):
        decoder, y = plain(f, d), normal(100, d)
        return _pieces(decoder, y, decoder.jacobian(y), torch.Generator().manual_seed(0))

    weight = normal(2, 5, seed=1)
    assert pieces(lambda z: z @ weight + 3) == 1
    assert pieces(lambda z: z.abs() @ weight) == 4
    assert pieces(lambda z: (z + 30 * z.sign() * (z.abs() > 50)).clamp(-60, 60) @ weight) > 1  # affine over the data alone


def test_fisher_information_is_the_variance_of_the_score():
    rng = np.random.default_rng(0)
    z = torch.linspace(0.2, 0.7, 4, dtype=torch.float64)
    for likelihood, draw in (
        (Bernoulli(), lambda out: (rng.random((200_000, 4)) < 1 / (1 + np.exp(-out))).astype(float)),
        (Gaussian(variance=0.3), lambda out: out + math.sqrt(0.3) * rng.standard_normal((200_000, 4))),
        (DiscretisedLogistic(scale=0.05), lambda out: np.round((out + 0.05 * rng.logistic(size=(200_000, 4))) * 255) / 255),
    ):
        _, precision = noise_of(Holder(nn.Identity(), likelihood))
        inner = z if not isinstance(likelihood, DiscretisedLogistic) else torch.full((4,), 0.5, dtype=torch.float64)
        output = inner.expand(200_000, 4).clone().requires_grad_()
        x = torch.from_numpy(draw(inner.numpy()))
        (score,) = torch.autograd.grad(likelihood.double().log_prob(x, output).sum(), output)
        torch.testing.assert_close(score.var(0), precision(inner), rtol=0.03, atol=0)


def test_noise_is_known_learned_or_other():
    kinds = [Gaussian(variance=0.1), Gaussian(learned=True), Bernoulli(), DiscretisedLogistic()]
    assert [noise_of(Holder(nn.Identity(), kind))[0] for kind in kinds] == ["known", "learned", "other", "other"]
    assert noise_of(Holder(nn.Identity())) == ("other", None)
    assert Precision(constant=4.0)(torch.zeros(2)).tolist() == [4.0, 4.0]


@pytest.mark.slow
def test_the_share_of_the_posterior_is_that_of_small_noise():
    """x = f(z) + noise of 10⁻³: the mass of p(z) p(x|z) near either preimage, by a fine grid."""

    def f(z):
        return torch.where(z > 0, 2 * z, -0.5 * z)

    prior = Components(np.array([0.3, 0.7]), np.array([[-1.0], [0.5]]), np.array([[0.0], [-0.5]]), 100)
    density = log_prior("mixture", (prior,), None)
    grid = torch.linspace(-6, 6, 2_000_001, dtype=torch.float64).unsqueeze(1)
    log_joint = density(grid) - 0.5 * ((f(grid) - 1.0)[:, 0] / 1e-3) ** 2
    mass = (log_joint - log_joint.max()).exp()
    positive = float(mass[grid[:, 0] > 0].sum() / mass.sum())
    share = posterior_share(plain(f, 1), torch.tensor([[[0.5], [-2.0]]], dtype=torch.float64), density)
    assert float(share[0]) == pytest.approx(min(positive, 1 - positive), rel=1e-3)


def test_log_priors_are_densities_up_to_a_constant():
    z = normal(50, 2)
    laplace, gauss = log_prior("laplace", (), None)(z), log_prior("gaussian", (), None)(z)
    torch.testing.assert_close(
        laplace - laplace[0],
        torch.distributions.Laplace(0.0, 1.0).log_prob(z).sum(1) - torch.distributions.Laplace(0.0, 1.0).log_prob(z[:1]).sum(1),
    )
    torch.testing.assert_close(
        gauss - gauss[0],
        torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) - torch.distributions.Normal(0.0, 1.0).log_prob(z[:1]).sum(1),
    )
    assert log_prior(None, (), None) is None
    one = Components(np.array([1.0]), np.zeros((1, 1)), np.zeros((1, 1)), 10)
    both = log_prior("mixture", (one, one), None)(z)
    torch.testing.assert_close(both - both[0], gauss - gauss[0])


def test_a_bernoulli_decoder_is_looked_at_before_its_sigmoid():
    class Linear(Holder):
        def decode(self, z):
            return self.likelihood.mean(self.decoder(z))

    torch.manual_seed(0)
    holder = Linear(nn.Linear(2, 5), Bernoulli())
    mean = np.random.default_rng(0).standard_normal((300, 2)).astype(np.float32)
    latents = Latents(np.arange(300), mean, np.full_like(mean, -2.0))
    decoder, y = decoder_of(holder, latents)
    assert y.shape == (256, 2)
    assert _pieces(decoder, y, decoder.jacobian(y), torch.Generator().manual_seed(0)) == 1
    torch.testing.assert_close(decoder.jacobian(y)[0], holder.decoder.weight.detach() * decoder.spread, rtol=1e-7, atol=1e-9)
