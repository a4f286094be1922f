"""Strong MCC of the active dimensions of a run, where it is known which these are and not all of them are."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from stabaudit.comparison.records import Score
from stabaudit.comparison.scoring.collapse import Facts
from stabaudit.comparison.scoring.floors import floor_groups
from stabaudit.comparison.scoring.members import Member
from stabaudit.comparison.scoring.pairs import Pairs
from stabaudit.comparison.settings import Settings
from stabaudit.metrics.evidence import Evidence
from stabaudit.metrics.mcc_active import SCORE as ACTIVE
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.metrics.pair_scores import PairScores
from stabaudit.metrics.score_pairs import score


def active_scores(member: Member, facts: Sequence[Facts], evidence: Evidence, settings: Settings) -> list[Score]:
    """Strong MCC of active dimensions, in and out of sample, with floors within their span; nothing where all are active."""
    masks = [mask for found in facts if (mask := found.active) is not None]
    known = len(masks) == len(member.positions) > 1
    if not known or STRONG not in settings.measures or all(mask.all() for mask in masks) or not all(mask.any() for mask in masks):
        return []
    chosen = {position: np.flatnonzero(mask) for position, mask in zip(member.positions, masks, strict=True)}
    names = [evidence.names[position] for position in member.positions]
    seeds = [evidence.seeds[position] for position in member.positions]
    of_active = replace(Evidence.of_moments(evidence.values.of_dimensions(chosen), names, seeds), warnings=())
    own = Member(member.run, tuple(range(len(names))), member.seeds)
    scored = score(
        of_active,
        list(combinations(own.positions, 2)),
        measures=[STRONG],
        floor_groups=floor_groups([own]),
        floor_draws=settings.floor_draws,
        rotations=settings.rotations,
        rng=np.random.default_rng(settings.seed),
        allow_unequal=True,
    )
    sizes = [len(dimensions) for dimensions in chosen.values()]
    pairs = Pairs({(pair.a, pair.b): _over_all(pair, sizes[pair.a], sizes[pair.b]) for pair in scored.pairs}, [()] * len(names))
    return [replace(found, metric=ACTIVE.name) for found in pairs.within(own)]


def _over_all(pair: PairScores, a: int, b: int) -> PairScores:
    """The mean over as many dimensions as the restart with more active ones has: those without a partner count as 0."""
    share = min(a, b) / max(a, b)
    return replace(
        pair,
        values={name: share * value for name, value in pair.values.items()},
        independence={name: share * draws for name, draws in pair.independence.items()},
        rotation={name: share * draws for name, draws in pair.rotation.items()},
    )
