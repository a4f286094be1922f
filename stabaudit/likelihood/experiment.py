"""Likelihood profiles of simulated models: is the truth the only minimiser? (Kivva et al. 2022, §4, Fig. 1 and Remark 3.12).

A model is drawn, and rows from it; then the exact negative log-likelihood of the rows is evaluated along every number of the
model, the others at the truth, as in the paper's figure. The paper includes misspecified numbers of components and does not say
how. Here, with J the true number,

- J + 1: the heaviest component in two halves. The distribution is the true one, so theory says that the truth is still the only
  minimiser along each number.
- J − 1: two components merged into one of the same weight, mean and variance, which stands for the truth. The true distribution
  is none of the model's, so theory says nothing.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from stabaudit.engines.local import default_workers
from stabaudit.families.relu_gmm import ReLUGMM
from stabaudit.likelihood.profiles import Profile, deviance_limit, trace
from stabaudit.likelihood.relu_models import ReLUMixture, draw_model
from stabaudit.likelihood.results import LEVEL, Fit, Judged, Remark
from stabaudit.metrics.density_distance import affine_density_distance
from stabaudit.metrics.mixtures import GaussianMixture

Array = NDArray[np.float64]
Number = tuple[str, int]  # of a model: the parameter's name, and the position in it

ROUNDING = 1e-9  # nats, of a log-density
REACH, REACH_RATIO = 4.0, 1.5  # a profile goes 4 + 1.5 |truth| to either side: past the mirror image, and over all of the prior


@dataclass(frozen=True)
class Design:
    """What is simulated.

    Args:
        simulations: how many models.
        components: J; None: 2 and 3 by turns, the paper's numbers.
        hidden: H, units of the decoder.
        rows: n, drawn from each model.
        noise: σ.
        seed: decides everything; simulation i depends on it and on i alone.
    """

    simulations: int = 50
    components: int | None = None
    hidden: int = 3
    rows: int = 1000
    noise: float = 0.1
    seed: int = 0


def simulate(design: Design) -> Iterator[tuple[Fit, ...]]:
    """The fits of each simulation, in order: J − 1 components, where that is one or more, J, and J + 1.

    Raises:
        UsageError: where no model of such a size can be drawn.
    """
    # Operations on a thousand rows are too small for threads of their own; simulations are not.
    with ThreadPoolExecutor(default_workers(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield from pool.map(lambda number: _simulation(design, number), range(design.simulations))


def _simulation(design: Design, number: int) -> tuple[Fit, ...]:
    rng = np.random.default_rng([design.seed, number])
    model = draw_model(design.hidden, design.components or 2 + number % 2, design.noise, rng=rng)
    return judge(model, model.rows(design.rows, rng=rng), number)


def judge(model: ReLUMixture, x: Array, simulation: int = 0) -> tuple[Fit, ...]:
    """Profile the likelihood of rows along every number of the model, and of those with a component less or more.

    Args:
        model: the truth.
        x: rows drawn from it, shape (n, 1).
        simulation: what the fits are to be numbered.
    """
    right = _profiles(model.family(), x, {})
    # In two halves the distribution is the same, and so are all profiles but those of the halves, which are alike.
    halved = int(model.share.argmax())
    same = {number: one for number, one in right.items() if not (number[0].startswith("mixture") and number[1] == halved)}
    found = [right, _profiles(model.split().family(), x, same)]
    if len(model.share) > 1:
        found.insert(0, _profiles(model.merged().family(), x, {}))
    return tuple(_fit(model, profiles, simulation) for profiles in found)


def _profiles(family: ReLUGMM, x: Array, known: dict[Number, Profile]) -> dict[Number, Profile]:
    """A profile for every number that matters; those that are known are not computed again."""
    rows = torch.as_tensor(x)
    profiles = {}
    for name, parameter in family.named_parameters():
        if name == "mixture_logits" and len(parameter) == 1:
            continue  # the weight of the only component is 1
        for position, truth in enumerate(parameter.flatten().tolist()):
            number = name, position
            profiles[number] = known.get(number) or trace(
                _along(family, rows, number), truth, REACH + REACH_RATIO * abs(truth), len(x)
            )
    return profiles


def _along(family: ReLUGMM, rows: torch.Tensor, number: Number) -> Callable[[Array], Array]:
    return lambda values: np.asarray(family.profile(rows, *number, torch.as_tensor(values)))


def _fit(model: ReLUMixture, profiles: dict[Number, Profile], simulation: int) -> Fit:
    limit = deviance_limit(LEVEL / len(profiles))
    return Fit(
        simulation=simulation,
        components=len(model.share),
        fitted=sum(name == "mixture_mean" for name, _ in profiles),
        injective=model.injective,
        weakly_injective=model.weakly_injective,
        limit=limit,
        judged=tuple(Judged(*number, profile, profile.verdict(limit)) for number, profile in profiles.items()),
    )


def folded(means: tuple[float, ...], noise: float) -> ReLUMixture:
    """The model f(z) = |z| with equally likely components of standard deviation 0.5."""
    count = len(means)
    share, sd = np.full(count, 1 / count), np.full(count, 0.5)
    return ReLUMixture(np.array([1.0, -1.0]), np.zeros(2), np.ones(2), share, np.array(means), sd, noise)


def remark(noise: float) -> Remark:
    """Two priors that give the same data by f(z) = |z|, though no affine map leads from one to the other (Remark 3.12)."""
    return fold((-2, -1, 3), (-2, 1, 3), noise)


def fold(means_p: tuple[float, ...], means_q: tuple[float, ...], noise: float) -> Remark:
    """Hold two priors against each other, and the data that they give by f(z) = |z|."""
    models = folded(means_p, noise), folded(means_q, noise)
    x = torch.linspace(-2, 7, 181, dtype=torch.float64)[:, None]
    one, other = (model.family().log_likelihood(x) for model in models)
    difference = float((one - other).abs().max())
    p, q = (GaussianMixture(m.share, m.mean[:, None], (m.sd**2)[:, None, None]) for m in models)
    found = affine_density_distance(p, q, rng=np.random.default_rng(0))
    return Remark(means_p, means_q, difference, difference < ROUNDING, found.distance, found.relative)
