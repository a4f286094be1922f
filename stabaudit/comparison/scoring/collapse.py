"""Collapse of the restarts of a run (Wang et al. 2021, §4), beside their stability: dimensions that say nothing are trivially so.

Active units and mutual information come from the latents; divergence, log-likelihood, clusters and the rank of the prior's matrix
L were measured when the restart had been trained. A restart is one value, so intervals of means are Student's.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.comparison.records import CollapseScore, DimensionRecord, limits
from stabaudit.errors import counted
from stabaudit.metrics.collapse import (
    ACTIVE_UNITS,
    COLLAPSE,
    LOG_LIKELIHOOD,
    MUTUAL_INFORMATION,
    PERPLEXITY,
    PRIOR_RANK,
    WORD_LOG_LIKELIHOOD,
    active,
    mutual_information,
)
from stabaudit.metrics.scores import measure
from stabaudit.statistics import jackknife
from stabaudit.store.run.latents import Latents

Array = NDArray[Any]

INFORMATION_ROWS = 2_000  # of the evaluation rows, for mutual information: it takes the square of as many densities
_NAMED = 4  # dimensions or restarts that a warning names


@dataclass(frozen=True)
class Facts:
    """What is known of the collapse of one restart.

    Args:
        stored: scores of its record; empty for latents from elsewhere.
        variance: of the posterior means over the evaluation rows, shape (d,); None where they were streamed.
        divergence: KL of each dimension, shape (d,), or None.
        information: mutual information in nats, or None.
        rows: how many it was computed from.
        posterior: whether posteriors are known, so that a small variance of their means is collapse and no matter of units.
    """

    stored: Mapping[str, float]
    variance: Array | None
    divergence: Array | None
    information: float | None
    rows: int
    posterior: bool = False

    @property
    def active(self) -> Array | None:
        """Which dimensions are active, shape (d,); None where posteriors are not known."""
        if not self.posterior or self.variance is None:
            return None
        return active(self.variance, self.divergence)


def facts_of(latents: Latents | None, stored: Mapping[str, float], divergence: Array | None, *, posterior: bool = False) -> Facts:
    """Gather what is known of a restart; `latents` None for those that are streamed, `posterior` whether variances are known."""
    if latents is None:
        return Facts(stored, None, divergence, None, 0, posterior or divergence is not None)
    variance = latents.mean.astype(np.float64).var(axis=0)
    if latents.log_var is None:
        return Facts(stored, variance, divergence, None, 0, posterior=divergence is not None)
    chosen = np.argsort(latents.sample_id, kind="stable")[:: max(1, math.ceil(len(latents.mean) / INFORMATION_ROWS))]
    rng = np.random.default_rng(0)
    information = mutual_information(latents.mean[chosen], latents.log_var[chosen], rng=rng)
    return Facts(stored, variance, divergence, information, len(chosen), posterior=True)


def collapse_scores(run: str, facts: Sequence[Facts]) -> list[CollapseScore]:
    """Means over the restarts of a run of what all of them have."""
    found: dict[str, tuple[list[float], str]] = {}
    for one in COLLAPSE:
        if one.stored is not None and all(math.isfinite(restart.stored.get(one.stored, math.nan)) for restart in facts):
            found[one.name] = [restart.stored[one.stored] for restart in facts], _note(one.name, facts)
    known = [restart.variance for restart in facts if restart.posterior and restart.variance is not None]
    if len(known) == len(facts):
        units = [float(active(variance).mean()) for variance in known]  # by the variance alone, as they are defined
        found[ACTIVE_UNITS.name] = units, f"fraction of {counted(len(known[0]), 'dimension')}"
    information = [restart.information for restart in facts if restart.information is not None]
    if len(information) == len(facts):
        found[MUTUAL_INFORMATION.name] = information, f"at most log n = {math.log(facts[0].rows):.2f}"
    return [_score(run, one.name, *found[one.name]) for one in COLLAPSE if one.name in found]


def _score(run: str, name: str, values: Sequence[float], note: str) -> CollapseScore:
    one = measure(name)
    bounded = np.maximum(values, one.low)  # what is estimated by Monte Carlo may fall below by its error
    estimate = jackknife.over_restarts(bounded, scale=one.scale)
    low, high = limits(estimate) if len(values) > 2 else (None, None)  # as for scores of pairs
    return CollapseScore(run, name, estimate.mean, estimate.sd, low, high, len(values), note)


def _note(name: str, facts: Sequence[Facts]) -> str:
    """How a score was found, as far as the records of the restarts say; empty where they do not."""
    stored = facts[0].stored
    if name == LOG_LIKELIHOOD.name:
        samples, rows = _count(stored, "log_likelihood_samples"), _count(stored, "log_likelihood_rows")
        if samples is None or rows is None:
            return ""
        return f"{'exact' if samples == 0 else f'K = {samples}'}, {counted(rows, 'row')}"
    if name in {WORD_LOG_LIKELIHOOD.name, PERPLEXITY.name}:
        words = _count(stored, "log_likelihood_words")
        return "" if words is None else counted(words, "symbol")
    if name == PRIOR_RANK.name:
        full, conditions = _count(stored, "prior_full_rank"), [restart.stored.get("prior_condition") for restart in facts]
        known = [condition for condition in conditions if condition is not None]
        of = "" if full is None else f"of {full}"
        return f"{of}, condition {min(known):.3g} to {max(known):.3g}" if of and len(known) == len(facts) else of
    clusters = _count(stored, "clusters") if "cluster" in name else None
    return "" if clusters is None else f"of {clusters}"


def _count(stored: Mapping[str, float], name: str) -> int | None:
    """A whole number in the record of a restart; None where there is none."""
    value = stored.get(name, math.nan)
    return int(value) if math.isfinite(value) else None


def dimension_records(run: str, labels: Sequence[str], facts: Sequence[Facts]) -> list[DimensionRecord]:
    """Variance and divergence of every dimension of every restart, which are called by their labels."""
    return [
        DimensionRecord(
            run=run,
            restart=label,
            dimension=k,
            variance=float(variance),
            active=None if restart.active is None else bool(restart.active[k]),
            kl=None if restart.divergence is None else float(restart.divergence[k]),
        )
        for label, restart in zip(labels, facts, strict=True)
        if restart.variance is not None
        for k, variance in enumerate(restart.variance)
    ]


def collapse_warnings(run: str, labels: Sequence[str], facts: Sequence[Facts]) -> list[str]:
    """Dimensions that are inactive, clusters that are dead, priors that cannot identify anything."""
    found = []
    called = list(zip(labels, facts, strict=True))
    inactive = {label: np.flatnonzero(~restart.active).tolist() for label, restart in called if restart.active is not None}
    named = [
        f"{label} {_some(f'z{k}' for k in dimensions)} ({len(dimensions)})"
        for label, dimensions in inactive.items()
        if dimensions
    ]
    if named:
        found.append(
            f"{run}: inactive dimensions, which carry no information about x, yet count in every mean: {_some(named, '; ')}"
        )
    dead = [
        f"{label} {count} of {_count(restart.stored, 'clusters') or 'all'}"
        for label, restart in called
        if (count := _count(restart.stored, "dead_clusters"))
    ]
    if dead:
        found.append(f"{run}: dead clusters, which no evaluation row belongs to: {_some(dead)}")
    short = [
        f"{label} {rank} of {full}"
        for label, restart in called
        if (rank := _count(restart.stored, PRIOR_RANK.name)) is not None
        and (full := _count(restart.stored, "prior_full_rank")) is not None
        and rank < full
    ]
    if short:
        found.append(f"{run}: the rank of the prior's matrix L is too small for identifiability: {_some(short)}")
    return found


def _some(items: Iterable[str], between: str = ", ") -> str:
    every = list(items)
    return between.join(every[:_NAMED]) + (f" and {len(every) - _NAMED} more" if len(every) > _NAMED else "")
