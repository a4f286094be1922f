"""Priors p(z|u) given an auxiliary u (Khemakhem, Kingma, Monti & Hyvärinen 2019, Theorems 1 and 2, arXiv:1907.04809).

With p(z_i|u) ∝ exp(Σ_j λ_ij(u) T_ij(z_i)), j = 1 … k, an injective f and k·d + 1 values of u, let L hold the differences
λ(u_l) − λ(u_0), l = 1 … k·d. Where L is invertible, T(z) = A T(z′) + c with A invertible for the latents z, z′ of any two
models with the same p(x|u) (Theorem 1). What A can be depends on T:

- T = z², for a mean fixed at zero: one statistic with a unique minimum, so that A permutes and scales (Theorem 2).
- T = (z, z²): z is then quadratic in z′ and its square is too, so z is affine; and its square has no products z′_i z′_j, so
  z_i is an affine function of a single z′_j. Latents are identified up to order, scale and shift.
- T = z, where variances do not depend on u: the statistic is monotone, Theorem 2 is silent, and A is any invertible matrix.

Without u nothing like this holds: a factorial p(z) can be turned through its Gaussian form by any orthogonal matrix without a
change of p(x) (appendix F.1; Hyvärinen & Pajunen 1999), so that only what is known of f can identify anything.

With more than k·d + 1 values of u it suffices that some of them do; L here has a column for every value but the first.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.theory.conditions import Claim, Condition, State
from stabaudit.theory.facts import Components, ModelFacts

Array = NDArray[Any]
SOURCE = "Khemakhem 2019"
NEGLIGIBLE = 1e-6  # singular values of L below this part of the largest count as 0
ILL = 1e4  # condition number from which the rank of an estimated L says little


def natural(conditional: Components, *, zero_mean: bool) -> tuple[Array, Array]:
    """Natural parameters of z and of z² at every value of u, shape (K, d) both; of z (K, 0) for a mean fixed at zero."""
    precision = np.exp(-conditional.log_var)
    linear = conditional.mean * precision
    return (linear[:, :0] if zero_mean else linear), -0.5 * precision


def singular_values(parameters: Array) -> Array:
    """Singular values of L, descending, as many as natural parameters; those that K − 1 values of u cannot give are 0.

    Args:
        parameters: λ at every value of u, shape (K, k·d).
    """
    found = np.linalg.svd((parameters[1:] - parameters[0]).T, compute_uv=False)
    values: Array = np.zeros(parameters.shape[1])
    values[: len(found)] = found[: len(values)]
    return values


def rank(values: Array) -> int:
    """How many singular values count."""
    return int((values > NEGLIGIBLE * values.max(initial=0.0)).sum())


def conditions(facts: ModelFacts) -> list[Condition]:
    """That the prior has a u, what T is, and L."""
    meaning = "p(z|u) depends on a u that is given"
    if facts.prior != "conditional":
        said = "the family does not say what p(z) is" if facts.prior is None else "p(z) is the same for all rows"
        state: State = "undecided" if facts.prior is None else "fails"
        return [Condition("u", f"{SOURCE}, appendix F", meaning, state, said)]
    if facts.conditional is None:
        return [
            Condition("u", SOURCE, meaning, "holds", "by construction"),
            *(
                Condition(name, SOURCE, what, "undecided", "p(z|u) is not known at the values of u")
                for name, what in _MEANING.items()
            ),
        ]
    linear, square = natural(facts.conditional, zero_mean=facts.zero_mean)
    alone = only_means(facts)
    said = "z², not monotone, smallest at 0" if facts.zero_mean else "z alone, monotone" if alone else "z and z²"
    parameters = linear if alone else np.concatenate([linear, square], 1)
    return [
        Condition("u", SOURCE, meaning, "holds", f"{len(square)} values of u"),
        Condition("T", f"{SOURCE}, Theorem 1 (ii)", _MEANING["T"], "holds", said),
        _invertible(parameters, len(square)),
    ]


_MEANING = {"T": "sufficient statistics have slopes", "L": "matrix L is invertible"}


def only_means(facts: ModelFacts) -> bool:
    """Whether u moves means and no variances, so that z is the only sufficient statistic."""
    assert facts.conditional is not None  # noqa: S101 -- asked of models with p(z|u)
    spread = np.ptp(facts.conditional.log_var, axis=0).max(initial=0.0)
    return bool(not facts.zero_mean and spread <= NEGLIGIBLE and np.ptp(facts.conditional.mean, axis=0).max(initial=0.0) > 0)


def _invertible(parameters: Array, values_of_u: int) -> Condition:
    full = parameters.shape[1]
    name, source, meaning = "L", f"{SOURCE}, Theorem 1 (iii)", _MEANING["L"]
    if values_of_u < full + 1:
        said = f"u takes {values_of_u} values, {full + 1} are needed (k·d + 1)"
        return Condition(name, source, meaning, "fails", said, float(full + 1 - values_of_u))
    values = singular_values(parameters)
    found = rank(values)
    if found < full:
        return Condition(name, source, meaning, "fails", f"rank {found} of {full}", float(full - found))
    number = float(values[0] / values[-1])
    said = f"rank {full} of {full}, condition number {number:.3g}"
    if number > ILL:
        return Condition(name, source, meaning, "undecided", f"{said}: too large for an estimate", number)
    return Condition(name, source, meaning, "holds", said, number)


def claims(facts: ModelFacts) -> list[Claim]:
    """What the theorems would promise of such a prior; nothing without u."""
    if facts.prior != "conditional":
        return []
    needs = ("noise", "F4", "u", "T", "L")
    if facts.conditional is not None and only_means(facts):
        return [Claim("affine", f"{SOURCE}, Theorem 1 with T = z", needs)]
    theorem = "Theorem 2" if facts.zero_mean else "Theorem 1 with T = (z, z²)"
    return [Claim("permutation", f"{SOURCE}, {theorem}", needs)]
