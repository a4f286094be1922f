"""What holds for every family, on every architecture and likelihood."""

import math

import numpy as np
import pytest
import safetensors.numpy
import torch

from stabaudit.config import Choice, RunConfig, Training
from stabaudit.families.base import Batch
from stabaudit.nets.likelihoods import LIKELIHOODS
from stabaudit.registry import known, resolve
from stabaudit.training.build import OWN, builder, choose, own
from stabaudit.training.step.noise import Fresh, Recorder
from stabaudit.training.step.restarts import Restarts, Rows, encode

U_DIM, ROWS = 3, 96
OPTIONS = {  # sizes that suit the small data, and what deserves a contract of its own
    "vae": [{}, {"prior": "laplace"}, {"posterior": "realnvp"}],
    "ivae": [
        {},
        {"prior_mean": "learned", "prior_network": "mlp", "encoder_u": "false"},
        {"weights": "published"},
        {"posterior": "full"},
    ],
    "vade": [{"components": "5"}],
    "mfcvae": [{"components": "5"}, {"components": "5", "progressive": "true", "start": "gmm"}],
    "gmvae": [{"components": "3"}, {"components": "3", "posterior": "realnvp"}],
    "lidvae": [{"convex_widths": "8,6"}],
    "lagging": [{"updates": "3"}],
    "savae": [{"step_size": "0.1"}],
    "svae": [{"beta": "0.5", "annealing": "0.3"}],
    "lidsvae": [{"convex_widths": "8,6"}],
    "lidmvae": [{"components": "3", "convex_widths": "8,6"}],
    "rademacher-vae": [{"bits": "2"}],
    "rvqvae": [{"codes": "8"}],
}
ONLY = {"mfcvae": ("mlp",)}  # architectures of families that cannot use every one
LATENT_DIM = {"relu-gmm": 1, "gmm-flow": 64}  # where a family leaves no choice
ARCHITECTURES = ("mlp", "conv", "resnet", "lstm")
OUTCOMES = 12  # of documents
SHAPES = {"mlp": [(6,), (1, 4, 4)], "conv": [(2, 4, 8)], "resnet": [(2, 4, 6)], "lstm": [(5,)], OWN: [(1, 8, 8)]}
SMALL = {
    "mlp": {"widths": "12,10"},
    "conv": {"channels": "3,4,5,6"},
    "resnet": {"channels": "8,8"},
    "lstm": {"embedding": "3", "hidden": "5"},
    OWN: {},
}


def combinations(name):
    """Every architecture, shape and likelihood that a family can use."""
    family = resolve("family", name)
    architectures = [OWN] if "architecture" in family.own else ONLY.get(name, family.architectures or ARCHITECTURES)
    likelihoods = [OWN] if "likelihood" in family.own else family.likelihoods or LIKELIHOODS
    every = [(a, shape, likelihood) for a in architectures for shape in SHAPES[a] for likelihood in likelihoods]
    return [one for one in every if (one[0] == "lstm") == (one[2] == "categorical")]  # documents, and nothing else


FAMILIES = [(name, options) for name in known("family") for options in OPTIONS.get(name, [{}])]
CASES = [(*family, *combination) for family in FAMILIES for combination in combinations(family[0])]
# Training takes its time: each family on one combination, Gaussian where it can be, the first family on all but for resnets.
USUAL = {name: min(combinations(name), key=lambda combination: combination[2] != "gaussian") for name in known("family")}
FIRST = [case for case in CASES if case[:2] == FAMILIES[0] and (case[2] != "resnet" or case[4] == "gaussian")]
TRAINED = FIRST + [case for case in CASES if case[2:] == USUAL[case[0]] and case not in FIRST]


def config_of(family, options, architecture, likelihood):
    chosen = choose(
        options | SMALL[architecture] | ({"outcomes": OUTCOMES} if likelihood == "categorical" else {}),
        family=(family, resolve("family", family)),
        architecture=(architecture, own if architecture == OWN else resolve("architecture", architecture)),
        likelihood=(likelihood, own if likelihood == OWN else LIKELIHOODS[likelihood]),
    )
    training = Training(epochs=1)
    return RunConfig(**chosen, dataset=Choice(name="made"), latent_dim=LATENT_DIM.get(family, 4), restarts=1, training=training)


def rows_of(shape, likelihood):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(ROWS, *shape, generator=generator)
    codes = torch.arange(ROWS) % U_DIM
    if likelihood == "categorical":  # the first word is there, the end is not everywhere the same
        lengths = torch.randint(1, shape[0] + 1, (ROWS, 1), generator=generator)
        x = (1 + (OUTCOMES * x).floor()) * (torch.arange(shape[0]) < lengths)
        return Rows(x, torch.nn.functional.one_hot(codes, U_DIM).float())
    return Rows(x if likelihood == "bernoulli" else 4 * x - 2, torch.nn.functional.one_hot(codes, U_DIM).float())


def noise(seed=0):
    return Fresh(torch.Generator().manual_seed(seed))


def named(case):
    name, options, architecture, shape, likelihood = case
    chosen = ",".join(f"{key}={value}" for key, value in options.items())
    return f"{name}({chosen})-{architecture}-{'x'.join(map(str, shape))}-{likelihood}"


@pytest.fixture(params=CASES, ids=named)
def case(request):
    return prepared(*request.param)


@pytest.fixture(params=TRAINED, ids=named)
def trained_case(request):
    return prepared(*request.param)


def prepared(family, options, architecture, shape, likelihood):
    """A function that builds the family, rows to train it on, and d."""
    config = config_of(family, options, architecture, likelihood)
    return builder(config, shape, U_DIM, ROWS), rows_of(shape, likelihood), config.latent_dim


def test_loss_is_finite_and_every_parameter_gets_a_gradient(case):
    build, rows, _ = case
    torch.manual_seed(0)
    family = build().train()
    terms = family.loss(Batch(rows.x, rows.u, noise(), torch.tensor(0.5)))
    assert {name: value.shape for name, value in terms.items()} == dict.fromkeys(terms, torch.Size([]))
    assert all(value.isfinite() for value in terms.values())
    terms["loss"].backward()
    silent = [n for n, p in family.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


@pytest.mark.slow
def test_everything_is_made_on_the_device_of_the_model(case):
    """On torch's device without numbers: a tensor made on the CPU would be refused there, as it would be on a GPU."""
    build, rows, _ = case
    device = torch.device("meta")
    family, x, u = build().train().to(device), rows.x.to(device), rows.u.to(device)
    terms = family.loss(Batch(x, u, Recorder(device), torch.zeros((), device=device)))
    terms["loss"].backward()
    posterior = family.eval().encode(x, u)
    assert {value.device for value in [*terms.values(), posterior.mean, posterior.log_var]} == {device}


@pytest.mark.slow
def test_encode_is_deterministic_and_loaded_weights_agree(case):
    build, rows, latent_dim = case
    torch.manual_seed(0)
    family = build().eval()
    first, second = encode(family, rows), encode(family, rows)
    assert first.mean.shape == first.log_var.shape == (ROWS, math.prod(family.grid or (latent_dim,)))
    assert torch.equal(first.mean, second.mean)
    saved = safetensors.numpy.save({name: value.numpy() for name, value in family.state_dict().items()})
    torch.manual_seed(1)
    other = build().eval()
    assert not torch.equal(encode(other, rows).mean, first.mean)
    other.load_state_dict({name: torch.from_numpy(value) for name, value in safetensors.numpy.load(saved).items()})
    assert torch.equal(encode(other, rows).mean, first.mean)
    assert torch.equal(encode(other, rows).log_var, first.log_var)


@torch.no_grad()
def loss_at_the_end(family, rows):
    """The objective as it is when training ends: some families change theirs on the way."""
    return family.loss(Batch(rows.x, rows.u, noise(), torch.tensor(1.0)))["loss"].item()


@pytest.mark.slow
def test_grouped_training_equals_lone_training_and_learns(trained_case):
    build, rows, _ = trained_case
    training = Training(steps=30, batch_size=32, learning_rate=1e-3)

    def trained(seeds):
        restarts = Restarts(build, seeds, rows, training)
        started = [loss_at_the_end(restarts.module(i), rows) for i in range(len(seeds))]
        losses = [restarts.train_epoch().terms["loss"] for _ in range(10)]
        ended = [loss_at_the_end(restarts.module(i), rows) for i in range(len(seeds))]
        assert all(end < start for start, end in zip(started, ended, strict=True))
        return np.array(losses), [encode(restarts.module(i), rows).mean for i in range(len(seeds))]

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        together, grouped = trained([1, 2])
        alone, (lone,) = trained([2])  # the one that stands second
        np.testing.assert_allclose(together[:, 1], alone[:, 0], rtol=1e-3)
        nearest_code = build().grid is not None  # which code is the nearest can turn on the last bit
        torch.testing.assert_close(grouped[1], lone, rtol=1e-2, atol=0.1 if nearest_code else 2e-3)
    finally:
        torch.set_num_threads(threads)
