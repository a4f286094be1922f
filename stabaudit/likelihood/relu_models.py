"""Models as in Kivva et al. 2022, Fig. 1: z of one dimension with a mixture prior, seen through a random ReLU decoder.

    z ~ Σ_j π_j N(μ_j, s_j²),   x = Σ_h v_h ReLU(w_h z + b_h) + ε,   ε ~ N(0, σ²)

The paper chooses weights and biases at random, a mixture of two or three components at random, and does not say how (its appendix
is not available). Here w_h and v_h are uniform on ±[0.5, 1.5], the kinks −b_h/w_h on [−3, 3], the means on [−4, 4], the standard
deviations on [0.3, 1], and the weights π_j in proportion to numbers uniform on [0.5, 1.5]. So that every number can be seen in
the data at all, a model is drawn anew where two means are closer than 1, where a unit is active for less than a tenth of the z,
or where less than half of a component lies where |f′| ≥ 0.3. Nothing is asked of f that would make it injective.
"""

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import nn

from stabaudit.errors import UsageError
from stabaudit.families.base import Problem
from stabaudit.families.relu_gmm import ReLUGMM
from stabaudit.nets.base import LOG_VAR_BOUND
from stabaudit.nets.likelihoods import Gaussian

Array = NDArray[np.float64]

_CLOSEST, _LEAST_ACTIVE, _LEAST_SLOPE, _LEAST_SEEN = 1.0, 0.1, 0.3, 0.5  # what is asked of a draw, see above
_TRIES = 20_000


@dataclass(frozen=True)
class ReLUMixture:
    """A model's numbers.

    Args:
        weight, bias, out: w, b and v of the units, shape (H,).
        share, mean, sd: π, μ and s of the components, shape (J,).
        noise: σ.
    """

    weight: Array
    bias: Array
    out: Array
    share: Array
    mean: Array
    sd: Array
    noise: float

    def rows(self, n: int, *, rng: np.random.Generator) -> Array:
        """Draw x, shape (n, 1)."""
        component = rng.choice(len(self.share), size=n, p=self.share)
        z = self.mean[component] + self.sd[component] * rng.standard_normal(n)
        x = np.maximum(z[:, None] * self.weight + self.bias, 0) @ self.out + self.noise * rng.standard_normal(n)
        return np.asarray(x[:, None])

    def pieces(self) -> tuple[Array, Array]:
        """The kinks of f in ascending order, shape (H,), and its slopes before, between and after them, shape (H + 1,)."""
        kinks = np.sort(-self.bias / self.weight)
        within = np.concatenate([kinks[:1] - 1, (kinks[1:] + kinks[:-1]) / 2, kinks[-1:] + 1])
        active = within[:, None] * self.weight + self.bias > 0
        return kinks, active @ (self.weight * self.out)

    @property
    def injective(self) -> bool:
        """Whether f is (F4): it rises everywhere or falls everywhere."""
        slopes = self.pieces()[1]
        return bool((slopes > 0).all() or (slopes < 0).all())

    @property
    def weakly_injective(self) -> bool:
        """Whether some x come from one z alone (F2): not where both ends of f go to ∞, or both to −∞."""
        slopes = self.pieces()[1]
        return bool(slopes[0] * slopes[-1] >= 0)

    def split(self) -> Self:
        """The same distribution with one component more: the heaviest in two halves, one in its place and one at the end."""
        heaviest = int(self.share.argmax())
        share = self.share.copy()
        share[heaviest] /= 2
        again = [*range(len(share)), heaviest]
        return replace(self, share=share[again], mean=self.mean[again], sd=self.sd[again])

    def merged(self) -> Self:
        """The prior with one component less: two become one of the same weight, mean and variance, at the end.

        They are those for which a bound on the Kullback-Leibler divergence from before is smallest (Runnalls 2007).
        """
        pairs = combinations(range(len(self.share)), 2)
        _, first, second, (share, mean, sd) = min((self._merger(i, j) for i, j in pairs), key=lambda found: found[0])
        kept = [k for k in range(len(self.share)) if k not in {first, second}]
        return replace(
            self,
            share=np.append(self.share[kept], share),
            mean=np.append(self.mean[kept], mean),
            sd=np.append(self.sd[kept], sd),
        )

    def _merger(self, i: int, j: int) -> tuple[float, int, int, tuple[float, float, float]]:
        both = [i, j]
        part, total = self.share[both], float(self.share[both].sum())
        mean = float(part @ self.mean[both]) / total
        variance = float(part @ (self.sd[both] ** 2 + (self.mean[both] - mean) ** 2)) / total
        cost = total * np.log(variance) - float(part @ np.log(self.sd[both] ** 2))
        return cost, i, j, (total, mean, float(np.sqrt(variance)))

    def family(self) -> ReLUGMM:
        """The model as a family, in double precision and without gradients."""
        with torch.device("meta"):  # draws nothing
            problem = Problem((1,), 0, 1, len(self.share), _no_networks, Gaussian())
            family = ReLUGMM(problem, hidden=len(self.weight), components=len(self.share))
        log_var = 2 * np.log(self.sd)
        numbers = {
            "weight": self.weight,
            "bias": self.bias,
            "out": self.out[:, None],
            "offset": np.zeros(1),
            "mixture_logits": np.log(self.share),
            "mixture_mean": self.mean,
            "mixture_log_var": LOG_VAR_BOUND * np.arctanh(log_var / LOG_VAR_BOUND),  # the family bounds it
            "likelihood.log_var": np.array(2 * np.log(self.noise)),
        }
        family.load_state_dict({name: torch.tensor(array, dtype=torch.float64) for name, array in numbers.items()}, assign=True)
        return family.requires_grad_(requires_grad=False)


def draw_model(hidden: int, components: int, noise: float, *, rng: np.random.Generator) -> ReLUMixture:
    """Draw a model at random, see above.

    Args:
        hidden: H, at least 1.
        components: J, at least 1.
        noise: σ.
        rng: decides it.

    Raises:
        UsageError: where no draw is as it should be, as with too many components between −4 and 4.
    """
    for _ in range(_TRIES):
        weight, out = (rng.choice([-1, 1], hidden) * rng.uniform(0.5, 1.5, hidden) for _ in range(2))
        bias = -weight * rng.uniform(-3, 3, hidden)
        mean, sd = rng.uniform(-4, 4, components), rng.uniform(0.3, 1, components)
        share = rng.uniform(0.5, 1.5, components)
        model = ReLUMixture(weight, bias, out, share / share.sum(), mean, sd, noise)
        if _can_be_seen(model):
            return model
    raise UsageError(
        f"--components {components} --hidden {hidden}: none of {_TRIES} models has means {_CLOSEST:g} apart and units that matter"
    )


def _can_be_seen(model: ReLUMixture) -> bool:
    if (np.diff(np.sort(model.mean)) < _CLOSEST).any():
        return False
    active = ndtr((model.weight[:, None] * model.mean + model.bias[:, None]) / (np.abs(model.weight)[:, None] * model.sd))
    if (active @ model.share < _LEAST_ACTIVE).any():
        return False
    kinks, slopes = model.pieces()
    below = ndtr((np.concatenate([[-np.inf], kinks, [np.inf]])[:, None] - model.mean) / model.sd)
    return bool(((np.abs(slopes) >= _LEAST_SLOPE) @ np.diff(below, axis=0) >= _LEAST_SEEN).all())


def _no_networks(context_dim: int, latent_dim: int | None = None) -> tuple[nn.Module, nn.Module]:
    raise NotImplementedError  # relu-gmm has a decoder of its own
