"""Bringing the rows of everything that is compared into one order.

Rows are joined on `sample_id`, never by position alone. Where a file names no rows they are matched by position, but only if both
files say that they hold the same dataset (its fingerprint).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.comparison.reading.own_clusters import Classes, OwnClusters
from stabaudit.comparison.reading.stored_geometry import Geometry
from stabaudit.comparison.reading.streaming import Opened, Stream
from stabaudit.comparison.records import RunSummary
from stabaudit.comparison.scoring.collapse import Facts
from stabaudit.errors import BadData, UsageError
from stabaudit.metrics.mixtures import GaussianMixture
from stabaudit.store.imports.foreign_files import turned
from stabaudit.store.imports.recognise import alike
from stabaudit.store.run.latents import Latents

Array = NDArray[Any]

_SAMPLES = 41  # seeds the noise of posterior samples


@dataclass(frozen=True)
class Group:
    """Restarts of one run, or one file of latents, that are compared with each other and with other groups.

    Args:
        summary: what it is.
        labels: what each of its latents is called in messages: "vade#3".
        seeds: what each was trained from; None for latents from elsewhere.
        latents: encoder means, shape (n, d) each, rows in one order for all groups compared together; empty where they are
            streamed.
        sample_id: names of the rows, shape (n,).
        sources: true sources of the same rows, shape (n, d_s), or None.
        facts: what is known of the collapse of each.
        priors: the mixture prior that each learned; empty where they have none, or of more dimensions than are compared.
        samples: where there are sources, one posterior sample of each row, shape (n, d) each; empty where they are not known.
        streams: where rows are too many for memory, of each latents and then of the true sources, if they are known.
        clusters: those that its restarts come with, rows in the order of the latents, or None.
        label: class of each row, integers or text, "" for none, shape (n,); None where no classes are known.
        geometry: distances between rows under the decoder of each; empty where they were not measured.
    """

    summary: RunSummary
    labels: tuple[str, ...]
    seeds: tuple[int | None, ...]
    latents: tuple[Array, ...]
    sample_id: Array
    sources: Array | None
    samples: tuple[Array, ...]
    facts: tuple[Facts, ...] = ()
    priors: tuple[GaussianMixture, ...] = ()
    streams: tuple[Stream, ...] = ()
    clusters: OwnClusters | None = None
    label: Array | None = None
    geometry: tuple[Geometry, ...] = ()

    @property
    def has_sources(self) -> bool:
        """Whether true sources are known, in memory or as the last stream."""
        return self.sources is not None or len(self.streams) > len(self.labels)


@dataclass(frozen=True)
class Unjoined:
    """What a selector names, each file with its rows in its own order.

    Args:
        summary, facts, priors, clusters, geometry: as of a `Group`, rows of each restart in its own order.
        restarts: the index of each; empty for a file of latents.
        latents: of each restart, all read or all to be streamed.
        sources: true sources of the evaluation rows, or None.
        classes: of the rows; None where none are known.
    """

    summary: RunSummary
    restarts: tuple[int, ...]
    latents: tuple[Opened, ...]
    sources: Opened | None
    facts: tuple[Facts, ...]
    priors: tuple[GaussianMixture, ...] = ()
    clusters: OwnClusters | None = None
    classes: Classes | None = None
    geometry: tuple[Geometry, ...] = ()

    def named(self, name: str) -> "Unjoined":
        """The same under another name."""
        return replace(self, summary=replace(self.summary, name=name))

    @property
    def labels(self) -> tuple[str, ...]:
        """What each of the latents is called in messages: "vade#3"."""
        name = self.summary.name.partition("#")[0]
        return tuple(f"{name}#{restart}" for restart in self.restarts) or (self.summary.name,)

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """What each was trained from; None for latents from elsewhere."""
        return tuple(latents.metadata.seed for latents in self.latents)


def join(groups: Sequence[Unjoined], *, by_position: bool = False) -> tuple[Group, ...]:
    """Put the rows of all groups into one order, that of ascending sample ids.

    Streams must hold theirs in one order already, which is seen when they are read.

    Args:
        groups: what was read.
        by_position: the user says that rows without ids correspond.

    Raises:
        BadData: a table that is another's transpose, different sample ids, ids missing without a fingerprint, or grid latents
            that would have to be streamed.
    """
    first, first_label = groups[0].latents[0], groups[0].labels[0]
    for group in groups:
        for latents, label in zip(group.latents, group.labels, strict=True):
            shape, expected = (latents.rows, latents.dimensions), (first.rows, first.dimensions)
            if hint := turned(shape, expected):
                raise BadData(f"{label} has shape {shape}, {first_label} {expected}{hint}")
            if latents is not first and not by_position:
                _require_matchable(first, first_label, latents, label)
    if first.stream is not None:
        return _in_step(groups, first.stream.ids())
    ids = np.sort(_read(first).sample_id, kind="stable")
    joined = []
    for group in groups:
        places = [
            rows_of(ids, first_label, latents.sample_id, label)
            for latents, label in zip(map(_read, group.latents), group.labels, strict=True)
        ]
        rows = tuple(latents.mean[place] for latents, place in zip(map(_read, group.latents), places, strict=True))
        clusters, classes = group.clusters, group.classes
        if clusters is not None:
            clusters = replace(clusters, of=tuple(of[place] for of, place in zip(clusters.of, places, strict=True)))
        of_rows: Array | None = None
        if classes is not None:
            of_rows = classes.label[rows_of(ids, first_label, classes.sample_id, f"the labels of {group.summary.name}")]
        sources: Array | None = None
        samples: tuple[Array, ...] = ()
        if group.sources is not None:
            truth = _read(group.sources)
            sources = truth.mean[rows_of(ids, first_label, truth.sample_id, f"the true sources of {group.summary.name}")]
            samples = _samples(group, ids, first_label)
        joined.append(
            Group(
                group.summary,
                group.labels,
                group.seeds,
                rows,
                ids,
                sources,
                samples,
                group.facts,
                group.priors,
                clusters=clusters,
                label=of_rows,
                geometry=group.geometry,
            )
        )
    return tuple(joined)


def _samples(group: Unjoined, ids: Array, first_label: str) -> tuple[Array, ...]:
    """One posterior sample of every row of every restart; none where a restart has no variances."""
    drawn = []
    for position, (latents, label) in enumerate(zip(map(_read, group.latents), group.labels, strict=True)):
        if latents.log_var is None:
            return ()
        rows = rows_of(ids, first_label, latents.sample_id, label)
        noise = np.random.default_rng([_SAMPLES, position]).standard_normal(latents.mean.shape, dtype=np.float32)
        drawn.append(latents.mean[rows] + np.exp(0.5 * latents.log_var[rows]) * noise)
    return tuple(drawn)


def _in_step(groups: Sequence[Unjoined], ids: Array) -> tuple[Group, ...]:
    """Groups to be streamed; that they hold these ids in this order is seen when their rows are.

    Raises:
        BadData: grid latents, whose positions are scored one by one.
    """
    for group in groups:
        if any(latents.metadata.grid is not None for latents in group.latents):
            raise BadData(f"{group.summary.name}: grid latents cannot be streamed, and these exceed --memory; raise it")
    return tuple(
        Group(
            group.summary,
            group.labels,
            group.seeds,
            (),
            ids,
            None,
            (),
            group.facts,
            group.priors,
            tuple(
                opened.stream for opened in (*group.latents, group.sources) if opened is not None and opened.stream is not None
            ),
            clusters=group.clusters,
            geometry=group.geometry,
        )
        for group in groups
    )


def _read(opened: Opened) -> Latents:
    """The rows of what is in memory, as all of a comparison is where one is."""
    if opened.read is None:
        raise UsageError("latents in memory and latents to be streamed cannot be joined")
    return opened.read


def _require_matchable(a: Opened, name_a: str, b: Opened, name_b: str) -> None:
    """Without ids, rows are matched by position only if both files say they hold the same dataset."""
    fingerprints = {a.metadata.fingerprint, b.metadata.fingerprint}
    if (a.ids_by_position or b.ids_by_position) and (len(fingerprints) > 1 or None in fingerprints):
        raise BadData(
            f"{name_b if b.ids_by_position else name_a} names no rows (sample_id), and nothing says that {name_a} and {name_b} "
            "hold the same rows in one order; add a sample_id column to both (.npz: an array 'sample_id' beside 'z'), say "
            "--ids-by-position of files, or import both by position with the same --dataset"
        )


def rows_of(ids: Array, name: str, sample_id: Array, other: str) -> Array:
    """Where each id of `ids`, ascending, stands among `sample_id`.

    Raises:
        BadData: unless both hold the same ids.
    """
    ids, sample_id = alike(ids, name, sample_id, other)
    order = np.argsort(sample_id, kind="stable")
    if np.array_equal(sample_id[order], np.sort(ids, kind="stable")):
        places = np.empty(len(ids), dtype=np.intp)
        places[np.argsort(ids, kind="stable")] = order  # text sorts otherwise than the numbers that it stands for
        return places
    shared = len(np.intersect1d(ids, sample_id))
    raise BadData(
        f"{name} and {other} hold different samples: {shared} sample ids are in both, {len(ids) - shared} only in {name}, "
        f"{len(sample_id) - shared} only in {other}; compare latents of the same rows"
    )
