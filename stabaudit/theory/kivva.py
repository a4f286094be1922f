"""Mixture priors and piecewise affine decoders (Kivva, Rajendran, Ravikumar & Aragam 2022, Theorems 3.9 and 3.10).

    P1 ∧ F1 ∧ F2              p(z) is identified up to an affine map
    P1 ∧ F1 ∧ F2 ∧ P2         p(z) is identified up to order, scale and shift
    … ∧ F4, f continuous      so is f, and with it the latent of every x

P1 asks for a Gaussian mixture of J ≥ 1 components. One is allowed: where the prior is fixed at N(0, I), the affine map must
leave it as it is, which only rotations and reflections do. P2 asks for two components u, v whose variance ratios σ²_uk/σ²_vk
differ between all dimensions k. Estimates always differ; here they count as different where the smallest gap of log ratios is
more than sampling explains, 2√(1/n_u + 1/n_v) being its standard error with n rows in a component, over all pairs (Bonferroni,
5%). P3 is about several hidden variables U and is needed for P(U) alone. A prior p(z|u) with u in finitely many values is,
without regard to u, a mixture too, so that these theorems speak of an iVAE as well.

Components are used where they have a row or more, and the same where their Bhattacharyya coefficient exceeds 0.999.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from stabaudit.theory.conditions import Claim, Condition, State
from stabaudit.theory.facts import Components, ModelFacts
from stabaudit.theory.shared import KIVVA

Array = NDArray[Any]
SAME = 0.999  # Bhattacharyya coefficient of two components that count as one
EQUAL = 1e-6  # gap of log ratios that rounding explains
LEVEL = 0.05
_CANDIDATES = 5  # pairs of components of each facet that are tried with those of the others


def used(mixture: Components) -> Array:
    """Components with a row or more, of those that are the same the first, ascending, shape (J,)."""
    kept: list[int] = []
    overlap = overlaps(mixture)
    for c in np.flatnonzero(mixture.weight * mixture.rows >= 1).tolist():
        if all(overlap[c, other] <= SAME for other in kept):
            kept.append(c)
    return np.array(kept, dtype=int)


def overlaps(mixture: Components) -> Array:
    """Bhattacharyya coefficients ∫ √(p q) of every two components, in [0, 1], shape (K, K).

    >>> one = np.array([0.5, 0.5])
    >>> overlaps(Components(one, np.array([[0.0], [2.0]]), np.zeros((2, 1)), 100)).round(3).tolist()
    [[1.0, 0.607], [0.607, 1.0]]
    """
    mean, log_var = mixture.mean, mixture.log_var
    between = np.logaddexp(log_var[:, None], log_var) - np.log(2)  # log of the mean variance
    distance = (np.square(mean[:, None] - mean) * np.exp(-between)).sum(-1) / 8
    distance += (between - (log_var[:, None] + log_var) / 2).sum(-1) / 2
    found: Array = np.exp(-distance)
    return found


@dataclass(frozen=True)
class Gap:
    """Two components of each facet, and how far their variance ratios lie apart.

    Args:
        smallest: gap between two dimensions of their log ratios.
        standard_errors: the same in standard errors.
    """

    smallest: float
    standard_errors: float


def widest_gap(facets: Sequence[Components]) -> Gap | None:
    """The pair of components with the widest smallest gap, in standard errors; None where a facet has one component or none."""
    candidates = [_pairs(facet) for facet in facets]
    if not all(candidates):
        return None
    best: Gap | None = None
    for chosen in product(*candidates):
        ratios = np.sort(np.concatenate([ratio for ratio, _ in chosen]))
        smallest = float(np.diff(ratios).min(initial=np.inf))
        gap = Gap(smallest, smallest / max(error for _, error in chosen))
        if best is None or gap.standard_errors > best.standard_errors:
            best = gap
    return best


def _pairs(mixture: Components) -> list[tuple[Array, float]]:
    """Log variance ratios of pairs of components, shape (d,), with the standard error of a gap, the most promising first."""
    found = []
    for a, b in combinations(used(mixture).tolist(), 2):
        error = 2 * np.sqrt((1 / mixture.weight[[a, b]]).sum() / mixture.rows)
        found.append((mixture.log_var[a] - mixture.log_var[b], float(error)))
    found.sort(key=lambda one: -float(np.diff(np.sort(one[0])).min(initial=np.inf)) / one[1])
    return found[:_CANDIDATES]


def mixtures_of(facts: ModelFacts) -> tuple[Components, ...]:
    """The mixtures that p(z) is the product of, p(z|u) summed over u among them."""
    return facts.facets or ((facts.conditional,) if facts.conditional is not None else ())


def prior_conditions(facts: ModelFacts) -> list[Condition]:
    """P1, P2 and P3."""
    return [_gaussian_mixture(facts), _distinct_ratios(facts), _several_variables(facts)]


def _gaussian_mixture(facts: ModelFacts) -> Condition:
    meaning = "p(z) is a Gaussian mixture"
    mixtures = mixtures_of(facts)
    if facts.prior == "gaussian":
        return Condition("P1", KIVVA, meaning, "holds", "one component, N(0, I)", 1.0)
    if facts.prior == "laplace":
        said = "Laplace: its density is not analytic, nor is an affine map of it Laplace (Remark 2.1)"
        return Condition("P1", KIVVA, meaning, "fails", said)
    if not mixtures:
        said = "the family does not say what p(z) is" if facts.prior is None else "u has no finite list of values"
        return Condition("P1", KIVVA, meaning, "undecided", said)
    said = " × ".join(_counted(mixture) for mixture in mixtures)
    return Condition("P1", KIVVA, meaning, "holds", said, float(min(len(used(mixture)) for mixture in mixtures)))


def _counted(mixture: Components) -> str:
    """How many components there are, have rows, and differ; and which two are the nearest."""
    rows, distinct = int((mixture.weight * mixture.rows >= 1).sum()), used(mixture)
    said = f"{len(mixture.weight)} components, {rows} used, {len(distinct)} distinct"
    if len(distinct) > 1:
        nearest = overlaps(mixture)[np.ix_(distinct, distinct)][np.triu_indices(len(distinct), 1)].max()
        said += f", the nearest two overlap {nearest:.2f}"
    return said


def _distinct_ratios(facts: ModelFacts) -> Condition:
    meaning = "two components differ in every variance ratio"
    mixtures = mixtures_of(facts)
    if not mixtures and facts.prior != "gaussian":
        return Condition("P2", KIVVA, meaning, "undecided", "the components are not known")
    found = widest_gap(mixtures) if mixtures else None
    if found is None:
        return Condition("P2", KIVVA, meaning, "fails", "one component" if not mixtures else "one component that is used", 0.0)
    if sum(mixture.mean.shape[1] for mixture in mixtures) == 1:
        return Condition("P2", KIVVA, meaning, "holds", "one dimension, whose ratio is like no other")
    if found.smallest <= EQUAL:
        return Condition("P2", KIVVA, meaning, "fails", "no two components have different ratios in all dimensions", 0.0)
    pairs = sum(len(used(mixture)) * (len(used(mixture)) - 1) // 2 for mixture in mixtures)
    needed = float(-ndtri(LEVEL / (2 * pairs)))
    said = f"log ratios lie {found.smallest:.2g} apart, {found.standard_errors:.1f} standard errors"
    if found.standard_errors < needed:
        return Condition("P2", KIVVA, meaning, "undecided", f"{said}; {needed:.1f} would be more than chance", found.smallest)
    return Condition("P2", KIVVA, meaning, "holds", said, found.smallest)


def _several_variables(facts: ModelFacts) -> Condition:
    meaning = "hidden variables U are as many and as different as can be"
    mixtures = mixtures_of(facts)
    if not mixtures:
        state: State = "holds" if facts.prior == "gaussian" else "undecided"
        said = "no hidden variable" if facts.prior == "gaussian" else "the components are not known"
        return Condition("P3", KIVVA, meaning, state, said)
    if len(mixtures) == 1:
        return Condition("P3", KIVVA, meaning, "holds", "one hidden variable; its values have different p(z|u)")
    if any(len(used(mixture)) < 2 for mixture in mixtures):
        said = "a facet has one component that is used, so its variable takes one value"
        return Condition("P3", KIVVA, meaning, "fails", said)
    said = "each of the facets has dimensions of its own (c); whether one could be split into two (b) is not decided"
    return Condition("P3", KIVVA, meaning, "undecided", said)


def claims(facts: ModelFacts) -> list[Claim]:
    """What the theorems would promise of such a prior."""
    number = "3.10" if len(facts.facets) > 1 else "3.9"
    last = "d" if number == "3.10" else "c"
    basis = ("noise", "P1", "F1", "F2")
    if facts.prior == "gaussian":
        return [Claim("orthogonal", f"Kivva 2022, Theorem {number} (a), (c) with p(z) = N(0, I)", (*basis, "F4"))]
    return [
        Claim("affine", f"Kivva 2022, Theorem {number} (a)", basis, of="prior"),
        Claim("permutation", f"Kivva 2022, Theorem {number} (b)", (*basis, "P2"), of="prior"),
        Claim("affine", f"Kivva 2022, Theorem {number} (a), ({last})", (*basis, "F4")),
        Claim("permutation", f"Kivva 2022, Theorem {number} (b), ({last})", (*basis, "P2", "F4")),
    ]
