"""The table of scores: what every score is called, means, ranges over, and how it is computed.

A score is one file in this folder that ends in a `Measure`, and one line in `stabaudit.registry`. Tables, figures, gates,
baselines, plans, JSON Schema and documentation read from here, so nothing else names a score. An installed package adds one by an
entry point in the group `stabaudit.scores`; a user names a function of two arrays as `package.module:function`.

A measure works on one pair of latents. Those that follow from means and covariances say how (`from_moments`) and are computed for
many pairs at once, on streamed latents too; the others are functions of rows.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple, Protocol, Self

import numpy as np

from stabaudit.errors import BadData, UsageError
from stabaudit.metrics.halves import Cross, Marginal
from stabaudit.metrics.pair_scores import Array
from stabaudit.registry import known, resolve, unknown

Floor = Literal["independence", "rotation"]
Unit = Literal["pair", "restart", "run"]
Scale = Literal["identity", "logit", "atanh", "log1m", "log"]
Needs = Literal["moments", "rows", "labels", "model", "factors"]


class Parts(NamedTuple):
    """What a score of a pair is the mean of, on *fit* and on *score*; of one pair or of stacked ones.

    Args:
        inside: on *fit*, shape (…, m), the largest first.
        outside: the same parts on *score*, shape (…, m).
        matching: dimensions of a and b that each part belongs to, shape (…, m, 2); None where parts are no single dimensions.
    """

    inside: Array
    outside: Array
    matching: Array | None = None

    def of(self, position: int) -> "Parts":
        """Those of one of the stacked pairs."""
        return Parts(self.inside[position], self.outside[position], None if self.matching is None else self.matching[position])


FromMoments = Callable[[Marginal, Marginal, Cross], Parts]
Question = Literal["axes", "space", "shape", "function", "identity"]
Invariance = Literal["translation", "scaling", "permutation", "axis scaling", "rotation", "linear"]
LINEAR: tuple[Invariance, ...] = ("translation", "scaling", "permutation", "axis scaling", "rotation", "linear")
ROTATION: tuple[Invariance, ...] = ("translation", "scaling", "permutation", "rotation")
AXES: tuple[Invariance, ...] = ("translation", "scaling", "permutation", "axis scaling")


class OneSide(Protocol):
    """What a score needs of one of its sides, computed once and held against many others: neighbours, distances."""

    def permuted(self, order: Array) -> Self:
        """The same of the rows in another order, shape (n,)."""
        ...


class Sides(NamedTuple):
    """A score in two steps, for those whose work is mostly on one side.

    Args:
        of_one: what is needed of latents of shape (n, d); of those and of `fit`, shape (n,), where it estimates.
        score: of two of them, of the same rows; where it estimates, in-sample and out-of-sample.
        estimates: whether something is estimated on *fit*; else the score is one of each half by itself.
        fewest: rows of a half, below which it is not defined and left out.
    """

    of_one: Callable[..., Any]
    score: Callable[[Any, Any], Any]
    estimates: bool = False
    fewest: int = 2


def _as_found(found: tuple[float, float]) -> tuple[float, float]:
    return found


class FromFactors(NamedTuple):
    """A score of one restart against known factors of variation, which is never one of two restarts, in two steps.

    Args:
        relate: of latents (n, d), factors (n, K) and the rows of *fit* (n,), what scores are read from; done once for all scores
            that share it.
        read: of that, the score on *fit* and on *score*; by default it is these two.
        fewest: factors, below which it says nothing and is left out.
        draws: of the independence floor, at most, where each takes long; the same for all that share `relate`.
    """

    relate: Callable[[Array, Array, Array], Any]
    read: Callable[[Any], tuple[float, float]] = _as_found
    fewest: int = 1
    draws: int | None = None


@dataclass(frozen=True)
class Measure:
    """One score.

    Args:
        name: as users type it and JSON has it.
        label: as tables have it.
        meaning: what it says, in one sentence.
        low, high: its range.
        reference: where it is defined, with DOI or arXiv number.
        function: of two arrays of shape (n, d_a) and (n, d_b), and of `fit` if it estimates something on rows that it does not
            score; returns a number. None where scores of this kind are not computed from two arrays.
        from_moments: the same from moments, for stacked pairs; None where it needs rows.
        sides: the same in two steps, of which the first is done once for all pairs and draws; None where it is one step.
        factors: where the second side is known factors and never latents, how it is found; None for every other score.
        invariances: maps of either side by itself (of the latents alone, where the other side is factors) that leave the score as
            it is in-sample: "axis scaling" of every dimension by its own factor and sign, "linear" by any invertible matrix.
        question: what it asks of two restarts: are the *axes* the same, is the *space* up to a linear map, is its *shape* up to a
            rotation and one scale, is one a *function* of the other, are they the same numbers (*identity*)? None for others.
        by_variance: whether it answers with a part of the variance, not of the dimensions.
        higher_is_better: whether more of it is more agreement.
        floors: which of them say something of it: *independence* (rows shuffled), *rotation* (axes turned at random).
        directed: whether a→b and b→a differ; within a run both are averaged.
        counted: whether it is a mean over the first k parts, with k in its name.
        needs: what it is computed from.
        unit: whether it is a score of a pair, of one restart, or of a whole run.
        default: whether it is computed unless other scores are asked for.
        of_versions: whether it is held between two versions of one embedding unless other scores are asked for.
        headline: whether it stands in summaries, and baselines are held against it.
        of_sources: whether restarts are scored against true sources by it too.
        parts: what its parts are, for the axis of cumulative curves; None where there is no curve.
        rows_per_dimension: of *fit*, below which it is arbitrary and left out.
        equal_dimensions: whether both sides must have as many dimensions; left out where they do not.
        stored: its name in the record of a restart, where training has measured it.
        option: of the command line that asks for it, of scores that are no functions of two latents alone; None for others.
        brief: whether it has a column in summaries where it was computed.
        cost: of one pair of n rows and d dimensions.
    """

    name: str
    label: str
    meaning: str
    low: float
    high: float
    reference: str
    function: Callable[..., float] | None = None
    from_moments: FromMoments | None = None
    sides: Sides | None = None
    factors: FromFactors | None = None
    invariances: tuple[Invariance, ...] = ()
    question: Question | None = None
    by_variance: bool = False
    higher_is_better: bool = True
    floors: tuple[Floor, ...] = ()
    directed: bool = False
    counted: bool = False
    needs: Needs = "rows"
    unit: Unit = "pair"
    default: bool = False
    of_versions: bool = False
    headline: bool = False
    of_sources: bool = True
    parts: str | None = None
    rows_per_dimension: int = 1
    equal_dimensions: bool = False
    stored: str | None = None
    option: str | None = None
    brief: bool = True
    cost: str = ""

    def __post_init__(self) -> None:
        """Refuse what could not be computed.

        Raises:
            UsageError: a counted score without parts from moments, or a range without room.
        """
        if self.counted and self.from_moments is None:
            raise UsageError(f"score {self.name}: a counted score needs from_moments, which gives the parts that are counted")
        if not self.low < self.high:
            raise UsageError(f"score {self.name}: its range [{self.low:g}, {self.high:g}] has no room")

    @property
    def of_pairs(self) -> bool:
        """Whether it is computed from pairs of latents."""
        return self.unit == "pair" and (self.function is not None or self.from_moments is not None)

    @property
    def by_request(self) -> bool:
        """Whether it can be asked for by its name: a score of pairs, or one against known factors."""
        return self.of_pairs or self.factors is not None

    @property
    def best(self) -> float | None:
        """The score of two that agree; None where nothing bounds it."""
        end = self.high if self.higher_is_better else self.low
        return end if math.isfinite(end) else None

    @property
    def scale(self) -> Scale:
        """The scale on which its intervals keep to its range (see `stabaudit.statistics.jackknife`)."""
        if (self.low, self.high) == (0.0, 1.0):
            return "logit"
        if (self.low, self.high) == (-1.0, 1.0):
            return "atanh"
        if self.high == 1.0:
            return "log1m"
        return "log" if self.low == 0.0 else "identity"

    @property
    def reverse(self) -> str:
        """The name of a directed score from b to a."""
        return f"{self.name}{_REVERSE}"

    def above_floor(self, score: float | None, floor: float | None) -> float | None:
        """(M − M₀)/(M₁ − M₀): 0 at the floor M₀, 1 at the best value M₁; None without either, or without room between them.

        >>> measure("affine_r2").above_floor(0.75, 0.5)
        0.5
        """
        if score is None or floor is None or self.best is None:
            return None
        room = self.best - floor
        if abs(room) < _NO_ROOM:
            return None
        return (score - floor) / room if (room > 0 if self.higher_is_better else room < 0) else None

    def of_rows(self, a: Array, b: Array, fit: Array) -> tuple[float, float]:
        """The score of one pair by its function, in-sample and out-of-sample.

        Args:
            a: first latents, shape (n, d_a).
            b: second latents, shape (n, d_b).
            fit: True for rows of *fit*, shape (n,).

        Raises:
            BadData: a function that fails or returns no finite number.
        """
        inside = self._called(self.function, a[fit], b[fit])
        outside = self._called(self.function, a, b, fit) if self._estimates else self._called(self.function, a[~fit], b[~fit])
        return inside, outside

    def of_sides(self, a: Sequence[OneSide], b: Sequence[OneSide]) -> tuple[float, float]:
        """The score of one pair by its second step, in-sample and out-of-sample; errors as of `of_rows`.

        Args:
            a: the first, of *fit* and of *score*; one of all rows where the score estimates.
            b: the second.
        """
        score = None if self.sides is None else self.sides.score
        if self.sides is not None and self.sides.estimates:
            inside, outside = self._returned(score, a[0], b[0])
            return self._checked(inside), self._checked(outside)
        inside, outside = (self._called(score, *both) for both in zip(a, b, strict=True))
        return inside, outside

    def of_factors(self, related: object) -> tuple[float, float]:
        """The score of one restart against known factors, in-sample and out-of-sample; errors as of `of_rows`.

        Args:
            related: what `factors.relate` gives.
        """
        found = (math.nan, math.nan) if self.factors is None else self.factors.read(related)
        return self._called(lambda: found[0]), self._called(lambda: found[1])

    @property
    def _estimates(self) -> bool:
        return self.function is not None and "fit" in _parameters(self.function)

    def _called(self, function: Callable[..., float] | None, *arguments: object) -> float:
        return self._checked(self._returned(function, *arguments))

    def _returned(self, function: Callable[..., Any] | None, *arguments: object) -> Any:  # noqa: ANN401 -- whatever it returns
        if function is None:
            raise UsageError(f"{self.name} is not computed from pairs of latents")
        try:
            return function(*arguments)
        except (BadData, UsageError):
            raise
        except (Exception, SystemExit) as error:  # a function from outside can raise anything
            raise BadData(f"score {self.name}: {type(error).__name__}: {error}") from error

    def _checked(self, returned: Any) -> float:  # noqa: ANN401 -- whatever a function returned
        try:
            value = float(returned)
        except (TypeError, ValueError) as error:
            raise BadData(f"score {self.name} returned {type(returned).__name__}, expected a number") from error
        if not math.isfinite(value):
            raise BadData(f"score {self.name} is {value}, expected a finite number")
        if not self.low - _ROUNDING <= value <= self.high + _ROUNDING:
            raise BadData(f"score {self.name} is {value:g}, expected {self.low:g} to {self.high:g}, the range of its entry")
        return value


_REVERSE = "_reverse"
_ROUNDING = 1e-6  # how far outside its range a score may lie
_NO_ROOM = 1e-9  # between a floor and the best value, as for rotations of one dimension


class Against(NamedTuple):
    """A way to score restarts against true sources, and how names and labels begin."""

    prefix: str
    label: str


MEANS = Against("source_", "source")
SAMPLES = Against("sampled_source_", "sampled")


@cache
def _parameters(function: Callable[..., float]) -> frozenset[str]:
    try:
        return frozenset(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # some built-in functions have no signature
        return frozenset()


@cache
def registered() -> tuple[Measure, ...]:
    """All scores: built in, then those of installed packages that can be used."""
    found = []
    for name in known("score"):
        try:
            found.append(_named(name))
        except UsageError:
            if ":" in name or name in _built_in():
                raise
    return tuple(found)


@cache
def _built_in() -> frozenset[str]:
    return frozenset(name for name, entry in known("score").items() if entry.target.startswith("stabaudit."))


def of_pairs() -> list[Measure]:
    """Scores of pairs of latents, in the order of tables."""
    return [one for one in registered() if one.of_pairs]


def of_factors() -> list[Measure]:
    """Scores of one restart against known factors, in the order of tables."""
    return [one for one in registered() if one.factors is not None]


def default_scores() -> tuple[str, ...]:
    """Names of the scores that are computed unless others are asked for."""
    return tuple(one.name for one in of_pairs() if one.default)


def headlines() -> list[Measure]:
    """Scores that stand in summaries and that baselines are held against; the first is the one that families are tested on."""
    return [one for one in of_pairs() if one.headline]


def every_name() -> list[str]:
    """Names of all scores that a run may have, those against sources included."""
    names = []
    for one in registered():
        names.append(one.name)
        if one.of_pairs and one.of_sources:
            names += [f"{against.prefix}{one.name}" for against in (MEANS, SAMPLES)]
    return names


@cache
def measure(name: str) -> Measure:
    """The score of a name, of the reverse of a directed one, or of one against sources.

    Raises:
        UsageError: an unknown name, or a function that cannot be imported.

    >>> measure("affine_r2_reverse").label, measure("source_weak_mcc").label
    ('affine R² back', 'source weak MCC')
    """
    if name in known("score"):
        return _named(name)
    if _is_function(name):
        forward = measure(name.removesuffix(_REVERSE)) if name.endswith(_REVERSE) and _is_directed(name) else None
        return _named(name) if forward is None else replace(forward, name=name, label=f"{forward.label} back")
    for against in (MEANS, SAMPLES):
        if name.startswith(against.prefix):
            with_sources = measure(name.removeprefix(against.prefix))
            if with_sources.factors is not None:
                break
            return replace(with_sources, name=name, label=f"{against.label} {with_sources.label}", unit="restart")
    if name.endswith(_REVERSE):
        forward = measure(name.removesuffix(_REVERSE))
        if forward.directed:
            return replace(forward, name=name, label=f"{forward.label} back")
    raise unknown("score", name, every_name())


def _is_directed(name: str) -> bool:
    """Whether a name is the reverse of a directed score of the user's."""
    try:
        return measure(name.removesuffix(_REVERSE)).directed
    except UsageError:
        return False


def _is_function(name: str) -> bool:
    """Whether a name is a user's `module:function`, and not such a one against sources."""
    module, colon, _ = name.partition(":")
    begun = any(module.startswith(against.prefix) for against in (MEANS, SAMPLES))
    return bool(colon) and not (begun and find_spec(module.partition(".")[0]) is None)


def chosen(names: Iterable[str]) -> tuple[Measure, ...]:
    """Scores of pairs and against known factors by name, each once, in the order of tables.

    "all" stands for every one that is registered, the first word of several names for these: "knn" for knn_overlap and others.

    Raises:
        UsageError: an unknown name, one that cannot be asked for, or none at all.
    """
    wanted: dict[str, Measure] = {}
    for name in names:
        for one in [*of_pairs(), *of_factors()] if name == "all" else _of_one_kind(name) or [measure(name)]:
            if one.option is not None:
                raise UsageError(f"score {name!r} comes with {one.option}, and is not asked for by --scores")
            if not one.by_request or one.name.endswith(_REVERSE):
                raise UsageError(f"score {name!r} is not computed from pairs of restarts; see 'stabaudit list scores'")
            wanted[one.name] = one
    if not wanted:
        raise UsageError("--scores: name at least one; see 'stabaudit list scores'")
    order = [one.name for one in registered()]
    return tuple(sorted(wanted.values(), key=lambda one: order.index(one.name) if one.name in order else len(order)))


def _of_one_kind(word: str) -> list[Measure]:
    """Scores whose names begin with a word that is no name itself."""
    return [] if word in known("score") else [one for one in [*of_pairs(), *of_factors()] if one.name.startswith(f"{word}_")]


def chosen_of_pairs(names: Iterable[str]) -> tuple[Measure, ...]:
    """Scores of pairs of latents by name, as of `chosen`; "all" leaves those against known factors out.

    Raises:
        UsageError: as of `chosen`, and for the name of a score against factors.
    """
    asked = list(names)
    found = chosen(asked)
    for one in found:
        if one.factors is not None and one.name in asked:
            raise UsageError(f"score {one.name!r} is of one restart and known factors, not of pairs of restarts")
    return tuple(one for one in found if one.factors is None)


def is_known(name: str) -> bool:
    """Whether a name stands for a score; never imports a `module:function`."""
    if ":" in name:
        return True
    try:
        measure(name)
    except UsageError:
        return False
    return True


def _named(name: str) -> Measure:
    """A registered score, or a user's function as one."""
    found: Any = resolve("score", name)
    if isinstance(found, Measure):
        return found if found.name == name else replace(found, name=name)
    first, _, _ = (inspect.getdoc(found) or "a function of the user's").partition("\n")
    return Measure(
        name=name,
        label=name.rpartition(":")[2] if ":" in name else name,
        meaning=first.rstrip("."),
        low=-math.inf,
        high=math.inf,
        reference="",
        function=found,
        floors=("independence", "rotation"),
        needs="rows",
    )


def mean_of_first(k: int | None, values: Array) -> Array:
    """Mean of the first k of values of shape (…, m), or of those there are; 0 when there are none. Shape (…)."""
    first = values[..., :k]
    mean: Array = first.mean(axis=-1) if first.shape[-1] else np.zeros(first.shape[:-1])
    return mean


def described(measures: Sequence[Measure]) -> list[dict[str, object]]:
    """A flat record for each score, for `stabaudit list scores` and the JSON Schema."""
    return [
        {
            "name": one.name,
            "label": one.label,
            "meaning": one.meaning,
            "low": one.low if math.isfinite(one.low) else None,
            "high": one.high if math.isfinite(one.high) else None,
            "higher_is_better": one.higher_is_better,
            "floors": list(one.floors),
            "directed": one.directed,
            "counted": one.counted,
            "needs": one.needs,
            "unit": one.unit,
            "default": one.default,
            "question": one.question,
            "invariances": list(one.invariances),
            "cost": one.cost,
            "reference": one.reference,
        }
        for one in measures
    ]
