"""The restart axis: R restarts of one family, trained together or alone.

Parameters of all restarts live in one flat buffer, and every network weight is a view into it that never moves. So the compiled
step reads weights in place, one optimiser call updates everything, and a checkpoint is one tensor.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stabaudit.config import Training
from stabaudit.errors import UsageError
from stabaudit.families.base import Batch, Family
from stabaudit.nets.base import Posterior
from stabaudit.nets.likelihoods import Categorical
from stabaudit.training.step.aggressive import Phase, probed
from stabaudit.training.step.cuda_graph import Replayed
from stabaudit.training.step.eager import EagerStep, seeded_by, why_not
from stabaudit.training.step.matmul import Products
from stabaudit.training.step.noise import Ahead, Fresh, Recorder, Request
from stabaudit.training.step.optimiser import Adam, Plateau, cosine
from stabaudit.training.step.parameter_layout import ParameterLayout
from stabaudit.training.step.streams import EVALUATION_STREAM, Streams
from stabaudit.training.step.trace import Inputs, Tensors, compile_step, trace

EVALUATION_ROWS = 1000  # rows encoded at once
EVALUATION_LOGITS = 2**25  # at most: of text, rows encoded at once have a logit for every symbol at every place
PLAIN = Products()  # float32 by torch's own choice


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


class Restarts:
    """R restarts of a family on the same rows, each from its own seed.

    Args:
        build: makes one family; what it draws comes from torch's global generator, which is seeded around the call.
        seeds: one per restart, or what each of its streams is seeded with.
        rows: the training rows, at least one batch.
        training: batch size, budget and learning rate.
        device: where to train.
        products: how matrix products are computed.
        compiled: run the step through `torch.compile`.
        eager: run the step operation by operation; of a lone restart only.
        binarise: draw x as Bernoulli(x) anew at every step, each restart for itself.
    """

    def __init__(  # noqa: PLR0917
        self,
        build: Callable[[], Family],
        seeds: Sequence[int | Streams],
        rows: Rows,
        training: Training,
        device: str = "cpu",
        products: Products = PLAIN,
        *,
        compiled: bool = False,
        eager: bool = False,
        binarise: bool = False,
    ) -> None:
        self.rows = Rows(rows.x.to(device), rows.u.to(device))
        self.batch_size = training.batch_size
        streams = [Streams(seed, seed, seed) if isinstance(seed, int) else seed for seed in seeds]
        seen = [own for one in streams if (own := one.rows(len(rows))) is not None]
        self._seen = torch.stack(seen).to(device) if seen else None  # the rows of each restart, where they have their own
        self._row_count = len(rows) if self._seen is None else self._seen.shape[1]
        self.steps_per_epoch = self._row_count // training.batch_size
        self.total_steps = training.steps or (training.epochs or 0) * self.steps_per_epoch
        self.step = 0
        families = [_started(build, one.init, _only(rows, one.rows(len(rows)))).to(device) for one in streams]
        self.family = families[0].train()
        layout = ParameterLayout(dict(self.family.named_parameters()), len(seeds))
        self._flat = torch.zeros(layout.size, device=device)
        self._parameters = layout.views(self._flat)
        self._buffers = {
            name: torch.stack([family.get_buffer(name) for family in families]) for name, _ in self.family.named_buffers()
        }
        for row, family in enumerate(families):
            for name, value in family.named_parameters():
                self._parameters[name][row] = value.detach()
        self._generators = [one.generator(device) for one in streams]
        orders = [generator for one in streams if (generator := one.order_generator(device)) is not None]
        self._orders = orders or self._generators
        self.phase = Phase(self.family.aggressive, len(seeds))
        self._adam = Adam(
            self._flat,
            lambda flat: list(self._as_stepped(layout.views(flat)).values()),
            len(seeds),
            self.phase.seldom(list(self._parameters)),
        )
        self._schedules = [Plateau(training.learning_rate) for _ in seeds]
        self._schedule, self._learning_rate = training.schedule, training.learning_rate
        self._products, self._by_compiler, self._eager, self._binarise = products, compiled, eager, binarise
        self.terms, requests = self._probe()
        self._noise = Ahead([] if eager else requests, self._generators)  # an eager step draws as it goes
        self._progress = torch.zeros((), device=device)
        self._compiled: Callable[[Inputs], Tensor] | None = None

    def __len__(self) -> int:
        """Return the number of restarts."""
        return len(self._generators)

    def train_epoch(self, on_step: Callable[[int], None] = lambda _: None) -> Epoch:
        """Train every restart for one pass over the rows, each in its own order, or for what is left of the budget.

        Rows that do not fill a last batch are left out of this pass. `on_step` is called with the number of steps done so far.
        """
        steps = min(self.steps_per_epoch, self.total_steps - self.step)
        order = torch.stack([torch.randperm(self._row_count, generator=g, device=g.device) for g in self._orders])
        if self._seen is not None:
            order = self._seen.gather(1, order)
        # Row numbers of one step after another, those of all restarts side by side.
        batches = order[:, : steps * self.batch_size].unflatten(1, (steps, self.batch_size)).transpose(0, 1).flatten(1)
        totals = torch.zeros(len(self), len(self.terms), dtype=torch.float64, device=self._flat.device)
        rates = self._rates()
        with torch.inference_mode():
            for number, batch in enumerate(batches.unbind()):
                if number % self._noise.steps == 0:
                    self._noise.draw(min(self._noise.steps, steps - number))
                totals += self._train_step(batch, self._noise.step(number % self._noise.steps))
                on_step(self.step)
        means = (totals / steps).cpu().numpy()
        epoch = Epoch(self.step, {name: means[:, column] for column, name in enumerate(self.terms)}, rates)
        if self._schedule == "plateau":
            for schedule, loss in zip(self._schedules, epoch.terms["loss"], strict=True):
                schedule.epoch(float(loss), steps)
        self.phase.epoch(steps, lambda restart: encode(self.module(restart), self._probed))
        return epoch

    @property
    def _probed(self) -> Rows:
        """The rows from which the end of an aggressive phase is told."""
        return Rows(probed(self.rows.x), probed(self.rows.u))

    def _rates(self) -> list[float]:
        """The learning rate of every restart in the next step."""
        if self._schedule == "cosine":
            return [cosine(self._learning_rate, self.step / self.total_steps)] * len(self)
        return [schedule.learning_rate for schedule in self._schedules]

    def _train_step(self, batch: Tensor, noise: list[Tensor]) -> Tensor:
        """One step of every restart on the rows `batch`, shape (R·B,); the terms, shape (R, terms)."""
        x, u = self.rows.x.index_select(0, batch), self.rows.u.index_select(0, batch)
        if self._binarise:
            for drawn, generator in zip(x.chunk(len(self)), self._generators, strict=True):
                drawn.bernoulli_(drawn.clone(), generator=generator)  # a copy of the rows, by index_select
        if len(self) > 1:
            x, u = x.unflatten(0, (len(self), -1)), u.unflatten(0, (len(self), -1))
        inputs = Inputs(x, u, noise, self._progress.fill_(self.step / self.total_steps))
        if self._compiled is None:
            self._compiled = self._compile(inputs)
        self._adam.begin(self._rates(), self.phase.held(self.step))
        values = self._compiled(inputs)
        self.step += 1
        return values

    def _compile(self, inputs: Inputs) -> Callable[[Inputs], Tensor]:
        parameters, buffers = self._as_stepped(self._parameters), self._as_stepped(self._buffers)
        if self._eager:
            return EagerStep(self.family, self.terms, parameters, buffers, self._generators[0], self._adam.update)
        with torch.inference_mode(mode=False):
            step = compile_step(
                self.family.train(),
                self.terms,
                parameters,
                buffers,
                inputs,
                self._adam.update,
                self._products,
                grouped=len(self) > 1,
                compiled=self._by_compiler,
            )
        return Replayed(step, lambda: self._adam.groups) if self._flat.is_cuda else step

    def why_untraceable(self) -> str | None:
        """Why a step cannot be traced, in one line; None where it can."""
        parameters, buffers = self._as_stepped(self._parameters), self._as_stepped(self._buffers)
        x, u = self.rows.x[: self.batch_size], self.rows.u[: self.batch_size]
        if len(self) > 1:
            x, u = x.expand(len(self), *x.shape), u.expand(len(self), *u.shape)
        inputs = Inputs(x, u, self._noise.step(0), self._progress)
        family = self.family.train()
        return why_not(lambda: trace(family, self.terms, parameters, buffers, inputs, grouped=len(self) > 1))

    def _as_stepped(self, tensors: Tensors) -> Tensors:
        """Tensors as a step sees them: without a restart axis for a lone one, whose bits depend on its seed alone then."""
        return tensors if len(self) > 1 else {name: value[0] for name, value in tensors.items()}

    def module(self, restart: int) -> Family:
        """One restart as a module of its own, in evaluation mode. The module is shared: use it before asking for another."""
        state = {name: value[restart] for name, value in (self._parameters | self._buffers).items()}
        self.family.load_state_dict(state, strict=False)  # buffers that are not persistent are constants
        return self.family.eval()

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that decides the rest of the training, as tensors and as plain numbers; taken between epochs."""
        tensors = {
            "parameters": self._flat,
            **self._adam.state(),
            "generators": torch.stack([g.get_state() for g in self._generators]),
        }
        if self._orders is not self._generators:
            tensors["orders"] = torch.stack([g.get_state() for g in self._orders])
        tensors |= {f"buffers.{name}": value for name, value in self._buffers.items()}
        numbers = {"step": self.step, "schedules": [asdict(schedule) for schedule in self._schedules]}
        return tensors, numbers | self.phase.state()

    def load_state(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        mine, _ = self.state()
        for name, value in mine.items():
            if name not in {"generators", "orders"}:
                value.copy_(tensors[name])
        for name, generators in (("generators", self._generators), ("orders", self._orders)):
            for generator, state in zip(generators, tensors[name], strict=True) if name in mine else ():
                generator.set_state(state.cpu().clone())  # torch reads the bytes as they lie: a view of a row may be misaligned
        self._compiled = None  # it holds buffers that never change as constants
        self.step = numbers["step"]
        self._schedules = [Plateau(**schedule) for schedule in numbers["schedules"]]
        self.phase.load_state(numbers)

    def _probe(self) -> tuple[list[str], list[Request]]:
        """Run the loss once to learn its terms and the random numbers it asks for."""
        recorder = Recorder(self._flat.device)
        x, u = self.rows.x[: self.batch_size], self.rows.u[: self.batch_size]
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            values = self.family.loss(Batch(x, u, recorder, torch.zeros((), device=x.device)))
        if not (isinstance(values, Mapping) and "loss" in values and all(torch.as_tensor(v).ndim == 0 for v in values.values())):
            raise UsageError(f"the loss of family {type(self.family).__name__!r}: expected scalars by name, 'loss' among them")
        return ["loss", *(name for name in values if name != "loss")], recorder.requests


def rows_at_once(family: Family, rows: Rows) -> int:
    """How many rows are evaluated at once; fewer of documents with a large vocabulary."""
    outcomes = next((module.outcomes for module in family.modules() if isinstance(module, Categorical)), None)
    if outcomes is None:
        return EVALUATION_ROWS
    return max(1, min(EVALUATION_ROWS, EVALUATION_LOGITS // (outcomes * math.prod(rows.x.shape[1:]))))


def encode(family: Family, rows: Rows) -> Posterior:
    """Posterior means and log-variances of all rows, shape (n, d) each, on the CPU."""
    device = next(family.parameters()).device
    size = rows_at_once(family, rows)
    with torch.inference_mode():
        parts = [family.encode(x.to(device), u.to(device)) for x, u in zip(rows.x.split(size), rows.u.split(size), strict=True)]
    return Posterior(torch.cat([p.mean for p in parts]).cpu(), torch.cat([p.log_var for p in parts]).cpu())


def evaluate(family: Family, rows: Rows, seed: int) -> dict[str, float]:
    """Means of the loss terms over all rows without dropout, one noise sample a row from a stream of the seed's own."""
    device = next(family.parameters()).device
    noise = Fresh(torch.Generator(device).manual_seed(EVALUATION_STREAM + seed))
    totals: dict[str, float] = {}
    # A family that draws by itself takes from torch's global generator.
    with torch.inference_mode(), seeded_by(torch.Generator().manual_seed(EVALUATION_STREAM + seed)):
        size = rows_at_once(family, rows)
        for x, u in zip(rows.x.split(size), rows.u.split(size), strict=True):
            batch = Batch(x.to(device), u.to(device), noise, torch.ones((), device=device))
            for name, value in family.loss(batch).items():
                totals[name] = totals.get(name, 0.0) + float(value) * len(x) / len(rows)
    return totals


def _only(rows: Rows, chosen: Tensor | None) -> Rows:
    return rows if chosen is None else Rows(rows.x[chosen], rows.u[chosen])


def _started(build: Callable[[], Family], seed: int, rows: Rows) -> Family:
    """A family as training finds it: all that its start depends on is the seed and the rows."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        family = build()
        family.initialise(rows.x, rows.u)
        return family
