"""What is to be compared: runs (`runs/vade`), single restarts (`runs/vade#3`) and latents files, read and their rows joined.

Latents that would take too much memory are not read here but opened, to be streamed (see `streaming`).
"""

import re
import shlex
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from stabaudit.comparison.reading.join_rows import Group, Unjoined, join
from stabaudit.comparison.reading.learned_priors import read_priors
from stabaudit.comparison.reading.own_clusters import Classes, classes_in, column_clusters, run_clusters
from stabaudit.comparison.reading.sizes import is_folder_of_latents, is_one_file, numbers_in, numbers_of_restart
from stabaudit.comparison.reading.stored_geometry import read_geometry
from stabaudit.comparison.reading.streaming import Opened
from stabaudit.comparison.reading.true_sources import read_sources, require_in_memory, run_sources, with_sources
from stabaudit.comparison.records import RunSummary
from stabaudit.comparison.scoring.collapse import Facts, facts_of
from stabaudit.defaults import MEMORY
from stabaudit.errors import BadData, Guessed, Noticed, UsageError, counted, strictly
from stabaudit.metrics.density_distance import MOST_DIMENSIONS
from stabaudit.steps import steps
from stabaudit.store.files.atomic import shown
from stabaudit.store.files.memory import at_most
from stabaudit.store.files.mirror import address_of
from stabaudit.store.files.natural_order import natural
from stabaudit.store.imports.foreign_files import AS_IS, Naming, kind, sparse_size, turned
from stabaudit.store.imports.import_run import latents_files
from stabaudit.store.imports.table_folder import is_parquet
from stabaudit.store.run.convergence import unfinished_training
from stabaudit.store.run.external_labels import External
from stabaudit.store.run.find import parse_selector
from stabaudit.store.run.latents import Latents, read_latents
from stabaudit.store.run.latents_stream import read_header, say_layout
from stabaudit.store.run.machines import mixed_machines
from stabaudit.store.run.manifest import Manifest
from stabaudit.store.run.run_folder import Run

Array = NDArray[Any]

_BYTES_PER_NUMBER = 8  # of latents in memory: float32, as read and as joined


def read_groups(
    selectors: Sequence[str], memory: int = MEMORY, naming: Naming = AS_IS, *, sources: Path | None = None
) -> tuple[Group, ...]:
    """Read what the selectors name and join all rows, or prepare to stream them.

    Args:
        selectors: run folders, restarts `run#3`, or latents files; each once.
        memory: bytes that latents may take; those that take more are streamed.
        naming: what rows and latents are called in latents files.
        sources: a file of true sources, rows named like those of the latents, for what has none of its own.

    Raises:
        BadRun: a folder that is no run, or a restart it does not hold.
        BadData: a file that cannot be read, different sample ids, ids missing without a fingerprint, or nothing to compare.
        UsageError: the same thing named twice.
    """
    for (path, restart), (other, other_restart) in combinations(map(parse_selector, selectors), 2):
        if path.resolve() == other.resolve() and (restart == other_restart or None in {restart, other_restart}):
            raise UsageError(f"{path} is given twice; a restart is not compared with itself")
    strict, one_model = naming.strict, naming.one_model
    naming = replace(naming, strict=False, one_model=False)
    streamed = sum(numbers_in(selector, naming) for selector in selectors) * _BYTES_PER_NUMBER > memory
    with strictly(strict), at_most(None if streamed else memory):
        several = "files read" if len(selectors) > 2 else ""  # else restarts are counted
        groups = [_read(selector, naming, streamed=streamed) for selector in steps(selectors, several)]
    if one_model and _are_of_one_model(groups):
        groups = [_as_said_one(groups)]
        selectors = [groups[0].summary.path]
    if sum(len(read.latents) for read in groups) < 2:
        raise BadData(f"{selectors[0]}: one restart, nothing to compare it with; give a second run or latents file")
    if sources is not None:
        require_in_memory(", ".join(selectors), streamed=streamed)
        with strictly(strict):
            groups = with_sources(groups, read_sources(sources, naming))
    names = [read.summary.name for read in groups]
    if len(set(names)) < len(names):  # two folders of one name: call them by their paths
        names = list(selectors)
    named = [read.named(name) for read, name in zip(groups, names, strict=True)]
    return join(named, by_position=naming.ids_by_position)


def _read(selector: str, naming: Naming, *, streamed: bool) -> Unjoined:
    path, restart = parse_selector(selector)
    if is_one_file(path, naming):
        return _read_file(path, naming, streamed=streamed)
    if restart is None and is_folder_of_latents(path, naming):
        return _read_folder(path, naming, streamed=streamed)
    with at_most(None):  # how much a run takes is known from its headers
        read = _read_run(Run.open(path), restart, streamed=streamed)
    if naming.cluster_column is not None and (read.clusters is None or read.clusters.by != "column"):
        raise UsageError(
            f"--cluster-column {naming.cluster_column}: {shown(path)} is a run, whose latents hold no clusters; make it with "
            "'stabaudit import … --cluster-column', or give --clusters K"
        )
    return read


def _read_folder(path: Path, naming: Naming, *, streamed: bool) -> Unjoined:
    """The files of latents in a folder as the restarts of one model."""
    files = latents_files([path], naming.folder)
    said = f"its {len(files)} {'folders' if files[0].is_dir() else 'files'} are taken for restarts of one model"
    matched = " --ids-by-position" if naming.ids_by_position else ""
    instead = f"write 'stabaudit import {shlex.quote(str(path))} --out RUN{matched}' first"
    if naming.folder is None:
        warnings.warn(Guessed(shown(path), said, instead), stacklevel=4)
    read = [_read_file(file, naming, streamed=streamed) for file in steps(files, "files read")]
    first = read[0].summary
    for file, one in zip(files, read, strict=True):
        hint = turned((one.summary.rows, one.summary.latent_dim), (first.rows, first.latent_dim))
        if (one.summary.latent_dim, one.summary.grid) != (first.latent_dim, first.grid):
            raise BadData(
                f"{shown(file)} has {counted(one.summary.latent_dim, 'dimension')}, {shown(files[0])} {first.latent_dim}"
                f"{hint or '; restarts of one model have the same'}"
            )
    return _as_one(read, path.resolve().name, path)


def _as_one(files: Sequence[Unjoined], name: str, path: Path) -> Unjoined:
    """Files of latents as the restarts of one model."""
    summary = replace(files[0].summary, name=name, path=str(path), restarts=len(files), trained=len(files))
    latents = tuple(opened for one in files for opened in one.latents)
    facts = tuple(facts for one in files for facts in one.facts)
    classes = next((one.classes for one in files if one.classes is not None), None)
    return Unjoined(summary, tuple(range(len(files))), latents, None, facts, clusters=column_clusters(latents), classes=classes)


_ENOUGH = 3  # restarts: two make one pair, whether of one model or of two


def _are_of_one_model(groups: Sequence[Unjoined]) -> bool:
    """Whether these are files of as many dimensions whose names differ in numbers alone."""
    paths = {re.sub(r"\d+", "#", one.summary.path) for one in groups}
    shapes = {(one.summary.latent_dim, one.summary.grid) for one in groups}
    return len(groups) >= _ENOUGH and len(paths) == len(shapes) == 1 and not any(one.restarts for one in groups)


def _as_said_one(groups: Sequence[Unjoined]) -> Unjoined:
    """Files whose names say that they are restarts of one model, in the order of their numbers, as such; which is said."""
    files = sorted(groups, key=lambda one: natural(one.summary.path))
    first, last = (Path(one.summary.path) for one in (files[0], files[-1]))
    said = f"{first.name} to {last.name} are taken for {len(files)} restarts of one model (--strict: for one model each)"
    warnings.warn(Noticed(shown(first.parent), f"{said}; 'stabaudit import' makes them a run"), stacklevel=3)
    return _as_one(files, re.sub(r"\W*\d.*", "", first.stem) or first.parent.resolve().name, first.parent)


def _read_file(path: Path, naming: Naming, *, streamed: bool) -> Unjoined:
    if streamed and not (is_parquet(path) if path.is_dir() else kind(path) == ".parquet"):
        made_dense = ", made dense," if kind(path) == ".npz" and sparse_size(path) is not None else ""
        raise BadData(
            f"{shown(path)}: these latents{made_dense} exceed --memory, and only Parquet files with sample ids can be streamed; "
            "'stabaudit import' it or raise that"
        )
    if streamed:
        say_layout(path, naming)
        found = Opened.latents_file(path, read_header(path, naming), naming)
    else:
        found = Opened.in_memory(_latents(path, naming))
    latents, facts = _with_facts(found, {}, None)
    grid = latents.metadata.grid
    summary = RunSummary(
        name=path.stem or path.resolve().name,
        path=str(path),
        family=None,
        architecture=None,
        dataset=None,
        fingerprint=latents.metadata.fingerprint,
        precision=None,
        latent_dim=grid[2] if grid else latents.dimensions,
        sources=None,
        rows=latents.rows,
        restarts=1,
        trained=1,
        lost=(),
        grid=grid,
    )
    clusters, classes = column_clusters([latents]), classes_in(found.read)
    return Unjoined(summary, (), (latents,), None, (facts,), clusters=clusters, classes=classes)


def _latents(path: Path, naming: Naming) -> Latents:
    """Latents of a file; what Parquet takes was counted before, other files are held against --memory by their headers."""
    with at_most(None) if path.is_dir() or kind(path) == ".parquet" else nullcontext():
        return read_latents(path, naming)


def _read_run(run: Run, restart: int | None, *, streamed: bool) -> Unjoined:
    manifest = run.manifest
    chosen = tuple(run.trained(restart))
    sources = run_sources(run, streamed=streamed) if manifest.grid is None else None  # positions are not scored against sources
    latents, facts, classes = zip(
        *(_restart(run, index, streamed=streamed, whole=sources is not None) for index in steps(chosen, "restarts read")),
        strict=True,
    )
    config, labels = manifest.config, manifest.external or External()
    summary = RunSummary(
        name=run.name if restart is None else f"{run.name}#{restart}",
        path=address_of(run.folder),
        family=config.family.name if config else labels.family,
        architecture=config.architecture.name if config else labels.architecture,
        dataset=manifest.dataset.name,
        fingerprint=manifest.dataset.fingerprint,
        precision=config.precision if config else None,
        latent_dim=manifest.grid[2] if manifest.grid else latents[0].dimensions,
        sources=None if sources is None else sources.dimensions,
        rows=latents[0].rows,
        restarts=len(chosen),
        trained=len(manifest.restarts) if restart is None else 1,
        lost=() if restart is not None else lost_restarts(run),
        unfinished=unfinished_training(run) if restart is None else None,
        machines=mixed_machines(manifest) if restart is None else None,
        grid=manifest.grid,
        changes=_changes(manifest) if restart is None else (),
        source_names=() if sources is None else tuple(manifest.dataset.source_names),
    )
    priors = read_priors(run, chosen) if summary.latent_dim <= MOST_DIMENSIONS else ()
    clusters, geometry = run_clusters(run, chosen, latents), read_geometry(run, chosen)
    return Unjoined(summary, chosen, latents, sources, facts, priors, clusters, classes[0], geometry)


def _changes(manifest: Manifest) -> tuple[str, ...]:
    """What was changed while a run was trained: "vae.py was changed after restarts 0, 1, 2"."""
    return tuple(f"{'; '.join(change.what)} after restarts {', '.join(map(str, change.restarts))}" for change in manifest.changes)


def _restart(run: Run, index: int, *, streamed: bool, whole: bool) -> tuple[Opened, Facts, Classes | None]:
    """A restart, what is known of its collapse, and the classes of its rows."""
    path = run.latents_path(index)
    found = Opened.latents_file(path, run.latents_header(index)) if streamed else Opened.in_memory(run.latents(index))
    return *_with_facts(found, run.restart(index).scores, run.divergence(index), whole=whole), classes_in(found.read)


def _with_facts(
    opened: Opened, stored: Mapping[str, float], divergence: Mapping[str, Array] | None, *, whole: bool = False
) -> tuple[Opened, Facts]:
    """Latents without what no score of pairs asks for, unless `whole`; and what is known of their collapse."""
    kl = None if divergence is None else divergence["kl"]
    facts = facts_of(opened.read, stored, kl, posterior=opened.posterior)
    if opened.read is None or whole:
        return opened, facts
    return Opened.in_memory(replace(opened.read, log_var=None, label=None)), facts


def read_run(run: Run, *, name: str, memory: int = MEMORY, sources: Opened | None = None) -> Group:
    """All restarts of one run that are done, under the name given; streamed where they would take more than `memory` bytes.

    Args:
        run: its folder.
        name: what it is called.
        memory: bytes that latents may take.
        sources: true sources, for a run that has none of its own.

    Raises:
        BadRun: where none is done.
        BadData: a file that cannot be read, or different sample ids.
        UsageError: sources for latents that are streamed.
    """
    streamed = sum(numbers_of_restart(run, index) for index in run.done) * _BYTES_PER_NUMBER > memory
    read = [_read_run(run, None, streamed=streamed)]
    if sources is not None:
        require_in_memory(name, streamed=streamed)
        read = with_sources(read, sources)
    (group,) = join([read[0].named(name)])
    return group


def lost_restarts(run: Run) -> tuple[str, ...]:
    """What became of the restarts that are not done: "restart 3 diverged (loss is NaN at step 120)"."""
    return tuple(
        f"restart {restart.index} {'is not trained yet' if restart.state == 'pending' else restart.state}"
        + (f" ({restart.detail})" if restart.detail else "")
        for restart in run.manifest.restarts
        if restart.state != "done"
    )
