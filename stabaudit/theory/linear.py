"""Affine decoders x = W z + b + ε: probabilistic PCA and independent component analysis.

With p(z) = N(0, I), p(x) = N(b, W Wᵀ + σ² I) depends on W through W Wᵀ alone: W and W R have the same for every orthogonal R,
and no others do (Tipping & Bishop 1999, §3.2, doi:10.1111/1467-9868.00196). Latents are identified up to a rotation or
reflection. A learned σ² is identified as long as x has more dimensions than z.

With independent components of which at most one is Gaussian, and W of full column rank, z is identified up to order, sign and
scale (Comon 1994, Theorem 11, doi:10.1016/0165-1684(94)90029-9); noise of a known distribution can be divided out of the
characteristic function of x first.
"""

from stabaudit.theory.conditions import Claim, Condition, State
from stabaudit.theory.facts import ModelFacts
from stabaudit.theory.shared import ROUNDING


def conditions(facts: ModelFacts) -> list[Condition]:
    """That f is affine, and noise is Gaussian, of a variance that is known or can be."""
    decoder = facts.decoder
    source, meaning = "Tipping & Bishop 1999, Comon 1994", "f is affine"
    if decoder is None:
        affine = Condition("affine", source, meaning, "undecided", "x does not follow from a vector z")
    elif decoder.pieces == 1 and decoder.curvature <= ROUNDING:
        affine = Condition("affine", source, meaning, "holds", f"one Jacobian at {decoder.points} points")
    else:
        said = f"{decoder.pieces} Jacobians at {decoder.points} points"
        affine = Condition("affine", source, meaning, "fails", said, float(decoder.pieces))
    estimable = facts.noise == "known" or (
        facts.noise == "learned" and decoder is not None and decoder.dimensions < decoder.outputs
    )
    state: State = "holds" if estimable else "undecided"
    said = "Gaussian" if estimable else "its variance is not identified" if facts.noise == "learned" else "not Gaussian"
    return [affine, Condition("Gaussian", "Tipping & Bishop 1999", "noise is Gaussian, σ² I", state, said)]


def claims(facts: ModelFacts) -> list[Claim]:
    """What is known of such a prior under an affine f."""
    if facts.prior == "gaussian":
        return [Claim("orthogonal", "Tipping & Bishop 1999, §3.2", ("affine", "Gaussian", "F4"))]
    if facts.prior == "laplace":
        return [Claim("permutation", "Comon 1994, Theorem 11", ("affine", "noise", "F4"))]
    return []
