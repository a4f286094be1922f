"""What simulations say of likelihood profiles, as typed results (Kivva et al. 2022, §4, Fig. 1 and Remark 3.12)."""

from collections.abc import Sequence
from dataclasses import dataclass

from stabaudit.likelihood.profiles import Profile, Verdict, share_interval

LEVEL = 0.001  # probability that sampling error alone rules the truth out of any profile of a fit, at most


@dataclass(frozen=True)
class Judged:
    """A profile and what it says.

    Args:
        parameter: name of the parameter that the number belongs to.
        position: which of its numbers.
        profile: the likelihood along it.
        verdict: whether the truth is its only minimiser.
    """

    parameter: str
    position: int
    profile: Profile
    verdict: Verdict


@dataclass(frozen=True)
class Fit:
    """The profiles of one simulation for one number of components.

    Args:
        simulation: its number, from 0.
        components: J, of the model that the rows are drawn from.
        fitted: components of the model whose likelihood is profiled.
        injective: whether the decoder is (F4).
        weakly_injective: whether it is where it matters to the theorem (F2).
        limit: the largest deviance that the rows do not rule out.
        judged: all profiles.
    """

    simulation: int
    components: int
    fitted: int
    injective: bool
    weakly_injective: bool
    limit: float
    judged: tuple[Judged, ...]

    @property
    def truth_only(self) -> bool:
        """Whether the truth is the only minimiser of every profile."""
        return all(one.verdict == "only" for one in self.judged)

    def count(self, verdict: Verdict) -> int:
        """Profiles of which that is said."""
        return sum(one.verdict == verdict for one in self.judged)


@dataclass(frozen=True)
class Remark:
    """Two priors under f(z) = |z| (Remark 3.12).

    Args:
        means_p, means_q: of their components.
        difference: the largest |log p(x) − log q(x)| of the data over a grid of x, in nats.
        same_data: whether that is no more than rounding.
        distance: affine density distance of the priors.
        relative: the same as a share of the norm of the second, in [0, 1].
    """

    means_p: tuple[float, ...]
    means_q: tuple[float, ...]
    difference: float
    same_data: bool
    distance: float
    relative: float


@dataclass(frozen=True)
class Tally:
    """Simulations by how many components too many were fitted, and by their decoder.

    Args:
        excess: fitted components less true ones.
        weakly_injective: whether the decoders are, as theory asks (F2).
        simulations: how many.
        truth_only: in how many of them the truth is the only minimiser of every profile.
        ci_low, ci_high: 95% interval of that share (Clopper & Pearson 1934).
        profiles: of all simulations together.
        elsewhere, another, flat: how many of these profiles have that verdict.
    """

    excess: int
    weakly_injective: bool
    simulations: int
    truth_only: int
    ci_low: float
    ci_high: float
    profiles: int
    elsewhere: int
    another: int
    flat: int


def tally(fits: Sequence[Fit]) -> list[Tally]:
    """Count simulations: the right number of components first, then one too few, then one too many."""
    groups: dict[tuple[int, bool], list[Fit]] = {}
    for fit in fits:
        groups.setdefault((fit.fitted - fit.components, fit.weakly_injective), []).append(fit)
    order = sorted(groups, key=lambda group: (abs(group[0]), group[0], not group[1]))
    return [_tally(*group, groups[group]) for group in order]


def _tally(excess: int, weakly_injective: bool, fits: Sequence[Fit]) -> Tally:
    successes = sum(fit.truth_only for fit in fits)
    low, high = share_interval(successes, len(fits))
    return Tally(
        excess=excess,
        weakly_injective=weakly_injective,
        simulations=len(fits),
        truth_only=successes,
        ci_low=low,
        ci_high=high,
        profiles=sum(len(fit.judged) for fit in fits),
        elsewhere=sum(fit.count("elsewhere") for fit in fits),
        another=sum(fit.count("another") for fit in fits),
        flat=sum(fit.count("flat") for fit in fits),
    )
