"""On a GPU, steps do what they do on the CPU; where there is none, what is planned for one."""

import numpy as np
import pytest
import torch

from stabaudit.config import Choice, RunConfig, Training
from stabaudit.data.dataset import Dataset, Split
from stabaudit.training.build import OWN, builder, choose, own
from stabaudit.training.prepare import prepare
from stabaudit.training.recipe import Recipe
from stabaudit.training.step.optimiser import Adam
from stabaudit.training.step.restarts import Restarts, Rows

on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
STEPS = 12


def restarts(family, architecture, seeds, device, schedule="constant"):
    from stabaudit.nets.likelihoods import LIKELIHOODS
    from stabaudit.registry import resolve

    made = resolve("family", family)
    networks = (OWN, own) if "architecture" in made.own else (architecture, resolve("architecture", architecture))
    of = (OWN, own) if "likelihood" in made.own else ("gaussian", LIKELIHOODS["gaussian"])
    training = Training(steps=STEPS, batch_size=16, schedule=schedule)
    chosen = choose({}, family=(family, made), architecture=networks, likelihood=of)
    config = RunConfig(**chosen, dataset=Choice(name="made"), latent_dim=4, restarts=1, training=training)
    generator = torch.Generator().manual_seed(0)
    x, u = torch.randn(64, 1, 8, 8, generator=generator), torch.eye(3)[torch.arange(64) % 3]
    return Restarts(builder(config, (1, 8, 8), 3, 64), seeds, Rows(x, u), training, device)


def after_steps(*of):
    """Parameters after the same batches and noise, of several groups of restarts, whose losses are then the same."""
    lead, losses = of[0], []
    for number in range(STEPS):
        batch = torch.randint(64, (16 * len(lead),), generator=torch.Generator().manual_seed(number))
        noise = [torch.randn(one.shape, generator=torch.Generator().manual_seed(number)) for one in lead._noise.step(0)]
        for one in of:
            device = one._flat.device
            with torch.inference_mode():
                losses.append(one._train_step(batch.to(device), [numbers.to(device) for numbers in noise]).cpu().clone())
    for one in range(len(of)):
        torch.testing.assert_close(losses[one :: len(of)], losses[:: len(of)], rtol=1e-3, atol=1e-4)
    return [one._flat.cpu() for one in of]


@on_gpu
@pytest.mark.parametrize(
    ("family", "architecture"), [("vae", "mlp"), ("ivae", "mlp"), ("vade", "mlp"), ("vae", "conv"), ("ae", "mlp")]
)
@pytest.mark.parametrize("seeds", [[3], [3, 4, 5]], ids=["one", "three"])
def test_a_gpu_trains_as_the_cpu_does(family, architecture, seeds, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    cpu, gpu = after_steps(*(restarts(family, architecture, seeds, device) for device in ("cpu", "cuda")))
    start = restarts(family, architecture, seeds, "cpu")._flat
    assert (cpu - start).norm() > 0.01 * start.norm()
    # Adam divides by the size of a gradient, so that rounding decides the sign of steps where there is hardly any gradient.
    assert (gpu - cpu).norm() < 0.05 * (cpu - start).norm()


@on_gpu
def test_a_recorded_step_does_what_its_kernels_do_and_follows_the_learning_rate(monkeypatch):
    (recorded,) = after_steps(restarts("vae", "mlp", [3, 4], "cuda", schedule="cosine"))
    monkeypatch.setattr("stabaudit.training.step.cuda_graph.KERNEL_BY_KERNEL", STEPS)
    (by_kernel,) = after_steps(restarts("vae", "mlp", [3, 4], "cuda", schedule="cosine"))
    torch.testing.assert_close(recorded, by_kernel, rtol=0, atol=1e-6)


@on_gpu
def test_restarts_whose_learning_rates_part_are_recorded_anew():
    one, two = (restarts("vae", "mlp", [3, 4], "cuda") for _ in range(2))
    for group in (one, two):
        rates = iter([[1e-3, 1e-3]] * 6 + [[1e-3, 1e-4]] * 6)
        group._rates = lambda rates=rates: next(rates)
    two._compile = lambda inputs, make=two._compile: make(inputs)._step  # never recorded
    torch.testing.assert_close(*after_steps(one, two), rtol=0, atol=1e-6)


def test_groups_are_the_neighbours_with_equal_rates():
    adam = Adam(torch.zeros(6), lambda flat: [flat.view(3, 2)])
    adam.begin([1.0, 1.0, 1.0])
    assert adam.groups == ((0, False),)
    adam.begin([1.0, 1.0, 0.5])
    assert adam.groups == ((0, False), (2, False))


def test_on_a_gpu_restarts_are_stacked_whatever_the_workers(monkeypatch):
    x = np.random.default_rng(0).normal(size=(40, 1, 8, 8)).astype(np.float32)
    split = Split(x, np.arange(40), None, None, None)
    dataset = Dataset("digits", split, split, "gaussian")
    recipe = Recipe(family="vae", data="digits", arch="conv", latent_dim=2, restarts=20, steps=2, batch_size=8, device="cpu")
    assert len(prepare(recipe, dataset=dataset).shards()) == 20
    monkeypatch.setattr("stabaudit.training.prepare._device", lambda _: "cuda")
    monkeypatch.setattr("stabaudit.training.prepared_run.environment", lambda _: None)
    assert [len(shard) for shard in prepare(recipe, dataset=dataset).shards()] == [16, 4]
