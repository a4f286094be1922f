"""What decides the bits of a restart: the command and the machine, and with `--exact` its seed alone."""

import numpy as np
import pytest

from stabaudit.engines.local import LocalEngine
from stabaudit.store.run.run_folder import Run
from stabaudit.training.prepare import prepare
from stabaudit.training.prepared_run import Job
from stabaudit.training.recipe import Recipe
from stabaudit.training.train import train

pytestmark = pytest.mark.slow

CASES = {
    "mlp": {"family": "vae", "settings": {"widths": [16, 12]}},
    "conv": {"family": "vae", "arch": "conv", "settings": {"channels": [3, 4, 5, 6]}},  # batch normalisation keeps buffers
    "mixture": {"family": "vade", "settings": {"widths": [16], "components": 4}},
}


@pytest.fixture(params=CASES)
def trained(request, tmp_path):
    """A run on the digits, trained for a few steps: `trained("a", workers=2, restarts=3)`."""

    def make(name, *, workers, **wanted) -> Run:
        recipe = Recipe(**CASES[request.param], **wanted, data="digits", latent_dim=3, steps=12)
        return train([Job(prepare(recipe), tmp_path / name)], LocalEngine(workers))[0]

    return make


def bits(run, index):
    """Everything that training decides: latents, weights and buffers, the losses on the way."""
    z, history = run.latents(index), run.history(index)
    losses = {name: history[name].tobytes() for name in sorted(history) if name != "seconds"}
    return z.mean.tobytes(), z.log_var.tobytes(), run.weights_path(index).read_bytes(), losses


def test_exact_bits_depend_on_the_seed_alone(trained):
    """Whatever the number of restarts, the place among them, the shard and the workers."""
    alone = trained("a", workers=1, restarts=1, seed=3, exact=True)
    second = trained("b", workers=1, restarts=2, seed=2, exact=True)  # after another one in the same process
    among = trained("c", workers=2, restarts=3, seed=1, exact=True)
    assert bits(alone, 0) == bits(second, 1) == bits(among, 2)
    assert bits(second, 0) == bits(among, 1) != bits(among, 2)
    assert np.abs(alone.latents(0).mean - among.latents(2).mean).max() == 0.0


@pytest.mark.parametrize("trained", ["mixture"], indirect=True)  # whose restarts are trained together
def test_the_same_command_gives_the_same_bits_and_shards_are_kept_on_other_workers(trained):
    first, again = trained("a", workers=2, restarts=3), trained("b", workers=2, restarts=3)
    expected = [bits(first, index) for index in range(3)]
    assert [bits(again, index) for index in range(3)] == expected
    for index in range(3):
        again.latents_path(index).unlink()
    again = trained("b", workers=1, restarts=3)  # one worker by itself would have cut another shard
    assert again.manifest.shards == first.manifest.shards
    assert [bits(again, index) for index in range(3)] == expected
