"""Each restart against the true sources, where the dataset has them: encoder means, and one posterior sample of every row.

Khemakhem et al. (2020) score samples. A restart is one value here, so the interval of a mean over restarts is Student's.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stabaudit.comparison.groups import Group
from stabaudit.comparison.pairs import Floors, as_score
from stabaudit.comparison.records import Score
from stabaudit.comparison.settings import Settings
from stabaudit.metrics.evidence import Evidence
from stabaudit.metrics.pairwise import score
from stabaudit.statistics import jackknife

_METRICS = {"strong_mcc": "source_strong_mcc", "weak_mcc": "source_weak_mcc"}


def against_sources(
    group: Group, positions: Sequence[int], sources: int, evidence: Evidence, settings: Settings, *, sampled: bool = False
) -> list[Score]:
    """Score the restarts of a group against its sources.

    Args:
        group: the restarts.
        positions: of their means, or of their samples, in the evidence.
        sources: position of the sources there.
        evidence: all latents.
        settings: how pairs are scored.
        sampled: whether the positions are those of samples.
    """
    scored = score(
        evidence,
        [(position, sources) for position in positions],
        k=settings.k,
        floor_draws=settings.floor_draws,
        rng=np.random.default_rng(settings.seed),  # its own: floors do not depend on what else is compared
        allow_unequal=True,  # a model need not have as many dimensions as there are sources
    )
    run = group.summary.name
    dead = tuple(f"{label}:z{k}" for p, label in zip(positions, group.labels, strict=True) for k in evidence.dead[p])
    found = []
    for name in scored.pairs[0].values:
        if name.metric in _METRICS:
            estimate = jackknife.over_restarts(np.array([pair.values[name] for pair in scored.pairs]))
            floors = Floors.of(scored.pairs, [name])
            one = as_score((run, run), name, estimate, restarts=len(positions), floors=floors, dead=dead)
            found.append(replace(one, metric=f"{'sampled_' if sampled else ''}{_METRICS[name.metric]}"))
    return found


def unequal_to_sources(group: Group) -> str | None:
    """What to know where there are more or fewer dimensions than sources."""
    run = group.summary
    if run.sources is None or run.sources == run.latent_dim:
        return None
    fewer = min(run.sources, run.latent_dim)
    return (
        f"{run.name}: {run.latent_dim} dimensions, {run.sources} sources; scores against sources are means over {fewer} matched"
    )
