"""What all theorems together promise of one restart's model.

The promise is the strongest class that some theorem gives with no condition failing or undecided, of latents, and of p(z)
alone, which takes less. A stronger class of latents that only undecided conditions keep back is *possible*. Dimensions on
which x does not depend are left out: nothing is promised of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stabaudit.theory import ivae, kivva, linear, wang
from stabaudit.theory.conditions import CLASSES, Claim, Class, Condition, State, strongest
from stabaudit.theory.facts import ModelFacts
from stabaudit.theory.shared import injectivity, noise, piecewise_affine


@dataclass(frozen=True)
class Promise:
    """Of one restart.

    Args:
        identified: the class of maps up to which its latents are identified.
        theorem: which says so; empty where nothing is promised.
        state: "holds" where its conditions are proved, "not refuted" where a search found nothing against them.
        prior, prior_theorem: the class up to which a mixture p(z) is identified, and by what; "none" of other priors.
        possible: a stronger class that undecided conditions keep back, or None.
        possible_theorem: which would say so; empty where there is none.
        missing: conditions that keep the next stronger class back, the worst first.
        conditions: all of them.
        dimensions: of z.
        collapsed: those on which x does not depend.
    """

    identified: Class
    theorem: str
    state: State
    prior: Class
    prior_theorem: str
    possible: Class | None
    possible_theorem: str
    missing: tuple[Condition, ...]
    conditions: tuple[Condition, ...]
    dimensions: int
    collapsed: tuple[int, ...]


def promise(facts: ModelFacts) -> Promise:
    """Ask every theorem."""
    found = [
        noise(facts),
        *kivva.prior_conditions(facts),
        piecewise_affine(facts.decoder),
        *injectivity(facts.decoder),
        *ivae.conditions(facts),
        *linear.conditions(facts),
        wang.injective_likelihood(facts),
    ]
    known = {one.name: one for one in found}
    lost = () if facts.slopes is None else wang.collapsed(facts.slopes, facts.information)
    every = [] if len(lost) == facts.dimensions else [*linear.claims(facts), *ivae.claims(facts), *kivva.claims(facts)]
    claims = [claim for claim in every if claim.of == "latents"]
    of_prior = strongest([claim for claim in every if claim.of == "prior"], known, ("holds", "not refuted"))
    best = strongest(claims, known, ("holds", "not refuted"))
    reached: Class = "none" if best is None else best.identified
    stronger = [claim for claim in claims if CLASSES.index(claim.identified) > CLASSES.index(reached)]
    possible = strongest(stronger, known, ("undecided",))
    needed = {condition.name for claim in claims for condition in map(known.get, claim.needs) if condition is not None}
    return Promise(
        identified=reached,
        theorem="" if best is None else best.theorem,
        state="holds" if best is None else best.state(known),
        prior="none" if of_prior is None else of_prior.identified,
        prior_theorem="" if of_prior is None else of_prior.theorem,
        possible=None if possible is None else possible.identified,
        possible_theorem="" if possible is None else possible.theorem,
        missing=_missing(stronger, known),
        conditions=tuple(one for one in found if one.name in needed or one.name in _ALWAYS),
        dimensions=facts.dimensions,
        collapsed=lost,
    )


_ALWAYS = {"P1", "P2", "P3", "F1", "F2", "F3", "F4", "u", "collapse"}  # shown whatever the model is


def _missing(stronger: list[Claim], known: dict[str, Condition]) -> tuple[Condition, ...]:
    """What keeps back the stronger claim that lacks least: the fewest failing conditions, then the fewest in all."""
    lacking = [claim.missing(known) for claim in stronger]
    return min(lacking, key=lambda one: (sum(c.state == "fails" for c in one), len(one)), default=())


def weakest(promises: Sequence[Promise]) -> Promise:
    """The promise of the weakest class of latents, the first of several."""
    return min(promises, key=lambda one: CLASSES.index(one.identified))
