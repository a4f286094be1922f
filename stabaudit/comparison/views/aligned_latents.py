"""Two dimensions of every restart of a run, side by side, aligned to one reference (Kivva et al. 2022, Fig. 2).

The alignment is estimated on *fit*; the rows shown are of *score*. The reference is the true sources where the run has them and
as many dimensions (Khemakhem et al. 2020, Fig. 1), otherwise the first restart.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stabaudit.comparison.reading.join_rows import rows_of
from stabaudit.errors import UsageError, strictly
from stabaudit.metrics.alignment import By, alignment_floor
from stabaudit.metrics.alignment import align as align_to
from stabaudit.metrics.floors import DRAWS, Draws
from stabaudit.metrics.split import split_halves
from stabaudit.store.imports.foreign_files import AS_IS, Naming
from stabaudit.store.imports.import_run import holds_a_table
from stabaudit.store.run.find import parse_selector
from stabaudit.store.run.latents import Latents, read_latents
from stabaudit.store.run.layout import MANIFEST
from stabaudit.store.run.run_folder import Run

Array = NDArray[Any]
Align = Literal["none"] | By


SHOWN_ROWS = 1500  # of *score*, evenly over the sorted ids


@dataclass(frozen=True)
class Plane:
    """Two dimensions of one restart.

    Args:
        name: "vade#3", or "true sources".
        points: shape (rows, 2), aligned.
        r2: of the alignment on *score*, dimensions of equal weight, in (−∞, 1]; None for the reference and without an alignment.
        floor: the independence floor of r2, None where it is.
    """

    name: str
    points: Array
    r2: float | None
    floor: float | None


@dataclass(frozen=True)
class Planes:
    """Every restart of a run, or of a file.

    Args:
        run: its name.
        align: how the others were aligned.
        reference: what to: "true sources" or the first restart.
        dimensions: which two are shown, numbers of the reference's.
        planes: the reference first.
        label: class of each row that is shown, shape (rows,), or None.
    """

    run: str
    align: Align
    reference: str
    dimensions: tuple[int, int]
    planes: tuple[Plane, ...]
    label: Array | None


def read_planes(
    selector: str,
    align: Align = "affine",
    dimensions: tuple[int, int] = (0, 1),
    naming: Naming = AS_IS,
    draws: Draws = DRAWS,
) -> Planes:
    """Read a run, one restart of it or a file of latents, and align its restarts.

    Args:
        selector: of the run, the restart or the file.
        align: how restarts are aligned.
        dimensions: the two that are shown.
        naming: what rows and latents are called in a file.
        draws: of the floors.

    Raises:
        UsageError: two dimensions that the latents have not, or twice the same.
        BadRun: no run, or none of its restarts trained.
        BadData: a damaged file, or restarts of different rows.
    """
    path, restart = parse_selector(selector)
    if path.is_file() or (not (path / MANIFEST).is_file() and holds_a_table(path, naming.folder)):
        with strictly(naming.strict):
            latents = read_latents(path, naming)
        return _planes(path.stem, {path.stem: latents}, None, align, dimensions, draws=draws)
    run = Run.open(path)
    name = run.name
    found = {f"{name}#{index}": run.latents(index) for index in run.trained(restart)}
    evaluation = run.evaluation()
    sources = None
    if evaluation is not None and evaluation.sources is not None:
        first = next(iter(found.values()))
        ids, there = np.sort(first.sample_id), f"{name}: its evaluation rows"
        sources = evaluation.sources[rows_of(ids, name, evaluation.sample_id, there)]
    return _planes(name, found, sources, align, dimensions, draws=draws)


def _planes(
    name: str, found: dict[str, Latents], sources: Array | None, align: Align, dimensions: tuple[int, int], *, draws: Draws
) -> Planes:
    """Align what was read; the true sources in ascending order of ids."""
    first_name, first = next(iter(found.items()))
    ids = np.sort(first.sample_id)
    label = None if first.label is None else first.label[np.argsort(first.sample_id, kind="stable")]
    d = first.mean.shape[1]
    if len(set(dimensions)) < 2 or not all(0 <= k < d for k in dimensions):
        raise UsageError(f"{name} has dimensions 0 to {d - 1}; --dims wants two of them, such as 0,1")
    rows = {called: z.mean[rows_of(ids, first_name, z.sample_id, called)] for called, z in found.items()}
    target_name, target = first_name, rows[first_name]
    if sources is not None and sources.shape[1] == d:
        target_name, target = "true sources", sources
    fit = split_halves(ids)
    on_score = np.flatnonzero(~fit)
    seen = on_score[np.unique(np.linspace(0, len(on_score) - 1, SHOWN_ROWS).astype(int))]
    planes = [Plane(target_name, target[np.ix_(seen, dimensions)], None, None)]
    for place, (called, z) in enumerate(rows.items()):
        if called == target_name:
            continue
        if align == "none":
            planes.append(Plane(called, z[np.ix_(seen, dimensions)], None, None))
            continue
        own = align_to(z, target, fit, align)
        floor = alignment_floor(z, target, fit, align, draws.at(place)).r2
        planes.append(Plane(called, own(z)[np.ix_(seen, dimensions)], own.r2, floor))
    return Planes(name, align, target_name, dimensions, tuple(planes), None if label is None else label[seen])
