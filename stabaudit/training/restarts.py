"""The restart axis: R restarts of one family, trained together or alone.

Parameters of all restarts live in one buffer of shape (R, P), a restart a row, and every network weight is a view into it. So one
optimiser call updates everything, a restart is one row to save, and the traced step reads weights in place.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stabaudit.config import Training
from stabaudit.families.base import Batch, Family
from stabaudit.nets.base import Posterior
from stabaudit.training.adam import Adam, Plateau
from stabaudit.training.graph import Step, Tensors, trace_step
from stabaudit.training.noise import Ahead, Fresh, Recorder, Request

ALIGNMENT = 16  # float32 numbers in a cache line: no two weights share one
EVALUATION_ROWS = 1000  # rows encoded at once
EVALUATION_STREAM = 2**31  # set apart from the seeds of training streams


@dataclass(frozen=True)
class Rows:
    """Rows of a dataset as tensors: x (n, *shape) and u (n, k), k = 0 where the data has none."""

    x: Tensor
    u: Tensor

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.x)


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training rows gave.

    Args:
        step: steps done so far.
        terms: means over the epoch's steps by name, shape (R,) each.
        learning_rates: used in this epoch, shape (R,).
    """

    step: int
    terms: dict[str, NDArray[np.float64]]
    learning_rates: list[float]


class _Layout:
    """Where each tensor of a module lies in a row of the flat buffer."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.shapes = {name: tensor.shape for name, tensor in tensors.items()}
        self.offsets: dict[str, int] = {}
        self.size = 0
        for name, shape in self.shapes.items():
            self.offsets[name] = self.size
            self.size += -(-shape.numel() // ALIGNMENT) * ALIGNMENT

    def flatten(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """Copy tensors into a new row, shape (P,)."""
        row = torch.zeros(self.size, device=next(iter(tensors.values())).device)
        for name, view in self.views(row).items():
            view.copy_(tensors[name].detach())
        return row

    def views(self, flat: Tensor) -> Tensors:
        """Views of a buffer (…, P): one tensor of shape (…, *shape) per name."""
        return {
            name: flat[..., start : start + self.shapes[name].numel()].unflatten(-1, self.shapes[name])
            if self.shapes[name]
            else flat[..., start]
            for name, start in self.offsets.items()
        }


class Restarts:
    """R restarts of a family on the same rows, each from its own seed.

    Args:
        build: makes one family; what it draws comes from torch's global generator, which is seeded around the call.
        seeds: one per restart.
        rows: the training rows, at least one batch.
        training: batch size, budget and learning rate.
        device: where to train.
    """

    def __init__(
        self, build: Callable[[], Family], seeds: Sequence[int], rows: Rows, training: Training, device: str = "cpu"
    ) -> None:
        self.rows = Rows(rows.x.to(device), rows.u.to(device))
        self.batch_size = training.batch_size
        self.steps_per_epoch = len(rows) // training.batch_size
        self.total_steps = training.steps or (training.epochs or 0) * self.steps_per_epoch
        self.step = 0
        families = [_seeded(build, seed).to(device) for seed in seeds]
        self.family = families[0].train()
        self._layout = _Layout(dict(self.family.named_parameters()))
        self._flat = torch.stack([self._layout.flatten(dict(family.named_parameters())) for family in families])
        self._buffers = {
            name: torch.stack([family.get_buffer(name) for family in families]) for name, _ in self.family.named_buffers()
        }
        self._gradients = torch.zeros_like(self._flat)
        self._adam = Adam(self._flat)
        self._generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
        self._schedules = [Plateau(training.learning_rate) for _ in seeds]
        self._decays = training.schedule == "plateau"
        self.terms, requests = self._probe()
        self._noise = Ahead(requests, self._generators)
        self._traced: Step | None = None

    def __len__(self) -> int:
        """Return the number of restarts."""
        return len(self._flat)

    def train_epoch(self, on_step: Callable[[int], None] = lambda _: None) -> Epoch:
        """Train every restart for one pass over the rows, each in its own order, or for what is left of the budget.

        Rows that do not fill a last batch are left out of this pass. `on_step` is called with the number of steps done so far.
        """
        steps = min(self.steps_per_epoch, self.total_steps - self.step)
        order = torch.stack([torch.randperm(len(self.rows), generator=g, device=g.device) for g in self._generators])
        batches = order[:, : steps * self.batch_size].view(len(self), steps, self.batch_size)
        totals = torch.zeros(len(self), len(self.terms), dtype=torch.float64, device=self._flat.device)
        rates = [schedule.learning_rate for schedule in self._schedules]
        with torch.inference_mode():
            for number in range(steps):
                if number % self._noise.steps == 0:
                    self._noise.draw(min(self._noise.steps, steps - number))
                totals += self._train_step(batches[:, number], self._noise.step(number % self._noise.steps), rates)
                on_step(self.step)
        means = (totals / steps).cpu().numpy()
        epoch = Epoch(self.step, {name: means[:, column] for column, name in enumerate(self.terms)}, rates)
        if self._decays:
            for schedule, loss in zip(self._schedules, epoch.terms["loss"], strict=True):
                schedule.epoch(float(loss), steps)
        return epoch

    def _train_step(self, batch: Tensor, noise: list[Tensor], rates: list[float]) -> Tensor:
        """One step of every restart on the rows `batch`, shape (R, B); the terms, shape (R, terms)."""
        x, u = (rows.index_select(0, batch.flatten()).unflatten(0, batch.shape) for rows in (self.rows.x, self.rows.u))
        progress = torch.tensor(self.step / self.total_steps, device=x.device)
        # A lone restart is traced without the restart axis: plain matrix products, and bits that depend on its seed alone.
        lone = len(self) == 1
        parameters = self._layout.views(self._flat[0] if lone else self._flat)
        buffers = {name: value[0] for name, value in self._buffers.items()} if lone else self._buffers
        arguments = (parameters, buffers, *((x[0], u[0], [n[0] for n in noise]) if lone else (x, u, noise)), progress)
        if self._traced is None:
            with torch.inference_mode(mode=False):
                self._traced = trace_step(self.family, self.terms, arguments, grouped=not lone)
        gradients, values = self._traced(*arguments)
        targets = self._layout.views(self._gradients[0] if lone else self._gradients)
        torch._foreach_copy_(list(targets.values()), [gradients[name] for name in targets])
        self._adam.step(self._gradients, rates)
        self.step += 1
        return values

    def module(self, restart: int) -> Family:
        """One restart as a module of its own, in evaluation mode. The module is shared: use it before asking for another."""
        state = self._layout.views(self._flat[restart]) | {name: value[restart] for name, value in self._buffers.items()}
        self.family.load_state_dict(state, strict=False)  # buffers that are not persistent are constants
        return self.family.eval()

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that decides the rest of the training, as tensors and as plain numbers; taken between epochs."""
        tensors = {
            "parameters": self._flat,
            **self._adam.state(),
            "generators": torch.stack([g.get_state() for g in self._generators]),
        }
        tensors |= {f"buffers.{name}": value for name, value in self._buffers.items()}
        return tensors, {"step": self.step, "schedules": [asdict(schedule) for schedule in self._schedules]}

    def load_state(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        mine, _ = self.state()
        for name, value in mine.items():
            if name != "generators":
                value.copy_(tensors[name])
        for generator, state in zip(self._generators, tensors["generators"], strict=True):
            generator.set_state(state.cpu().clone())  # torch reads the bytes as they lie: a view of a row may be misaligned
        self.step = numbers["step"]
        self._schedules = [Plateau(**schedule) for schedule in numbers["schedules"]]

    def _probe(self) -> tuple[list[str], list[Request]]:
        """Run the loss once to learn its terms and the random numbers it asks for."""
        recorder = Recorder(self._flat.device)
        x, u = self.rows.x[: self.batch_size], self.rows.u[: self.batch_size]
        with torch.no_grad():
            values = self.family.loss(Batch(x, u, recorder, torch.zeros((), device=x.device)))
        return ["loss", *(name for name in values if name != "loss")], recorder.requests


def encode(family: Family, rows: Rows) -> Posterior:
    """Posterior means and log-variances of all rows, shape (n, d) each, on the CPU."""
    device = next(family.parameters()).device
    with torch.inference_mode():
        parts = [
            family.encode(x.to(device), u.to(device))
            for x, u in zip(rows.x.split(EVALUATION_ROWS), rows.u.split(EVALUATION_ROWS), strict=True)
        ]
    return Posterior(torch.cat([p.mean for p in parts]).cpu(), torch.cat([p.log_var for p in parts]).cpu())


def evaluate(family: Family, rows: Rows, seed: int) -> dict[str, float]:
    """Means of the loss terms over all rows without dropout, one noise sample a row from a stream of the seed's own."""
    device = next(family.parameters()).device
    noise = Fresh(torch.Generator(device).manual_seed(EVALUATION_STREAM + seed))
    totals: dict[str, float] = {}
    with torch.inference_mode():
        for x, u in zip(rows.x.split(EVALUATION_ROWS), rows.u.split(EVALUATION_ROWS), strict=True):
            batch = Batch(x.to(device), u.to(device), noise, torch.ones((), device=device))
            for name, value in family.loss(batch).items():
                totals[name] = totals.get(name, 0.0) + value.item() * len(x) / len(rows)
    return totals


def _seeded(build: Callable[[], Family], seed: int) -> Family:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()
