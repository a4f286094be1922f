"""Where the headline lies, and the data show it (`stabaudit explain validity` has the simulated cases).

Strong MCC counts a direction that several dimensions of a restart repeat as often as they do; decorrelated strong MCC counts it
once. And correlation sees straight lines: where axes are bent, or a few rows hold most of the variance, ranks of the matched
dimensions tell another story.
"""

from collections.abc import Sequence

import numpy as np

from stabaudit.comparison.scoring.members import Member
from stabaudit.comparison.scoring.pairs import FloatArray, Pairs
from stabaudit.comparison.settings import Settings
from stabaudit.metrics.evidence import Evidence
from stabaudit.metrics.mcc_decorrelated import SCORE as DECORRELATED
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.metrics.pair_scores import Array, Pair, ScoreName
from stabaudit.metrics.ranks import midranks
from stabaudit.metrics.sampled_rows import sampled
from stabaudit.statistics import jackknife

LEAST = 0.1  # strong MCC less decorrelated strong MCC, from which on it is said
LEAST_BY_RANK = 0.05  # by which ranks agree more than values; of normal latents it is less than 0
_MOST_ROWS, _MOST_PAIRS = 1_000, 45
_HELD, _UNCORRELATED = (ScoreName(one.name, None, "out") for one in (STRONG, DECORRELATED))


def headline_warnings(members: Sequence[Member], pairs: Pairs, evidence: Evidence, settings: Settings) -> list[str]:
    """A line for every run whose strong MCC is not what it seems; none for runs of one restart."""
    several = [member for member in members if len(member.positions) > 1]
    said = [line for member in several for line in _repeated_direction(member, pairs)]
    if settings.correlation == "pearson":
        said += [line for member in several for line in _other_by_rank(member, pairs, evidence)]
    return said


def _repeated_direction(member: Member, pairs: Pairs) -> list[str]:
    if not {_HELD, _UNCORRELATED} <= set(pairs.names):
        return []
    strong, decorrelated = (pairs.matrix(name, member.positions) for name in (_HELD, _UNCORRELATED))
    gap = jackknife.within(strong - decorrelated)
    interval = gap.interval()
    if gap.mean < LEAST or (interval is not None and interval[0] <= 0):
        return []
    means = (jackknife.within(matrix).mean for matrix in (strong, decorrelated))
    counted = "strong MCC {:.2f} counts it every time, {:.2f} (decorrelated) once".format(*means)
    return [f"{member.run}: dimensions of one restart share a direction: {counted}"]


def _other_by_rank(member: Member, pairs: Pairs, evidence: Evidence) -> list[str]:
    """Ranks of matched dimensions on *score*, of a part of its rows and of at most 45 pairs, against their values there."""
    if evidence.rows is None or _HELD not in pairs.names:
        return []
    fit = evidence.rows.fit
    rows = np.flatnonzero(~fit)
    rows = rows[sampled(len(rows), _MOST_ROWS)]
    chosen = _evenly(pairs.of(member, member))
    used = sorted({position for pair in chosen for position in pair})
    values = {position: np.asarray(evidence.rows.latents[position][rows], dtype=np.float64) for position in used}
    by_value = {position: _standardised(z) for position, z in values.items()}
    by_rank = {position: _standardised(midranks(z)) for position, z in values.items()}
    found = np.array([[_matched(kind, pair, pairs) for kind in (by_value, by_rank)] for pair in chosen])
    value, rank = found.mean(axis=0)
    if (-LEAST < rank - value < LEAST_BY_RANK) or len(rows) < _MOST_ROWS // 10:
        return []
    why = "axes are bent, or a few rows stand out" if rank > value else "a few rows that stand out carry the agreement"
    return [
        f"{member.run}: matched dimensions agree {rank:.2f} by ranks, {value:.2f} by values: {why}; see --correlation spearman"
    ]


def _evenly(every: list[Pair]) -> list[Pair]:
    return every[:: -(-len(every) // _MOST_PAIRS)]


def _matched(standardised: dict[int, FloatArray], pair: Pair, pairs: Pairs) -> float:
    """Mean |correlation| of the dimensions that were matched on *fit*."""
    matching = pairs.scored[pair].parts[STRONG.name].matching
    if matching is None:
        raise ValueError(f"{STRONG.name} has a matching")
    a, b = (standardised[position][:, matching[:, side]] for side, position in enumerate(pair))
    return float(np.abs((a * b).sum(axis=0)).mean())


def _standardised(z: Array) -> FloatArray:
    """Columns centred, of unit norm; those that do not vary are 0."""
    centred = z - z.mean(axis=0)
    largest = np.abs(centred).max(axis=0)
    centred /= np.where(largest > 0, largest, 1.0)
    norm = np.linalg.norm(centred, axis=0)
    unit: FloatArray = centred / np.where(norm > 0, norm, 1.0)
    return unit
