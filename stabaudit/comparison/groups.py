"""What is to be compared, read and joined: runs (`runs/vade`), single restarts (`runs/vade#3`) and latents files.

Rows are joined on `sample_id`, never by position alone. Where a file names no rows they are matched by position, but only if both
files say that they hold the same dataset (its fingerprint).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.comparison.records import RunSummary
from stabaudit.errors import BadData, BadRun, UsageError
from stabaudit.store.files import shown
from stabaudit.store.find import parse_selector
from stabaudit.store.latents import Latents, read_latents
from stabaudit.store.run import Run

Array = NDArray[Any]


@dataclass(frozen=True)
class Group:
    """Restarts of one run, or one file of latents, that are compared with each other and with other groups.

    Args:
        summary: what it is.
        labels: what each of its latents is called in messages: "vade#3".
        latents: encoder means, shape (n, d) each, rows in one order for all groups compared together.
        sample_id: names of the rows, shape (n,).
        sources: true sources of the same rows, shape (n, d_s), or None.
    """

    summary: RunSummary
    labels: tuple[str, ...]
    latents: tuple[Array, ...]
    sample_id: Array
    sources: Array | None


def read_groups(selectors: Sequence[str]) -> tuple[Group, ...]:
    """Read what the selectors name and join all rows.

    Args:
        selectors: run folders, restarts `run#3`, or latents files; each once.

    Raises:
        BadRun: a folder that is no run, or a restart it does not hold.
        BadData: a file that cannot be read, different sample ids, ids missing without a fingerprint, or nothing to compare.
        UsageError: the same thing named twice.
    """
    for (path, restart), (other, other_restart) in combinations(map(parse_selector, selectors), 2):
        if path.resolve() == other.resolve() and (restart == other_restart or None in {restart, other_restart}):
            raise UsageError(f"{path} is given twice; a restart is not compared with itself")
    groups = [_read(selector) for selector in selectors]
    if sum(len(read.latents) for read in groups) < 2:
        raise BadData(f"{selectors[0]}: one restart, nothing to compare it with; give a second run or latents file")
    names = [read.summary.name for read in groups]
    if len(set(names)) < len(names):  # two folders of one name: call them by their paths
        names = list(selectors)
    return _joined([read.named(name) for read, name in zip(groups, names, strict=True)])


@dataclass(frozen=True)
class _Unjoined:
    summary: RunSummary
    restarts: tuple[int, ...]  # empty for a file
    latents: tuple[Latents, ...]
    sources: tuple[Array, Array] | None  # sample ids and true sources

    def named(self, name: str) -> "_Unjoined":
        return replace(self, summary=replace(self.summary, name=name))

    @property
    def labels(self) -> tuple[str, ...]:
        name = self.summary.name.partition("#")[0]
        return tuple(f"{name}#{restart}" for restart in self.restarts) or (self.summary.name,)


def _read(selector: str) -> _Unjoined:
    path, restart = parse_selector(selector)
    return _read_file(path) if path.is_file() else _read_run(Run.open(path), restart)


def _read_file(path: Path) -> _Unjoined:
    latents = read_latents(path)
    n, d = latents.mean.shape
    summary = RunSummary(
        name=path.stem,
        path=str(path),
        family=None,
        architecture=None,
        dataset=None,
        fingerprint=latents.metadata.fingerprint,
        precision=None,
        latent_dim=d,
        rows=n,
        restarts=1,
        trained=1,
        lost=(),
    )
    return _Unjoined(summary, (), (latents,), None)


def _read_run(run: Run, restart: int | None) -> _Unjoined:
    manifest, where = run.manifest, shown(run.folder)
    chosen = tuple(run.done) if restart is None else (restart,)
    if not chosen:
        raise BadRun(f"{where}: none of its {len(manifest.restarts)} restarts is trained; run its train command again")
    latents = tuple(run.latents(index) for index in chosen)
    evaluation = run.evaluation()
    config = manifest.config
    summary = RunSummary(
        name=manifest.name if restart is None else f"{manifest.name}#{restart}",
        path=str(run.folder),
        family=config.family.name if config else None,
        architecture=config.architecture.name if config else None,
        dataset=manifest.dataset.name,
        fingerprint=manifest.dataset.fingerprint,
        precision=config.precision if config else None,
        latent_dim=latents[0].mean.shape[1],
        rows=len(latents[0].mean),
        restarts=len(chosen),
        trained=len(manifest.restarts) if restart is None else 1,
        lost=() if restart is not None else lost_restarts(run),
    )
    sources = None
    if evaluation is not None and evaluation.sources is not None:
        sources = (evaluation.sample_id, evaluation.sources)
    return _Unjoined(summary, chosen, latents, sources)


def read_run(run: Run, *, name: str) -> Group:
    """All restarts of one run that are done, under the name given.

    Raises:
        BadRun: where none is done.
        BadData: a file that cannot be read, or different sample ids.
    """
    (group,) = _joined([_read_run(run, None).named(name)])
    return group


def lost_restarts(run: Run) -> tuple[str, ...]:
    """What became of the restarts that are not done: "restart 3 diverged (loss is NaN at step 120)"."""
    return tuple(
        f"restart {restart.index} {'is not trained yet' if restart.state == 'pending' else restart.state}"
        + (f" ({restart.detail})" if restart.detail else "")
        for restart in run.manifest.restarts
        if restart.state != "done"
    )


def _joined(groups: Sequence[_Unjoined]) -> tuple[Group, ...]:
    first, first_label = groups[0].latents[0], groups[0].labels[0]
    order = np.argsort(first.sample_id, kind="stable")
    ids = first.sample_id[order]
    joined = []
    for group in groups:
        rows = []
        for latents, label in zip(group.latents, group.labels, strict=True):
            if latents is not first:
                _require_matchable(first, first_label, latents, label)
            rows.append(latents.mean[_rows_of(ids, first_label, latents.sample_id, label)])
        sources = None
        if group.sources is not None:
            named, values = group.sources
            sources = values[_rows_of(ids, first_label, named, f"{group.summary.name}: its evaluation rows")]
        joined.append(Group(group.summary, group.labels, tuple(rows), ids, sources))
    return tuple(joined)


def _require_matchable(a: Latents, name_a: str, b: Latents, name_b: str) -> None:
    """Without ids, rows are matched by position only if both files say they hold the same dataset."""
    fingerprints = {a.metadata.fingerprint, b.metadata.fingerprint}
    if (a.ids_by_position or b.ids_by_position) and (len(fingerprints) > 1 or None in fingerprints):
        raise BadData(
            f"{name_b if b.ids_by_position else name_a} names no rows (sample_id), and nothing says that {name_a} and {name_b} "
            "hold the same rows in one order; add a sample_id column to both (.npz: an array 'sample_id' beside 'z')"
        )


def _rows_of(ids: Array, name: str, sample_id: Array, other: str) -> Array:
    """Where each id of `ids`, ascending, stands among `sample_id`.

    Raises:
        BadData: unless both hold the same ids.
    """
    if (ids.dtype.kind in "iu") != (sample_id.dtype.kind in "iu"):
        raise BadData(
            f"{name} and {other} name their rows differently: {ids[0]!r} and {sample_id[0]!r}; use one kind of sample_id"
        )
    order = np.argsort(sample_id, kind="stable")
    if np.array_equal(sample_id[order], ids):
        return order
    shared = len(np.intersect1d(ids, sample_id))
    raise BadData(
        f"{name} and {other} hold different samples: {shared} sample ids are in both, {len(ids) - shared} only in {name}, "
        f"{len(sample_id) - shared} only in {other}; compare latents of the same rows"
    )
