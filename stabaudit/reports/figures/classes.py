"""Colours of classes: of the palette while it lasts, otherwise steps of the ramp in the order of the labels."""

from collections.abc import Mapping, Sequence

import numpy as np

from stabaudit.reports.figures import colors
from stabaudit.reports.figures.elements import RAMP_SERIES, Array, Key, Points


def class_series(labels: Sequence[Array]) -> dict[str, int]:
    """Series by label, of all labels that some arrays hold.

    >>> class_series([np.array(["b", "a"]), np.array(["c"])])
    {'a': 0, 'b': 1, 'c': 2}
    """
    known = np.unique(np.concatenate(labels)) if labels else np.empty(0)
    if len(known) <= colors.SERIES:
        return {str(label): series for series, label in enumerate(known.tolist())}
    last = len(colors.RAMP) - 1
    return {str(label): RAMP_SERIES + place * last // (len(known) - 1) for place, label in enumerate(known.tolist())}


def class_legend(classes: Mapping[str, int]) -> tuple[Key, ...]:
    """A line for each class that has a colour of the palette."""
    return tuple(Key(name, series, "point") for name, series in classes.items() if series < RAMP_SERIES)


def class_ramp(classes: Mapping[str, int]) -> tuple[str, str, str] | None:
    """What the ramp stands for, where it is used."""
    return ("label", next(iter(classes)), list(classes)[-1]) if len(classes) > colors.SERIES else None


def class_points(x: Array, y: Array, label: Array, classes: Mapping[str, int]) -> list[Points]:
    """Points of shape (m,) in the colours of their classes."""
    series = np.array([classes[str(one)] for one in label.tolist()])
    return [Points(x[series == one], y[series == one], one, 1.5) for one in np.unique(series).tolist()]
