"""A diagnosis as flat records, which JSON and CSV hold."""

from dataclasses import dataclass

from stabaudit.theory.agreement import Agreement, Degree
from stabaudit.theory.conditions import Class, State
from stabaudit.theory.facts import ModelFacts
from stabaudit.theory.promise import Promise


@dataclass(frozen=True)
class PromiseRecord:
    """What theorems promise of one restart's model.

    Args:
        run: the run.
        restart: its number.
        promised: the class of maps up to which its latents are identified.
        theorem: which says so; empty where nothing is promised.
        state: holds where all conditions are proved, not refuted where a search found nothing against one of them.
        prior: the class up to which a mixture prior p(z) is identified, latents of single x aside; none of other priors.
        prior_theorem: which says so; empty where none does.
        possible: a stronger class that undecided conditions keep back; None where there is none.
        possible_theorem: which would say so; empty where there is none.
        kept_back_by: names of the conditions that keep the next stronger class of latents back, the worst first.
        dimensions: of z.
        collapsed: dimensions on which x does not depend, of which nothing is promised.
    """

    run: str
    restart: int
    promised: Class
    theorem: str
    state: State
    prior: Class
    prior_theorem: str
    possible: Class | None
    possible_theorem: str
    kept_back_by: tuple[str, ...]
    dimensions: int
    collapsed: tuple[int, ...]


@dataclass(frozen=True)
class ConditionRecord:
    """A condition of a theorem, of one restart.

    Args:
        run: the run.
        restart: its number.
        condition: as its source calls it.
        source: where it is stated.
        meaning: what it asks.
        state: holds, not refuted (a search found nothing against it), undecided or fails.
        evidence: what was found.
        amount: how far it is from holding where it fails, or the number that decides it; None where there is none.
    """

    run: str
    restart: int
    condition: str
    source: str
    meaning: str
    state: State
    evidence: str
    amount: float | None


@dataclass(frozen=True)
class DecoderRecord:
    """The decoder of one restart over its aggregate posterior, in the dimensions that are not collapsed.

    Args:
        run: the run.
        restart: its number.
        dimensions, outputs: of z, without those that are collapsed, and of x.
        points: at which it was looked at.
        pieces: different Jacobians there.
        curvature: second differences along short segments as a part of the first.
        rank: the largest of a Jacobian.
        singular: share of points where the rank is lower than the dimensions.
        condition_number: median of largest to smallest singular value of the Jacobian; None where it is infinite.
        searched: points x = f(z) for which a second z was searched.
        doubled: how many have one.
        weighty: how many have one with a hundredth or more of the posterior; None where p(z) is not known or none was searched.
        example: two latents with the same x, all dimensions; None where none were found.
        closest: smallest distance of the images of two latents a standard deviation apart, in deviations of the noise; None where
            it is not known.
        least_information: of x about the direction of z that it tells least of, in nats; None where the noise is not known.
    """

    run: str
    restart: int
    dimensions: int
    outputs: int
    points: int
    pieces: int
    curvature: float
    rank: int
    singular: float
    condition_number: float | None
    searched: int
    doubled: int
    weighty: int | None
    example: tuple[tuple[float, ...], ...] | None
    closest: float | None
    least_information: float | None


@dataclass(frozen=True)
class LayerRecord:
    """A weight matrix of a decoder.

    Args:
        run: the run.
        restart: its number.
        layer: its name in the weights file.
        into, out: its widths; of a convolution, the size of a filter and the channels.
        rank: singular values that count.
        smallest, largest: singular values.
    """

    run: str
    restart: int
    layer: str
    into: int
    out: int
    rank: int
    smallest: float
    largest: float


@dataclass(frozen=True)
class AgreementRecord:
    """Whether a run keeps what is promised of all its restarts.

    Args:
        run: the run.
        promised: the weakest class that is promised of the latents of a restart.
        measured: up to which its restarts agree: permutation, affine, part or none; None where that is undecided.
        agreement: kept, more (than was promised), not kept, nothing promised, or undecided.
        sentence: the same in words.
    """

    run: str
    promised: Class
    measured: Degree | None
    agreement: Agreement
    sentence: str


def promise_record(run: str, restart: int, one: Promise) -> PromiseRecord:
    """A promise as a record."""
    return PromiseRecord(
        run=run,
        restart=restart,
        promised=one.identified,
        theorem=one.theorem,
        state=one.state,
        prior=one.prior,
        prior_theorem=one.prior_theorem,
        possible=one.possible,
        possible_theorem=one.possible_theorem,
        kept_back_by=tuple(condition.name for condition in one.missing),
        dimensions=one.dimensions,
        collapsed=one.collapsed,
    )


def condition_records(run: str, restart: int, one: Promise) -> list[ConditionRecord]:
    """Its conditions as records."""
    return [ConditionRecord(run, restart, c.name, c.source, c.meaning, c.state, c.evidence, c.amount) for c in one.conditions]


def decoder_records(run: str, restart: int, facts: ModelFacts) -> tuple[list[DecoderRecord], list[LayerRecord]]:
    """The decoder and its layers as records; none of a model without a decoder."""
    found = facts.decoder
    if found is None:
        return [], []
    record = DecoderRecord(
        run=run,
        restart=restart,
        dimensions=found.dimensions,
        outputs=found.outputs,
        points=found.points,
        pieces=found.pieces,
        curvature=found.curvature,
        rank=found.rank,
        singular=found.singular,
        condition_number=found.condition if found.condition < float("inf") else None,
        searched=found.targets,
        doubled=found.doubled,
        weighty=found.weighty,
        example=None if found.example is None else tuple(tuple(row) for row in found.example.tolist()),
        closest=found.closest,
        least_information=None if found.directions is None else float(found.directions.min()),
    )
    layers = [LayerRecord(run, restart, one.name, one.into, one.out, one.rank, one.smallest, one.largest) for one in found.layers]
    return [record], layers
