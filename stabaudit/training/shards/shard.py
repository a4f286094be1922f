"""Training of a shard: some restarts of one run that are trained together, resumed together and retried together."""

import os
import time
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from stabaudit.data.dataset import Split, is_one_hot
from stabaudit.engines.base import Arrays, Report
from stabaudit.store.run.checkpoint import Checkpoint, as_bytes, parse_checkpoint
from stabaudit.store.run.latents import Latents
from stabaudit.store.run.manifest import Restart
from stabaudit.store.run.workspace import Workspace
from stabaudit.training.build import builder
from stabaudit.training.encoding_noise import binarised, encode_with_dropout
from stabaudit.training.geometry import stored_distances
from stabaudit.training.model_scores import collapse, prior_rank
from stabaudit.training.shards.dataset_arrays import rows_of, splits_of
from stabaudit.training.shards.machine import machine
from stabaudit.training.shards.order import Order, opened, result_parcel
from stabaudit.training.step.matmul import Products
from stabaudit.training.step.restarts import Epoch, Restarts, encode, evaluate
from stabaudit.training.step.streams import rows_seen, streams_of

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


def work(parcel: bytes, arrays: Arrays, checkpoint: bytes | None, report: Report) -> bytes:
    """Train a shard as a worker (see `stabaudit.engines.base.Task`): from its checkpoint, or from its beginning.

    Args:
        parcel: of `stabaudit.training.shards.order.order_parcel`.
        arrays: the dataset, as `stabaudit.training.shards.dataset_arrays.arrays_of` gives it.
        checkpoint: of an earlier attempt.
        report: is told now and then of `step`, `total_steps` and `loss`, that of the last whole epoch, a value per restart.

    Returns:
        A parcel for `stabaudit.training.shards.order.result_of`: what became of each restart that was unfinished; where the loss
        left the finite numbers "diverged", with no latents.
    """
    settle()
    with opened(parcel) as (order, workspace):
        return result_parcel(workspace, _train_shard(order, workspace, arrays, checkpoint, report))


def settle() -> None:
    """Make the calling process a worker: one thread, huge pages, no time lost on denormal numbers, the same bits on a GPU too."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch asks for huge pages: a tenth less time with large weights
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it, cuBLAS may add up in another order each time
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False  # float32 convolutions are what a run says that it computed


def _train_shard(order: Order, workspace: Workspace, arrays: Arrays, checkpoint: bytes | None, report: Report) -> list[Restart]:
    config = order.config
    train, evaluation = splits_of(arrays)
    rows = rows_of(train)
    seeds = [streams_of(config.seed_of(index), config.seed, config.vary) for index in order.restarts]
    build = builder(
        config,
        tuple(train.x.shape[1:]),
        rows.u.shape[1],
        rows_seen(len(rows), seeds[0].share),
        categories=is_one_hot(rows.u.numpy()),
    )
    products = Products(workspace.manifest.environment.products, config.precision)
    restarts = Restarts(
        build,
        seeds,
        rows,
        config.training,
        config.device,
        products,
        compiled=config.compile,
        eager=config.eager,
        binarise=config.binarise,
    )
    history = _train(restarts, checkpoint, report)
    # Files of a restart that was done before stay as they are: its record holds their digests.
    to_finish = [(row, index) for row, index in enumerate(order.restarts) if index in order.unfinished]
    return [_finish(workspace, restarts, row, index, history, (evaluation, seeds[row].evaluation)) for row, index in to_finish]


def _train(restarts: Restarts, checkpoint: bytes | None, report: Report) -> _History:
    """Train to the end of the budget, from the checkpoint if there is one, with a new one now and then."""
    history = _History()
    saved_state = None if checkpoint is None else parse_checkpoint(checkpoint, "a checkpoint")
    if saved_state is not None:
        restarts.load_state({name: torch.from_numpy(array) for name, array in saved_state.arrays.items()}, saved_state.state)
        history = _History.restored(saved_state.arrays)
    before = history.seconds[-1] if history.seconds else 0.0
    start = reported = saved = time.monotonic()

    def on_step(step: int) -> None:
        nonlocal reported
        if time.monotonic() - reported >= REPORT_SECONDS:
            reported = time.monotonic()
            report.tell({"step": step, "total_steps": restarts.total_steps, "loss": history.last_loss})

    while restarts.step < restarts.total_steps and not (history.values and np.isnan(history.last_loss).all()):
        epoch = restarts.train_epoch(on_step)
        others = _prior_ranks(restarts) | _phases(restarts)
        history.add(epoch, before + time.monotonic() - start, others)
        if time.monotonic() - saved >= CHECKPOINT_SECONDS:
            saved = time.monotonic()
            tensors, numbers = restarts.state()
            arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
            report.keep(as_bytes(Checkpoint(arrays | history.arrays(), numbers)))
    report.tell({"step": restarts.step, "total_steps": restarts.total_steps, "loss": history.last_loss})
    return history


def _prior_ranks(restarts: Restarts) -> dict[str, Array]:
    """Rank and condition number of L of every restart; nothing for families whose prior is a single Gaussian."""
    if restarts.family.conditional_priors() is None:
        return {}
    with torch.inference_mode():
        ranks = [prior_rank(restarts.module(row).conditional_priors()) for row in range(len(restarts))]
    return {name: np.array([rank[name] for rank in ranks]) for name in ("prior_rank", "prior_condition")}


def _phases(restarts: Restarts) -> dict[str, Array]:
    """Whether each restart is in its aggressive phase, 1 or 0; nothing for families that have none."""
    standings = restarts.phase.standings
    return {"aggressive": np.array([0.0 if one.over else 1.0 for one in standings])} if standings else {}


def _finish(  # noqa: PLR0917
    run: Workspace, restarts: Restarts, row: int, index: int, history: _History, evaluated: tuple[Split, int]
) -> Restart:
    """Write the files of the restart in a row of the group and say what became of it.

    Args:
        run: where the files are made.
        restarts: the group.
        row: in the group.
        index: of the restart in the run.
        history: of the group.
        evaluated: the evaluation rows, and the seed of the noise on them.
    """
    restart, (evaluation, noise), config = run.restart(index), evaluated, run.manifest.config
    assert config is not None  # noqa: S101 -- what stabaudit trains has one
    past = history.of(row)
    run.save_history(index, past)
    record: dict[str, Any] = {"steps": int(past["step"][-1]), "seconds": float(past["seconds"][-1])}
    record["trained_on"] = machine(config.device)
    module = restarts.module(row)
    rows = rows_of(evaluation)
    encoded = binarised(rows, noise) if config.encode_binarised else rows
    posterior = encode_with_dropout(module, encoded, noise) if config.encode_dropout else encode(module, encoded)
    finite = np.isfinite(past["loss"])
    if not (finite.all() and posterior.mean.isfinite().all() and posterior.log_var.isfinite().all()):
        when = "in the last epoch" if finite.all() else f"by step {past['step'][np.argmin(finite)]}"
        detail = f"the loss or the latents left the finite numbers {when}; a lower --lr may help"
        return restart.model_copy(update=record | {"state": "diverged", "detail": detail})
    latents = Latents(evaluation.sample_id, posterior.mean.numpy(), posterior.log_var.numpy(), evaluation.labels)
    run.save_latents(index, latents)
    run.save_weights(index, {name: tensor.cpu().numpy() for name, tensor in module.state_dict().items()})
    scores = {f"train_{name}": float(past[name][-1]) for name in restarts.terms}
    judged = binarised(rows, config.seed) if config.binarise else rows  # all restarts on the same
    scores |= {f"evaluation_{name}": value for name, value in evaluate(module, judged, noise).items()}
    found = collapse(module, judged, evaluation.labels, noise, text=config.likelihood.name == "categorical")
    if found.divergence:
        run.save_divergence(index, found.divergence)
    if found.prior:
        run.save_prior(index, found.prior)
    if config.geometry:
        run.save_geometry(index, stored_distances(module, posterior.mean, evaluation.sample_id))
    scores |= found.scores
    return restart.model_copy(update=record | {"state": "done", "detail": "", "scores": scores})
