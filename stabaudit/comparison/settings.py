"""How pairs are scored, wherever they are."""

from dataclasses import dataclass
from typing import get_args

from stabaudit.comparison.reading.selectors import DEFAULT_MEMORY
from stabaudit.errors import UsageError
from stabaudit.metrics.mcc import DEFAULT_K, Correlation
from stabaudit.registry import unknown


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

    def __post_init__(self) -> None:
        """Refuse what no score could be made with.

        Raises:
            UsageError: an unknown correlation, or a number below what it may be.
        """
        if self.correlation not in get_args(Correlation):
            raise unknown("correlation", str(self.correlation), get_args(Correlation))
        for name, least in (("k", 1), ("floor_draws", 1), ("seed", 0), ("memory", 1)):
            if getattr(self, name) < least:
                raise UsageError(f"{name}={getattr(self, name)}: expected at least {least}")


DEFAULT_SETTINGS = Settings()
