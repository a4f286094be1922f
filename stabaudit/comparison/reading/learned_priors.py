"""Learned mixture priors of the restarts of a run, as they were stored with it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabaudit.errors import BadData
from stabaudit.metrics.clusters import most_probable_of_independent
from stabaudit.metrics.mixtures import GaussianMixture
from stabaudit.store.files.atomic import shown
from stabaudit.store.run import layout
from stabaudit.store.run.find import parse_selector
from stabaudit.store.run.run_folder import Run

Array = NDArray[Any]


def read_priors(run: Run, restarts: Sequence[int]) -> tuple[GaussianMixture, ...]:
    """The prior of each of some restarts; none at all unless all of them have one.

    Raises:
        BadData: a file that is damaged or holds no mixture.
    """
    found = [(index, columns) for index in restarts if (columns := run.prior(index)) is not None]
    if len(found) < len(restarts):
        return ()
    return tuple(_mixture(columns, shown(run.folder / layout.prior(index))) for index, columns in found)


def prior_clusters(run: Run, restarts: Sequence[int], latents: Sequence[Array]) -> tuple[Array, ...]:
    """The component of its learned prior that each row of each restart comes from most probably, shape (n,) each.

    Args:
        run: the run.
        restarts: some of its restarts.
        latents: their means, shape (n, d) each.

    Returns:
        Nothing at all unless all of them have a prior over these dimensions.

    Raises:
        BadData: a file that is damaged or holds no mixture.
    """
    found = []
    for index, z in zip(restarts, latents, strict=True):
        columns = run.prior(index)
        if columns is None:
            return ()
        weight, mean, log_var = _parameters(columns, shown(run.folder / layout.prior(index)))
        if mean.shape[1] != z.shape[1]:
            return ()
        found.append(most_probable_of_independent(z, weight, mean, log_var))
    return tuple(found)


def priors_of(selector: str, name: str) -> dict[str, GaussianMixture]:
    """The prior of each restart of what a selector names, by the restart, "vade#3"; empty unless all have one.

    Args:
        selector: a run folder or anything else, which has none.
        name: of the run.

    Raises:
        BadRun: a damaged run.
        BadData: a file that is damaged or holds no mixture.
    """
    path, _ = parse_selector(selector)
    if not (path / layout.MANIFEST).is_file():
        return {}
    run = Run.open(path)
    return {f"{name}#{index}": prior for index, prior in zip(run.done, read_priors(run, run.done), strict=False)}


def _mixture(columns: Mapping[str, Array], where: str) -> GaussianMixture:
    try:
        return GaussianMixture.diagonal(*_parameters(columns, where))
    except BadData as error:
        raise BadData(f"{where}: {error}") from error


def _parameters(columns: Mapping[str, Array], where: str) -> tuple[Array, Array, Array]:
    """Weights, means and log-variances of columns `weight`, `mean0`, `mean1`, …, `log_var0`, …, a row per component."""
    d = sum(name.startswith("mean") for name in columns)
    expected = {"weight", *(f"{name}{k}" for name in ("mean", "log_var") for k in range(d))}
    if not d or set(columns) != expected:
        raise BadData(f"{where} has columns {', '.join(columns)}, expected weight, mean0…, log_var0…; train the restart again")
    mean, log_var = (np.column_stack([columns[f"{name}{k}"] for k in range(d)]) for name in ("mean", "log_var"))
    return columns["weight"], mean, log_var
