"""Signs of unfinished training, and that a finished one shows none."""

import numpy as np
import pytest

from stabaudit.store.run.convergence import are_apart, fall, unfinished_training
from stabaudit.store.run.run_folder import Run

FINISHED = 30 + 70 * np.exp(-np.arange(100) / 10)


def made(path, manifest, latents, *, losses=(90.0, 91.0, 92.0), kl=5.0, history=FINISHED):
    with Run.prepare(path, manifest()) as run:
        for index, loss in enumerate(losses):
            run.save_latents(index, latents(index))
            run.save_history(index, {"epoch": np.arange(len(history)), "loss": history})
            scores = {"evaluation_loss": loss, "evaluation_kl": kl}
            run.record(run.restart(index).model_copy(update={"state": "done", "scores": scores}))
    return Run.open(path)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, None),
        ({"losses": (678.0, 700.0, 836_548.0)}, "the losses of its restarts lie between 678 and 836,548"),
        ({"kl": 169_235.0}, "the KL is up to 169,235 nats per row"),
        ({"history": np.linspace(300.0, 100.0, 200)}, "the loss of restarts 0, 1, 2 still fell by up to 16% over the last tenth"),
        ({"history": np.array([2.0, 1.0])}, None),
    ],
)
def test_what_speaks_against_convergence_is_said(tmp_path, manifest, latents, changed, said):
    found = unfinished_training(made(tmp_path / "run", manifest, latents, **changed))
    if said is None:
        assert found is None
    else:
        assert found.startswith("not converged: ")
        assert said in found
        assert found.endswith(". Train longer, or standardise the data")


def test_signs_keep_to_what_they_mean():
    noise = np.random.default_rng(0).normal(scale=1.0, size=300)
    assert fall(FINISHED + noise[:100]) < 0.05
    assert fall(-FINISHED) < 0.05  # of losses that are negative too, where they rise
    assert fall(np.full(50, np.nan)) == 0
    assert not are_apart([5.0])
    assert not are_apart([0.1, 0.2, 5.0])
    assert are_apart([-100.0, -90.0, 5_000.0])
