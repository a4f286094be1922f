"""How pairs are scored, wherever they are."""

from dataclasses import dataclass

from stabaudit.comparison.groups import DEFAULT_MEMORY
from stabaudit.metrics.mcc import DEFAULT_K, Correlation


@dataclass(frozen=True)
class Settings:
    """How pairs are scored.

    Args:
        k: canonical pairs that a weak MCC averages, beside the one over all.
        correlation: of strong MCC.
        floor_draws: draws of either floor, at least 1.
        seed: decides the draws of floors and permutations; the split into halves has a seed of its own, the same for everyone.
        allow_unequal: match the smaller number of dimensions instead of refusing unequal ones.
        memory: bytes that latents may take; those that take more are streamed from their files.
        densities: affine density distances however long they take, of mixtures fitted to the latents where none were learned;
            otherwise those of learned priors alone, where that takes seconds.
    """

    k: int = DEFAULT_K
    correlation: Correlation = "pearson"
    floor_draws: int = 20
    seed: int = 0
    allow_unequal: bool = False
    memory: int = DEFAULT_MEMORY
    densities: bool = False


DEFAULT_SETTINGS = Settings()
