"""Families of documents: closed forms, injectivity, and what text makes of the others."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from stabaudit.config import Training
from stabaudit.errors import UsageError
from stabaudit.families.annealing import annealed
from stabaudit.families.base import Batch, Problem
from stabaudit.families.gmvae import GMVAE
from stabaudit.families.lidsvae import LIDSVAE
from stabaudit.families.svae import SVAE
from stabaudit.families.vae import VAE
from stabaudit.nets import lstm, mlp
from stabaudit.nets.likelihoods import Categorical
from stabaudit.training.model_scores import collapse
from stabaudit.training.step.noise import Fresh
from stabaudit.training.step.restarts import Restarts, Rows, encode, rows_at_once

LENGTH = 5


def problem(k=9, d=2, hidden=4, **options):
    def networks(context_dim, latent_dim=None):
        return lstm.build((LENGTH, k), latent_dim or d, context_dim, embedding=3, hidden=hidden, **options)

    return Problem((LENGTH,), 0, d, 200, networks, Categorical(outcomes=k))


def family_of(kind, of=None, **options):
    torch.manual_seed(0)
    return kind(of or problem(), **options)


def documents(n=40, k=9):
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(1, k + 1, (n, LENGTH), generator=generator)
    lengths = torch.randint(1, LENGTH + 1, (n, 1), generator=generator)
    return Rows((x * (torch.arange(LENGTH) < lengths)).float(), torch.empty(n, 0))


def terms(family, rows, progress=1.0):
    return family.loss(Batch(rows.x, rows.u, Fresh(torch.Generator().manual_seed(0)), torch.tensor(progress)))


def test_a_categorical_likelihood_is_the_cross_entropy_of_what_is_there():
    generator = torch.Generator().manual_seed(0)
    x, output = documents().x, torch.randn(40, LENGTH, 9, generator=generator)
    expected = -functional.cross_entropy(output.movedim(2, 1), x.long() - 1, ignore_index=-1, reduction="none").sum(1)
    torch.testing.assert_close(Categorical(outcomes=9).log_prob(x, output), expected)
    behind = output.clone()
    behind[x == 0] = 1e9
    assert torch.equal(Categorical(outcomes=9).log_prob(x, behind), Categorical(outcomes=9).log_prob(x, output))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SVAE, VAE])
def test_of_one_symbol_nothing_is_to_be_said(kind):
    """Likelihood 0 nats whatever z, and training leaves the posterior equal to the prior."""
    rows = documents(k=1)
    training = Training(epochs=60, batch_size=20, learning_rate=0.02)
    restarts = Restarts(lambda: kind(problem(k=1)), [0], rows, training)
    for _ in range(60):
        epoch = restarts.train_epoch()
    assert epoch.terms["reconstruction"][0] == 0
    assert epoch.terms["kl"][0] < 1e-3
    posterior = encode(restarts.module(0), rows)
    assert posterior.mean.abs().max() < 0.1
    assert posterior.log_var.abs().max() < 0.1
    weights = restarts.module(0).log_weight(rows.x, rows.u, Fresh(torch.Generator().manual_seed(0)))
    assert weights.abs().mean() < 0.1


@pytest.mark.parametrize("kind", [SVAE, LIDSVAE])
def test_probabilities_of_all_documents_sum_to_one(kind):
    """All 12³ documents of three words: a decoder that saw a word before saying it would not do."""
    k, words = 12, 3
    family = family_of(kind, problem(k=k)).eval()
    every = torch.cartesian_prod(*[torch.arange(1.0, k + 1)] * words)
    z = torch.randn(1, 2).expand(len(every), 2)
    with torch.no_grad():
        total = family.likelihood.log_prob(every, family.decoder(z, None, every)).double().logsumexp(0)
    assert total.item() == pytest.approx(0, abs=1e-5)


@pytest.mark.slow
def test_importance_weights_agree_with_the_integral_over_z():
    family = family_of(SVAE, problem(d=1)).eval()
    with torch.no_grad():
        family.decoder.history.layers[0].inputs.weight.mul_(4)  # so that z matters
        rows = documents(8)
        grid = torch.linspace(-8, 8, 2001)
        densities = torch.distributions.Normal(0.0, 1.0).log_prob(grid)
        exact = []
        for x in rows.x:
            some = x.expand(len(grid), LENGTH)
            joint = family.likelihood.log_prob(some, family.decoder(grid[:, None], None, some)) + densities
            exact.append(joint.double().logsumexp(0) + math.log(grid[1] - grid[0]))
        noise = Fresh(torch.Generator().manual_seed(0))
        weights = torch.stack([family.log_weight(rows.x, rows.u, noise) for _ in range(4000)])
        estimate = weights.double().logsumexp(0) - math.log(len(weights))
    np.testing.assert_allclose(estimate, torch.stack(exact), atol=0.01)


def test_likelihoods_per_word_are_over_all_symbols_with_the_ends():
    family, rows = family_of(SVAE).eval(), documents()
    scores = collapse(family, rows, None, 0, text=True).scores
    symbols = int((rows.x > 0).sum())
    assert scores["log_likelihood_words"] == symbols < rows.x.numel()
    assert scores["word_log_likelihood"] == pytest.approx(scores["log_likelihood"] * len(rows) / symbols, rel=1e-6)
    assert scores["perplexity"] == pytest.approx(math.exp(-scores["word_log_likelihood"]))
    assert not {"perplexity", "word_log_likelihood"} & set(collapse(family, rows, None, 0).scores)


@pytest.mark.slow
def test_documents_of_many_symbols_are_evaluated_a_few_at_once(monkeypatch):
    family, rows = family_of(SVAE).eval(), documents()
    assert rows_at_once(family, rows) == 1000
    with_all, scores = encode(family, rows).mean, collapse(family, rows, None, 0, text=True).scores
    monkeypatch.setattr("stabaudit.training.step.restarts.EVALUATION_LOGITS", 3 * LENGTH * 9 + 1)
    assert rows_at_once(family, rows) == 3
    torch.testing.assert_close(encode(family, rows).mean, with_all)
    few = collapse(family, rows, None, 0, text=True).scores
    assert few["log_likelihood"] == pytest.approx(scores["log_likelihood"], abs=0.05)
    assert few["log_likelihood_rows"] == len(rows)


@torch.no_grad()
def test_a_decoder_that_knows_nothing_has_the_size_of_the_vocabulary_as_its_perplexity():
    family, rows = family_of(SVAE).eval(), documents()
    family.decoder.out.weight.zero_()
    family.decoder.out.bias.zero_()
    family.encoder.heads.weight.zero_()
    family.encoder.heads.bias.zero_()  # the posterior is the prior
    assert collapse(family, rows, None, 0, text=True).scores["perplexity"] == pytest.approx(9, rel=1e-5)


def test_svae_is_a_vae_with_a_weight_on_the_divergence():
    rows = documents()
    plain, weighted = family_of(VAE), family_of(SVAE, beta=0.2, annealing=0.5)
    assert torch.equal(terms(plain, rows)["loss"], terms(family_of(SVAE), rows)["loss"])
    for progress, weight in ((0.0, 0.1), (0.25, 0.55), (0.5, 1.0), (1.0, 1.0)):
        found = terms(weighted, rows, progress)
        expected = found["reconstruction"] + 0.2 * weight * found["kl"]
        torch.testing.assert_close(found["loss"], expected)
        assert torch.equal(found["kl"], terms(plain, rows)["kl"])


def test_without_a_weight_the_terms_are_the_same_objects():
    given = {"loss": torch.tensor(3.0), "reconstruction": torch.tensor(1.0), "kl": torch.tensor(2.0)}
    assert annealed(given, torch.tensor(0.0), 0.0) is given


def test_lidsvae_words_depend_injectively_on_z():
    """For the same history, distributions of two z differ, in natural parameters at least by α² of the distance."""
    alpha = 0.3
    family = family_of(LIDSVAE, problem(k=12), convex_widths=(6, 5), alpha=alpha).double().eval()
    x = documents(500, k=12).x
    generator = torch.Generator().manual_seed(1)
    z = 3 * torch.randn(500, 2, generator=generator, dtype=torch.float64)
    apart = 10.0 ** -torch.randint(5, (500, 1), generator=generator)
    other = z + apart * torch.randn(500, 2, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        natural = [decoded - decoded[..., -1:] for decoded in (family.decoder(z, None, x), family.decoder(other, None, x))]
    assert natural[0].shape == (500, LENGTH, 12)
    distance = (natural[0] - natural[1]).norm(dim=2)
    assert (distance >= alpha**2 * (z - other).norm(dim=1, keepdim=True) * (1 - 1e-6)).all()


def test_lidsvae_is_svae_but_for_its_decoder_and_its_history_does_not_see_z():
    rows = documents(k=12)
    svae, lidsvae = family_of(SVAE, problem(k=12)), family_of(LIDSVAE, problem(k=12), convex_widths=(6,))
    assert torch.equal(encode(svae.eval(), rows).mean, encode(lidsvae.eval(), rows).mean)
    svae.decoder = lidsvae.decoder
    assert torch.equal(terms(svae, rows)["loss"], terms(lidsvae, rows)["loss"])
    assert lidsvae.decoder.history.layers[0].inputs.in_features == 3  # an embedded word, and nothing beside it
    assert lidsvae.decoder.history.word_dropout == 0


def test_too_small_a_vocabulary_for_injective_words_is_one_line():
    with pytest.raises(UsageError) as refused:
        family_of(LIDSVAE, problem(k=6))
    assert str(refused.value) == (
        "an injective decoder of 2 latent dimensions and a history of 4 needs at least 7 symbols, this vocabulary has 6: "
        "lower --latent-dim or --set hidden=…"
    )
    family_of(LIDSVAE, problem(k=7), convex_widths=(6,))


def test_of_text_x_does_not_follow_from_z_alone():
    for kind, options in ((SVAE, {}), (VAE, {}), (GMVAE, {"components": 2})):
        assert family_of(kind, **options).eval().decode(torch.zeros(3, 2)) is None
    numbers = Problem((4,), 0, 2, 200, lambda c, d=None: mlp.build((4,), d or 2, c), Categorical(outcomes=3))
    assert family_of(VAE, numbers).decode(torch.zeros(3, 2)).shape == (3, 4)
