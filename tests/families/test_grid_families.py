"""`ae` and `rvqvae`: where their latents lie, and the posterior over codes."""

import math

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture
from torch import nn

from stabaudit.errors import UsageError
from stabaudit.families.ae import AE
from stabaudit.families.base import Batch, Problem
from stabaudit.families.rvqvae import RVQVAE
from stabaudit.nets.likelihoods import Bernoulli, Gaussian
from stabaudit.training.step.noise import Fresh

SHAPE = (1, 16, 24)  # a grid of 4×6 after two halvings


def family_of(kind, d=3, likelihood=None, **options):
    torch.manual_seed(0)
    problem = Problem(SHAPE, 0, d, 100, None, likelihood or Gaussian(variance=0.1))
    return kind(problem, channels=(8, 8), **options).eval()


def batch_of(x, seed=0):
    return Batch(x, torch.empty(len(x), 0), Fresh(torch.Generator().manual_seed(seed)), torch.tensor(0.5))


@pytest.mark.parametrize("kind", [AE, RVQVAE])
def test_a_pixel_is_seen_at_its_own_position_of_the_grid(kind):
    family = family_of(kind)
    assert family.grid == (4, 6, 3)
    x = torch.rand(1, *SHAPE)
    other = x.clone()
    other[0, 0, 15, 0] += 1  # bottom left
    with torch.no_grad():
        moved = (family.encode(other, None).mean - family.encode(x, None).mean).view(4, 6, 3).abs().sum(2)
    assert moved[3, 0] > 0
    assert moved[:1].eq(0).all()
    assert moved[:, 4:].eq(0).all()


def test_ae_loss_is_the_likelihood_of_what_is_decoded_from_the_latents():
    family = family_of(AE, likelihood=Bernoulli())
    x = torch.rand(5, *SHAPE)
    codes = family.encode(x, None).mean.view(5, 24, 3)
    expected = nn.functional.binary_cross_entropy_with_logits(family.decoder(codes), x, reduction="sum") / 5
    torch.testing.assert_close(family.loss(batch_of(x))["loss"], expected)


def test_rvqvae_responsibilities_are_those_of_a_mixture_with_identity_covariances():
    family = family_of(RVQVAE, codes=5)
    nn.init.normal_(family.codebook)
    x = torch.rand(4, *SHAPE)
    with torch.no_grad():
        mine = family.log_responsibilities(x).exp().flatten(0, 1)
        h = family.encoder(x).flatten(0, 1).numpy()
        latents = family.encode(x, None)
        kl = family.loss(batch_of(x))["kl"]
    mixture = GaussianMixture(5, covariance_type="spherical")
    mixture.weights_, mixture.means_ = np.full(5, 0.2), family.codebook.detach().numpy()
    mixture.covariances_ = mixture.precisions_cholesky_ = np.ones(5)
    r = mixture.predict_proba(h)
    np.testing.assert_allclose(mine, r, atol=1e-5)
    mean = r @ mixture.means_
    np.testing.assert_allclose(latents.mean.view(-1, 3), mean, atol=1e-5)
    np.testing.assert_allclose(latents.log_var.view(-1, 3).exp(), r @ mixture.means_**2 - mean**2, atol=1e-5)
    assert kl.item() == pytest.approx((r * np.log(r * 5)).sum() / 4, rel=1e-4)


@pytest.mark.slow
def test_cold_draws_pick_each_code_as_often_as_its_responsibility_says():
    family = family_of(RVQVAE, codes=4, temperature=1e-3)
    nn.init.normal_(family.codebook, std=2)
    seen = []
    family.decoder.register_forward_pre_hook(lambda _, codes: seen.append(codes[0]))
    x = torch.rand(1, *SHAPE).expand(2000, *SHAPE)
    with torch.no_grad():
        family.loss(batch_of(x))
        r = family.log_responsibilities(x[:1])[0].exp()
    distance, picked = torch.cdist(seen[0].flatten(0, 1), family.codebook).min(1)
    assert (distance < 0.01).float().mean() > 0.99
    frequency = nn.functional.one_hot(picked.view(2000, 24), 4).double().mean(0)
    assert ((frequency - r).abs() < 5 * (r * (1 - r) / 2000).sqrt() + 1e-3).all()


@pytest.mark.parametrize(("shape", "what"), [((6,), "6"), ((3, 2, 8), "3×2×8")])
def test_what_is_no_image_or_too_small_is_refused(shape, what):
    with pytest.raises(UsageError, match=f"images of 4×4 pixels or more, these data have the shape {what}$"):
        AE(Problem(shape, 0, 3, 100, None, Bernoulli()))


def test_uniform_responsibilities_cost_nothing_and_certain_ones_log_k():
    family = family_of(RVQVAE, codes=8)
    x = torch.rand(2, *SHAPE)
    nn.init.zeros_(family.codebook)
    assert family.loss(batch_of(x))["kl"].item() == pytest.approx(0, abs=1e-4)
    with torch.no_grad():
        family.codebook[1:] = 1e3
    assert family.loss(batch_of(x))["kl"].item() == pytest.approx(24 * math.log(8), rel=1e-4)
