"""How pairs are scored, wherever they are."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from stabaudit.defaults import MEMORY
from stabaudit.errors import UsageError
from stabaudit.metrics.pair_scores import DEFAULT_K
from stabaudit.metrics.ranks import Correlation
from stabaudit.metrics.scores import Measure, chosen, default_scores, is_known, measure
from stabaudit.registry import unknown

ClusterBy = Literal["k-means", "gmm"]
_FEWEST_CLUSTERS = 2


@dataclass(frozen=True)
class Settings:
    """How pairs are scored.

    Args:
        k: parts that counted scores average, such as canonical pairs, beside the mean over all.
        correlation: "spearman" replaces all values by ranks.
        floor_draws: draws of the independence floor, at least 1.
        rotations: draws of the rotation floor, at least 1; the smallest p against them is 1/(1 + rotations).
        seed: decides the draws of floors and permutations; the split into halves has a seed of its own, the same for everyone.
        allow_unequal: match the smaller number of dimensions instead of refusing unequal ones.
        memory: bytes that latents may take; those that take more are streamed from their files.
        nonlinear: for every subspace and dimension, what restarts share beyond linear maps.
        clusters: how many clusters are to be found in each restart and held against each other; "prior" for the components of
            learned mixture priors; None for those that restarts come with, a column of their files or a learned prior.
        cluster_by: "k-means" or a Gaussian "gmm" with full covariances, where a number of clusters is given.
        scores: names of scores of pairs or against known factors; "all" for every one, `package.module:function` for one's own.
        pairs: score so many pairs of restarts of each run, and of each two, evenly over restarts; None: all of them.
        densities: affine density distances however long they take, of mixtures fitted to the latents where none were learned;
            otherwise those of learned priors alone, where that takes seconds.
    """

    k: int = DEFAULT_K
    correlation: Correlation = "pearson"
    floor_draws: int = 20
    rotations: int = 199
    seed: int = 0
    allow_unequal: bool = False
    memory: int = MEMORY
    pairs: int | None = None
    densities: bool = False
    nonlinear: bool = False
    clusters: int | Literal["prior"] | None = None
    cluster_by: ClusterBy = "k-means"
    scores: tuple[str, ...] = field(default_factory=default_scores)

    def __post_init__(self) -> None:
        """Refuse what no score could be made with.

        Raises:
            UsageError: an unknown correlation, or a number below what it may be.
        """
        if self.correlation not in get_args(Correlation):
            raise unknown("correlation", str(self.correlation), get_args(Correlation))
        if self.cluster_by not in get_args(ClusterBy):
            raise unknown("way to find clusters", str(self.cluster_by), get_args(ClusterBy))
        if self.clusters not in {None, "prior"} and (not isinstance(self.clusters, int) or self.clusters < _FEWEST_CLUSTERS):
            raise UsageError(f"clusters={self.clusters!r}: expected a number of clusters from {_FEWEST_CLUSTERS}, or 'prior'")
        for name, least in (("k", 1), ("floor_draws", 1), ("rotations", 1), ("seed", 0), ("memory", 1)):
            if getattr(self, name) < least:
                raise UsageError(f"{name}={getattr(self, name)}: expected at least {least}")
        if self.pairs is not None and self.pairs < 1:
            raise UsageError(f"pairs={self.pairs}: expected at least 1")
        names = self.scores.split(",") if isinstance(self.scores, str) else tuple(self.scores)
        if not all(isinstance(name, str) for name in names):
            raise UsageError("scores: expected names of scores, or 'package.module:function'")
        object.__setattr__(self, "scores", tuple(one.name for one in chosen(name.strip() for name in names)))

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The scores of pairs, in the order of tables."""
        return tuple(one for one in chosen(self.scores) if one.factors is None)

    @property
    def factor_measures(self) -> tuple[Measure, ...]:
        """The scores of restarts against known factors, in the order of tables."""
        return tuple(one for one in chosen(self.scores) if one.factors is not None)

    def including(self, names: Iterable[str]) -> "Settings":
        """The same with further scores, for what is asked about them; names of what cannot be asked for change nothing."""
        known = [measure(name) for name in names if is_known(name)]
        wanted = [one.name for one in known if one.by_request]
        return replace(self, scores=(*self.scores, *wanted))


DEFAULT_SETTINGS = Settings()
