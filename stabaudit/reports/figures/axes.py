"""Axes with round numbers."""

import math

from stabaudit.metrics.scores import measure
from stabaudit.reports.figures.elements import Array, Axis

_UNIT_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def unit_axis(label: str, lowest: float = 0.0) -> Axis:
    """An axis for scores in [0, 1], longer where some lie below 0.

    >>> unit_axis("MCC").ticks[1]
    (0.2, '0.2')
    """
    low = 0.0 if lowest >= 0 else max(-1.0, math.floor(lowest * 5) / 5)
    below = [] if lowest >= 0 else [low]
    return Axis(label, low, 1.0, tuple((tick, f"{tick:g}") for tick in (*below, *_UNIT_TICKS)))


def score_axis(metric: str, values: Array, lowest: float = 0.0) -> Axis:
    """An axis for a score: up to 1 where nothing is better than that, else around its values."""
    one = measure(metric)
    if one.high == 1.0 and one.higher_is_better:
        return unit_axis(one.label, lowest)
    return fitted_axis(one.label, values)


def fitted_axis(label: str, values: Array, count: int = 5) -> Axis:
    """An axis around some values, finite and at least one, with about `count` marks at 1, 2 or 5 times a power of ten.

    >>> import numpy as np
    >>> [text for _, text in fitted_axis("x", np.array([0.0, 97.0])).ticks]
    ['0', '20', '40', '60', '80', '100']
    """
    low, high = float(values.min()), float(values.max())
    spread = high - low or abs(high) or 1.0
    room = 0.04 * spread if high > low else 0.5 * spread
    low, high = low - room, high + room
    step = _round_step((high - low) / count)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    ticks = tuple((number * step, f"{number * step:.{digits}f}") for number in range(first, last + 1))
    return Axis(label, low, high, ticks)


def margin_beside(axis: Axis) -> int:
    """Pixels left of a plot that the marks of its y-axis and its name need."""
    return 24 + 6 * max(len(text) for _, text in axis.ticks)


def counting_axis(label: str, last: int) -> Axis:
    """An axis for 1, 2, …, last."""
    if last <= 6:
        numbers = list(range(1, last + 1))
    else:
        raw = last / 5
        power = 10 ** math.floor(math.log10(raw))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
        numbers = [1, *range(step, last + 1, step)]
    return Axis(
        label, min(1, last - 1) if last == 1 else 1, max(last, 2) if last == 1 else last, tuple((n, str(n)) for n in numbers)
    )


def named_axis(names: list[str]) -> Axis:
    """An axis for things with names, at 0, 1, … from the top down."""
    return Axis("", len(names) - 0.5, -0.5, tuple((position, name) for position, name in enumerate(names)))


def _round_step(about: float) -> float:
    """1, 2 or 5 times a power of ten, whichever is nearest."""
    power = 10.0 ** math.floor(math.log10(about))
    return min((factor * power for factor in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / about)))
