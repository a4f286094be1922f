"""Each restart against the true sources, where the dataset has them: encoder means, and one posterior sample of every row.

Khemakhem et al. (2020) score samples, in batches of 64 rows, each matched on itself. A restart is one value here, so the interval
of a mean over restarts is Student's.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from stabaudit.comparison.reading.join_rows import Group
from stabaudit.comparison.records import Score
from stabaudit.comparison.scoring.floors import Floors
from stabaudit.comparison.scoring.pairs import as_score
from stabaudit.comparison.settings import Settings
from stabaudit.comparison.views.pair_values import PairTable
from stabaudit.errors import counted
from stabaudit.metrics.evidence import Evidence
from stabaudit.metrics.mcc_batched import BATCH, batched_strong_mcc
from stabaudit.metrics.mcc_batched import SCORE as BATCHED
from stabaudit.metrics.mcc_strong import SCORE as STRONG
from stabaudit.metrics.pair_scores import ScoreName
from stabaudit.metrics.score_pairs import score
from stabaudit.metrics.scores import MEANS, SAMPLES, measure
from stabaudit.statistics import jackknife


class AgainstSources(NamedTuple):
    """The mean over restarts of each score, and what every restart has out-of-sample."""

    scores: list[Score]
    tables: list[PairTable]


def against_sources(
    group: Group, positions: Sequence[int], sources: int, evidence: Evidence, settings: Settings, *, sampled: bool = False
) -> AgainstSources:
    """Score the restarts of a group against its sources.

    Args:
        group: the restarts.
        positions: of their means, or of their samples, in the evidence.
        sources: position of the sources there.
        evidence: all latents.
        settings: how pairs are scored.
        sampled: whether the positions are those of samples.
    """
    measures = [one for one in settings.measures if one.of_sources]
    if not measures:
        return AgainstSources([], [])
    pairs = [(position, sources) for position in positions]
    scored = score(
        evidence,
        pairs,
        measures=measures,
        floor_groups=[pairs],
        k=settings.k,
        floor_draws=settings.floor_draws,
        rotations=settings.rotations,
        rng=np.random.default_rng(settings.seed),  # its own: floors do not depend on what else is compared
        allow_unequal=True,  # a model need not have as many dimensions as there are sources
    )
    run = group.summary.name
    dead = tuple(f"{label}:z{k}" for p, label in zip(positions, group.labels, strict=True) for k in evidence.dead[p])
    found = AgainstSources([], [])
    for name in scored.pairs[0].values:
        metric = f"{(SAMPLES if sampled else MEANS).prefix}{name.metric}"
        values = np.array([pair.values[name] for pair in scored.pairs])
        floors = Floors.of(scored.pairs, [name])
        one = as_score(
            (run, run),
            name,
            jackknife.over_restarts(values, scale=measure(name.metric).scale),
            restarts=len(positions),
            floors=floors,
            dead=dead,
        )
        found.scores.append(replace(one, metric=metric))
        if name.sample == "out":
            found.tables.append(PairTable(run, "sources", metric, name.k, group.labels, ("sources",), values[:, None]))
    return found


def in_batches(group: Group, settings: Settings) -> AgainstSources:
    """Sampled latents against sources in batches of 64 rows, beside strong MCC; nothing without samples or a batch of rows."""
    sources = group.sources
    if STRONG.name not in [one.name for one in settings.measures] or sources is None or len(sources) < BATCH:
        return AgainstSources([], [])
    rng = np.random.default_rng(settings.seed)
    values = np.array([batched_strong_mcc(z, sources, size=BATCH, rng=rng) for z in group.samples])
    draws = [
        np.mean([batched_strong_mcc(z[rng.permutation(len(z))], sources, size=BATCH, rng=rng) for z in group.samples])
        for _ in range(settings.floor_draws)
    ]
    run = group.summary.name
    name, floors = ScoreName(BATCHED.name, None, "in"), Floors(independence=np.array(draws), rotation=None)
    one = as_score(
        (run, run), name, jackknife.over_restarts(values, scale=BATCHED.scale), restarts=len(values), floors=floors, dead=()
    )
    table = PairTable(run, "sources", BATCHED.name, None, group.labels, ("sources",), values[:, None])
    return AgainstSources([one], [table])


def unequal_to_sources(group: Group) -> str | None:
    """What to know where there are more or fewer dimensions than sources."""
    run = group.summary
    if run.sources is None or run.sources == run.latent_dim:
        return None
    fewer = min(run.sources, run.latent_dim)
    sizes = f"{counted(run.latent_dim, 'dimension')}, {counted(run.sources, 'source')}"
    return f"{run.name}: {sizes}; scores against sources are means over {fewer} matched"
