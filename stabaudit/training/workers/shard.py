"""A shard: some restarts of one run that are trained together, resumed together and retried together."""

import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from stabaudit.data.dataset import Split, is_one_hot
from stabaudit.store.run.checkpoint import Checkpoint, load_checkpoint
from stabaudit.store.run.latents import Latents
from stabaudit.store.run.manifest import Restart
from stabaudit.store.run.run_folder import Run
from stabaudit.training.build import builder
from stabaudit.training.geometry import stored_distances
from stabaudit.training.model_scores import collapse, prior_rank
from stabaudit.training.step.matmul import Products
from stabaudit.training.step.restarts import Epoch, Restarts, encode, evaluate
from stabaudit.training.step.streams import rows_seen, streams_of
from stabaudit.training.workers.messages import Progress, Shard
from stabaudit.training.workers.shared_arrays import rows_of, shared

Array = NDArray[Any]
REPORT_SECONDS = 0.5
CHECKPOINT_SECONDS = 20.0


class _History:
    """Epochs of a shard, a row each: step, seconds, and per restart the learning rate and the mean of every loss term."""

    def __init__(self) -> None:
        self.step: list[int] = []
        self.seconds: list[float] = []
        self.values: dict[str, list[NDArray[np.float64]]] = {}  # by column, shape (restarts,) per epoch

    @property
    def last_loss(self) -> tuple[float, ...]:
        """The loss of every restart in the last epoch; empty before the first has ended."""
        return tuple(self.values["loss"][-1].tolist()) if self.values else ()

    def add(self, epoch: Epoch, seconds: float, others: Mapping[str, Array]) -> None:
        """Take note of an epoch; `others` are values of further columns, shape (restarts,) each."""
        self.step.append(epoch.step)
        self.seconds.append(seconds)
        for name, values in (epoch.terms | dict(others) | {"learning_rate": np.array(epoch.learning_rates)}).items():
            self.values.setdefault(name, []).append(values)

    def of(self, restart: int) -> dict[str, Array]:
        """The columns of one restart's history file."""
        columns: dict[str, Array] = {"epoch": np.arange(1, len(self.step) + 1), "step": np.array(self.step)}
        columns |= {name: np.stack(values)[:, restart] for name, values in self.values.items()}
        return columns | {"seconds": np.array(self.seconds)}

    def arrays(self) -> dict[str, Array]:
        """The history as arrays for a checkpoint."""
        values: dict[str, Array] = {f"history.{name}": np.stack(rows) for name, rows in self.values.items()}
        return values | {"step": np.array(self.step), "seconds": np.array(self.seconds)}

    @classmethod
    def restored(cls, arrays: Mapping[str, Array]) -> Self:
        """The history that gave these arrays."""
        history = cls()
        history.step, history.seconds = arrays["step"].tolist(), arrays["seconds"].tolist()
        history.values = {
            name.removeprefix("history."): list(values) for name, values in arrays.items() if name.startswith("history.")
        }
        return history


def train_shard(shard: Shard, report: Callable[[Progress], None]) -> list[Restart]:
    """Train a shard from its checkpoint, or from its beginning, and write the files of its restarts.

    Returns:
        What became of each restart that was unfinished; where the loss left the finite numbers "diverged", with no latents.
    """
    run = Run.delegate(shard.folder)
    train, evaluation = _arrays(shard.arrays)
    rows = rows_of(train)
    seeds = [streams_of(shard.config.seed_of(index), shard.config.seed, shard.config.vary) for index in shard.restarts]
    build = builder(
        shard.config,
        tuple(train.x.shape[1:]),
        rows.u.shape[1],
        rows_seen(len(rows), seeds[0].share),
        categories=is_one_hot(rows.u.numpy()),
    )
    products = Products(run.manifest.environment.products, shard.config.precision)
    training, device, compiled = shard.config.training, shard.config.device, shard.config.compile
    restarts = Restarts(build, seeds, rows, training, device, products, compiled=compiled, eager=shard.config.eager)
    history = _train(restarts, run, shard, report)
    # Files of a restart that was done before stay as they are: its record holds their digests.
    rows_to_finish = [(row, index) for row, index in enumerate(shard.restarts) if index in run.unfinished]
    return [_finish(run, restarts, row, index, history, (evaluation, seeds[row].evaluation)) for row, index in rows_to_finish]


def _train(restarts: Restarts, run: Run, shard: Shard, report: Callable[[Progress], None]) -> _History:
    """Train to the end of the budget, from the checkpoint if there is one, with a new one now and then."""
    history = _History()
    saved_state = load_checkpoint(run.checkpoint_path(shard.number))
    if saved_state is not None:
        restarts.load_state({name: torch.from_numpy(array) for name, array in saved_state.arrays.items()}, saved_state.state)
        history = _History.restored(saved_state.arrays)
    before = history.seconds[-1] if history.seconds else 0.0
    start = reported = saved = time.monotonic()

    def on_step(step: int) -> None:
        nonlocal reported
        if time.monotonic() - reported >= REPORT_SECONDS:
            reported = time.monotonic()
            report(Progress(shard, step, restarts.total_steps, history.last_loss))

    while restarts.step < restarts.total_steps and not (history.values and np.isnan(history.last_loss).all()):
        epoch = restarts.train_epoch(on_step)
        history.add(epoch, before + time.monotonic() - start, _prior_ranks(restarts))
        if time.monotonic() - saved >= CHECKPOINT_SECONDS:
            saved = time.monotonic()
            tensors, numbers = restarts.state()
            arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
            run.save_checkpoint(shard.number, Checkpoint(arrays | history.arrays(), numbers))
    report(Progress(shard, restarts.step, restarts.total_steps, history.last_loss))
    return history


def _prior_ranks(restarts: Restarts) -> dict[str, Array]:
    """Rank and condition number of L of every restart; nothing for families whose prior is a single Gaussian."""
    if restarts.family.conditional_priors() is None:
        return {}
    with torch.inference_mode():
        ranks = [prior_rank(restarts.module(row).conditional_priors()) for row in range(len(restarts))]
    return {name: np.array([rank[name] for rank in ranks]) for name in ("prior_rank", "prior_condition")}


def _finish(  # noqa: PLR0917
    run: Run, restarts: Restarts, row: int, index: int, history: _History, evaluated: tuple[Split, int]
) -> Restart:
    """Write the files of the restart in a row of the group and say what became of it.

    Args:
        run: that the files belong to.
        restarts: the group.
        row: in the group.
        index: of the restart in the run.
        history: of the group.
        evaluated: the evaluation rows, and the seed of the noise on them.
    """
    restart, (evaluation, noise) = run.restart(index), evaluated
    past = history.of(row)
    run.save_history(index, past)
    record: dict[str, Any] = {"steps": int(past["step"][-1]), "seconds": float(past["seconds"][-1])}
    module = restarts.module(row)
    posterior = encode(module, rows_of(evaluation))
    finite = np.isfinite(past["loss"])
    if not (finite.all() and posterior.mean.isfinite().all() and posterior.log_var.isfinite().all()):
        when = "in the last epoch" if finite.all() else f"by step {past['step'][np.argmin(finite)]}"
        detail = f"the loss or the latents left the finite numbers {when}; a lower --lr may help"
        return restart.model_copy(update=record | {"state": "diverged", "detail": detail})
    latents = Latents(evaluation.sample_id, posterior.mean.numpy(), posterior.log_var.numpy(), evaluation.labels)
    run.save_latents(index, latents)
    run.save_weights(index, {name: tensor.cpu().numpy() for name, tensor in module.state_dict().items()})
    scores = {f"train_{name}": float(past[name][-1]) for name in restarts.terms}
    scores |= {f"evaluation_{name}": value for name, value in evaluate(module, rows_of(evaluation), noise).items()}
    found = collapse(module, rows_of(evaluation), evaluation.labels, noise)
    if found.divergence:
        run.save_divergence(index, found.divergence)
    if found.prior:
        run.save_prior(index, found.prior)
    if run.manifest.config is not None and run.manifest.config.geometry:
        run.save_geometry(index, stored_distances(module, posterior.mean, evaluation.sample_id))
    scores |= found.scores
    return restart.model_copy(update=record | {"state": "done", "detail": "", "scores": scores})


@lru_cache(maxsize=1)
def _arrays(folder: Path) -> tuple[Split, Split]:
    return shared(folder)
