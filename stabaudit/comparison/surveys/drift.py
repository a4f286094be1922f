"""Two versions of one embedding: how far has it drifted, and which rows moved?

There are no restarts, so the row is the unit: intervals are over rows, by half-samples (`stabaudit.statistics.half_samples`), and
say how sure the numbers are for other rows of the kind, not for another training. A row has moved by the distance from where an
affine map of the old version puts it, fitted on the half of the rows that it is not in, in units of the spread of the new one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.records import RunSummary, limits
from stabaudit.comparison.settings import Settings
from stabaudit.errors import BadData, UsageError, counted
from stabaudit.metrics.affine import affine_map
from stabaudit.metrics.evidence import Evidence
from stabaudit.metrics.neighbours import MOST_ROWS, NEIGHBOURS, nearest, shared_neighbours
from stabaudit.metrics.pair_scores import Array, ScoreName
from stabaudit.metrics.score_pairs import score
from stabaudit.metrics.scores import Measure, measure, of_pairs
from stabaudit.metrics.split import split_halves
from stabaudit.statistics.half_samples import FEWEST, half_sample, over_rows

HALF_SAMPLES, MOST_MOVED = 50, 10
FEWEST_ROWS = 80  # of which a half-sample of a half has 20, twice as many as neighbours


@dataclass(frozen=True)
class DriftScore:
    """A score between two versions of one embedding.

    Args:
        old, new: their names.
        rows: that both have.
        metric: its name.
        k: parts that a counted score averages; None for all.
        sample: out-of-sample where something is estimated; of the held-out half of the rows in any case.
        value: the score.
        ci_low, ci_high: 95% interval over rows.
        independence_floor: what unrelated rows give.
        adjusted: 0 at that floor, 1 at the best value.
        half_samples: from how many the interval is.
    """

    old: str
    new: str
    rows: int
    metric: str
    k: int | None
    sample: str
    value: float
    ci_low: float | None
    ci_high: float | None
    independence_floor: float
    adjusted: float | None
    half_samples: int


@dataclass(frozen=True)
class MovedRow:
    """A row that two versions of one embedding place differently.

    Args:
        old, new: their names.
        sample_id: its name.
        label: its class, or None.
        displacement: from where the affine map of the old version puts it, in units of the spread of the new one.
        neighbours_kept: how many of its nearest neighbours stay so.
        neighbours: of how many.
    """

    old: str
    new: str
    sample_id: str | int
    label: str | int | None
    displacement: float
    neighbours_kept: int | None
    neighbours: int


@dataclass(frozen=True)
class Drift:
    """Two versions of one embedding.

    Args:
        old, new: their names.
        summary: what the new one is.
        rows: that both have.
        dimensions_old, dimensions_new: of either.
        scores: with intervals over rows.
        moved: the rows that moved most, the farthest first.
        typical: median displacement over all rows.
        warnings: what was noticed.
    """

    old: str
    new: str
    summary: RunSummary
    rows: int
    dimensions_old: int
    dimensions_new: int
    scores: tuple[DriftScore, ...]
    moved: tuple[MovedRow, ...]
    typical: float
    warnings: tuple[str, ...]


def default_measures() -> tuple[Measure, ...]:
    """Scores between two versions, unless others are asked for."""
    return tuple(one for one in of_pairs() if one.of_versions)


def drift(
    groups: Sequence[Group],
    settings: Settings,
    *,
    measures: Sequence[Measure] | None = None,
    half_samples: int = HALF_SAMPLES,
    most_moved: int = MOST_MOVED,
    labels: Array | None = None,
) -> Drift:
    """Hold a new version against an old one.

    Args:
        groups: the old version and the new one, each a single latents, rows joined as by `read_groups`.
        settings: correlation, k, floor draws, seed.
        measures: scores; None for `default_measures`.
        half_samples: from which intervals are.
        most_moved: rows that are named.
        labels: classes of the rows, shape (n,), or None.

    Raises:
        UsageError: other than two latents, streamed ones, or too few half-samples.
        BadData: too few rows.
    """
    latents = [z for group in groups for z in group.latents]
    if any(group.streams for group in groups):
        raise UsageError(f"--drift needs all rows in memory: raise --memory above {settings.memory}")
    if len(latents) != 2:
        raise UsageError(f"--drift holds one version against another: give two latents, not {len(latents)}; of a run one, run#3")
    if half_samples < FEWEST:
        raise UsageError(f"--half-samples {half_samples}: expected at least {FEWEST}")
    names = [label for group in groups for label in group.labels]
    ids = groups[0].sample_id
    if len(ids) < FEWEST_ROWS:
        raise BadData(
            f"drift from {names[0]} to {names[1]}: {counted(len(ids), 'row')}, "
            f"expected at least {FEWEST_ROWS} for intervals over rows"
        )
    fit = split_halves(ids)
    chosen = default_measures() if measures is None else tuple(measures)
    rng = np.random.default_rng(settings.seed)
    (values, floors), warnings = _scores(latents, fit, names, chosen, settings, rng)
    draws = [_values(latents, fit, names, chosen, settings, half_sample(fit, rng=rng)) for _ in range(half_samples)]
    rows = []
    for name in (one for one in values if one.sample == "out"):
        one = measure(name.metric)
        estimate = over_rows(values[name], np.array([draw[name] for draw in draws]), one.scale)
        low, high = limits(estimate)
        adjusted = one.above_floor(values[name], floors[name])
        rows.append(
            DriftScore(
                names[0],
                names[1],
                len(ids),
                name.metric,
                name.k,
                "out",
                values[name],
                low,
                high,
                floors[name],
                adjusted,
                half_samples,
            )
        )
    displacement = _displacement(latents[0], latents[1], fit)
    return Drift(
        old=names[0],
        new=names[1],
        summary=groups[-1].summary,
        rows=len(ids),
        dimensions_old=latents[0].shape[1],
        dimensions_new=latents[1].shape[1],
        scores=tuple(rows),
        moved=_moved(names, latents, ids, displacement, labels, most_moved),
        typical=float(np.median(displacement)),
        warnings=tuple(warnings),
    )


def _values(  # noqa: PLR0917 -- what to score, and which of its rows
    latents: Sequence[Array], fit: Array, names: Sequence[str], chosen: Sequence[Measure], settings: Settings, rows: Array
) -> dict[ScoreName, float]:
    """Scores of some of the rows, without floors."""
    some, half = [z[rows] for z in latents], fit[rows]
    evidence = Evidence.of_rows(some, half, settings.correlation, names)
    (pair,) = score(
        evidence, measures=chosen, k=settings.k, floor_draws=0, rotations=0, rng=np.random.default_rng(0), allow_unequal=True
    ).pairs
    return pair.values


def _scores(  # noqa: PLR0917 -- as `_values`
    latents: Sequence[Array],
    fit: Array,
    names: Sequence[str],
    chosen: Sequence[Measure],
    settings: Settings,
    rng: np.random.Generator,
) -> tuple[tuple[dict[ScoreName, float], dict[ScoreName, float]], list[str]]:
    """Scores of all rows and the means of their floors; and what was noticed."""
    evidence = Evidence.of_rows(latents, fit, settings.correlation, names)
    scored = score(
        evidence,
        measures=chosen,
        k=settings.k,
        floor_draws=settings.floor_draws,
        rotations=1,
        rng=rng,
        allow_unequal=True,
    )
    (pair,) = scored.pairs
    floors = {name: float(drawn.mean()) for name, drawn in pair.independence.items()}
    return (pair.values, floors), [*scored.warnings]


def _displacement(old: Array, new: Array, fit: Array) -> Array:
    """How far each row lies from where the affine map puts it, in units of the spread of the new version, shape (n,)."""
    a, b = (np.asarray(z, dtype=np.float64) for z in (old, new))
    old_spread, spread = (float(np.sqrt(((z - z.mean(axis=0)) ** 2).sum(axis=1).mean())) for z in (a, b))
    for called, of in (("old", old_spread), ("new", spread)):
        if of == 0:
            raise BadData(f"the {called} version does not vary: all of its rows are the same")
    distance = np.empty(len(a))
    for half in (fit, ~fit):
        matrix, offset = affine_map(a, b, ~half)
        distance[half] = np.linalg.norm(b[half] - a[half] @ matrix - offset, axis=1)
    return distance / spread


def _moved(  # noqa: PLR0917 -- rows, and what is known of them
    names: Sequence[str], latents: Sequence[Array], ids: Array, displacement: Array, labels: Array | None, most: int
) -> tuple[MovedRow, ...]:
    """The rows that moved most."""
    first = np.argsort(-displacement, kind="stable")[:most]
    every = len(ids) <= MOST_ROWS
    kept = shared_neighbours(*(nearest(np.asarray(z, dtype=np.float64)) for z in latents)) if every else None
    return tuple(
        MovedRow(
            old=names[0],
            new=names[1],
            sample_id=ids[row].item(),
            label=None if labels is None else labels[row].item(),
            displacement=float(displacement[row]),
            neighbours_kept=None if kept is None else int(kept[row]),
            neighbours=min(NEIGHBOURS, len(ids) - 1),
        )
        for row in first
    )
