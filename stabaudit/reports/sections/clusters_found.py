"""The clusters of a run's central restart, found again in its other restarts, as a table and in words."""

from collections.abc import Sequence

from stabaudit.comparison.cluster_records import ClusterChange, ClusteringRecord, ClusterRecord
from stabaudit.comparison.records import Comparison
from stabaudit.errors import counted
from stabaudit.metrics.cluster_agreement import SCORE
from stabaudit.metrics.cluster_recovery import CONTAINED, HIGHLY_STABLE, PART, PATTERN, STABLE, Reading, step
from stabaudit.reports.report import Section
from stabaudit.reports.wording import NONE, mean_with_interval, number

_NAMED = 3  # of clusters and restarts that a sentence names
_METHODS = {
    "k-means": "found by k-means",
    "gmm": "found by a Gaussian mixture",
    "prior": "of its learned prior",
    "column": "named in its file",
}
_READINGS: tuple[Reading, ...] = ("highly stable", "stable", "pattern", "unstable", "chance")


def found_section(comparison: Comparison, clustering: ClusteringRecord) -> Section:
    """A row for every cluster of the central restart, and what the others split or merge."""
    run = clustering.run
    clusters = [one for one in comparison.clusters if one.run == run]
    labelled = any(one.label is not None for one in clusters)
    rows = [
        [
            one.cluster,
            f"{one.rows:,}",
            *([_label(one)] if labelled else []),
            mean_with_interval(one.jaccard, one.jaccard_low, one.jaccard_high, 2),
            number(one.jaccard_floor, 2),
            number(one.adjusted, 2),
            f"{one.recovered} of {one.restarts}",
            _reading(one),
        ]
        for one in clusters
    ]
    header = ["cluster", "rows", *(["mostly"] if labelled else []), "Jaccard [95%]", "chance", "adj.", "recovered", "reading"]
    method = _METHODS[clustering.by]
    title = f"clusters of {clustering.central} in the other restarts of {run}: {len(clusters)} {method}, {clustering.rows:,} rows"
    changes = [one for one in comparison.cluster_changes if one.run == run]
    words = [*_agreement(comparison, clustering), *_readings(clusters), *_changes(changes, clustering)]
    return Section(title, header, rows, words)


def _label(one: ClusterRecord) -> str:
    return NONE if one.label is None or one.label_share is None else f"{one.label} ({one.label_share:.0%})"


def _agreement(comparison: Comparison, clustering: ClusteringRecord) -> list[str]:
    """How far two restarts agree on clusters, beside how far the method agrees with itself."""
    score = comparison.out_of_sample(clustering.run)[SCORE.name]
    mean = mean_with_interval(score.mean, score.ci_low, score.ci_high, 2)
    words = [f"Two restarts have the same clusters with an adjusted Rand index of {mean}: 1 the same, 0 as by chance."]
    if clustering.fewest < clustering.most:
        words.append(f"Restarts have {clustering.fewest} to {clustering.most} clusters.")
    if clustering.repeated is not None:
        again = mean_with_interval(clustering.repeated, clustering.repeated_low, clustering.repeated_high, 2)
        words.append(f"Every restart is clustered from a seed of its own; the same latents from another seed agree with {again}.")
        if clustering.repeated < STABLE:
            words.append("So the method hardly repeats itself here: another number of clusters may suit these latents better.")
    return words


def _reading(one: ClusterRecord) -> str:
    """The usual reading of a cluster; of both limits of its interval where they are read otherwise than its mean."""
    if one.reading is None:
        return NONE
    if one.reading == "chance" or one.jaccard_low is None or one.jaccard_high is None:
        return one.reading
    low, high = step(one.jaccard_low), step(one.jaccard_high)
    return low if low == high else f"{low} to {high}"


def _readings(clusters: Sequence[ClusterRecord]) -> list[str]:
    """How many clusters are reproducible, in the usual reading of their whole intervals."""
    read = [_reading(one) for one in clusters if one.reading is not None]
    counts = [(read.count(word), str(word)) for word in _READINGS]
    counts.append((sum(word not in _READINGS for word in read), "not settled, as intervals are read in two ways"))
    said = ", ".join(f"{count} {word}" for count, word in counts if count)
    steps = f"≥ {HIGHLY_STABLE} highly stable, ≥ {STABLE} stable, ≥ {PATTERN} a pattern without clear members, below unstable"
    words = [f"Of {counted(len(clusters), 'cluster')} {said} ({steps}; Hennig 2007)."] if said else []
    large = [one for one in clusters if one.reading is None]
    if large:
        words.append(
            f"{_some([one.cluster for one in large])}: shuffled rows reach {PATTERN}, as of a cluster that holds most rows; "
            "read adj. instead."
        )
    return words


def _changes(changes: Sequence[ClusterChange], clustering: ClusteringRecord) -> list[str]:
    """One sentence for each set of clusters that is split or merged, the most frequent first."""
    found: dict[tuple[str, tuple[str, ...]], list[ClusterChange]] = {}
    for one in changes:
        found.setdefault((one.kind, one.clusters), []).append(one)
    frequent = sorted(found.items(), key=lambda item: -len(item[1]))
    others = clustering.restarts - 1
    words = [_sentence(kind, clusters, several, others) for (kind, clusters), several in frequent[:_NAMED]]
    if len(found) > _NAMED:
        words.append(f"{len(found) - _NAMED} more are split or merged; --format json lists all.")
    if words:
        words.append(
            f"A part lies in the whole by {CONTAINED:g} of the way from chance to all, and holds {PART:g} of it; "
            f"parts together hold {CONTAINED:g} (our definition)."
        )
    return words


def _sentence(kind: str, clusters: tuple[str, ...], several: Sequence[ClusterChange], others: int) -> str:
    names = " and ".join(clusters)
    where = "; ".join(f"{one.restart} into {' and '.join(one.into)}" for one in several[:_NAMED])
    more = f" and {len(several) - _NAMED} more" if len(several) > _NAMED else ""
    what = f"Cluster {names} is split" if kind == "split" else f"Clusters {names} are merged"
    return f"{what} in {len(several)} of {counted(others, 'other restart')} ({where}{more})."


def _some(names: Sequence[str], most: int = _NAMED) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
