"""What a figure shows, described once and in the units of its data; `svg` and `canvas` draw the same description.

A page holds hundreds of panels, in light and dark, read aloud and printed. SVG written out by hand is ten times smaller than what
matplotlib writes, takes its colours from the page's style sheet and carries its text alternative, so it is what pages and `.svg`
files hold; matplotlib draws the same marks where pixels or PDF are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Dash = Literal["solid", "dashed", "dotted"]
Shape = Literal["disc", "square", "cross", "ring"]
INK = -1  # the colour of text, for what belongs to no series
FAINT = -2  # that of grid lines
PAPER = -3  # that of the page
RAMP_SERIES = 100  # series from here on are steps of the ramp: ordered classes
_COLUMNS, _LEAST_INCHES = 3, 2.4  # panels side by side at most; the width on paper below which a panel cannot be read


@dataclass(frozen=True)
class Axis:
    """One axis.

    Args:
        label: what it shows, with its unit.
        low, high: its ends.
        ticks: where it is marked, and how.
    """

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Line:
    """A line through points, shape (m,) each."""

    x: Array
    y: Array
    series: int
    dash: Dash = "solid"
    width: float = 1.8


@dataclass(frozen=True)
class Band:
    """What lies between two lines, shape (m,) each."""

    x: Array
    low: Array
    high: Array
    series: int


@dataclass(frozen=True)
class Points:
    """Points, shape (m,) each, of a radius in pixels."""

    x: Array
    y: Array
    series: int
    radius: float = 2.5
    shape: Shape = "disc"


@dataclass(frozen=True)
class Segments:
    """Straight lines from (x, y) to (x_end, y_end), shape (m,) each."""

    x: Array
    y: Array
    x_end: Array
    y_end: Array
    series: int
    width: float = 1.2


@dataclass(frozen=True)
class Labels:
    """Short texts, each centred on a place; `x` and `y` have shape (m,)."""

    x: Array
    y: Array
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Box:
    """A lying box plot: quartiles, whiskers to the last value within 1.5 box lengths, and the values beyond."""

    at: float
    values: Array
    series: int

    @property
    def quartiles(self) -> tuple[float, float, float]:
        """The first, second and third quartile."""
        low, middle, high = np.quantile(self.values, [0.25, 0.5, 0.75]).tolist()
        return low, middle, high

    @property
    def whiskers(self) -> tuple[float, float]:
        """The outermost values within 1.5 box lengths of the box (Tukey 1977)."""
        low, _, high = self.quartiles
        reach = 1.5 * (high - low)
        inside = self.values[(self.values >= low - reach) & (self.values <= high + reach)]
        return float(inside.min()), float(inside.max())

    @property
    def outliers(self) -> Array:
        """The values beyond the whiskers."""
        low, high = self.whiskers
        return self.values[(self.values < low) | (self.values > high)]


@dataclass(frozen=True)
class Cells:
    """A table of values in [0, 1] as colours, the first row on top; NaN is left blank.

    `printed` writes the values too; of a symmetric table only below the diagonal.
    """

    values: Array
    printed: bool

    def is_printed(self, row: int, column: int) -> bool:
        """Whether a cell's value is written."""
        return self.printed and (row > column or not np.array_equal(self.values, self.values.T, equal_nan=True))


Mark = Line | Band | Points | Segments | Labels | Box | Cells


@dataclass(frozen=True)
class Panel:
    """One plot.

    Args:
        title: in one line.
        description: what can be seen, for those who cannot see it.
        x, y: the axes.
        marks: in the order they are drawn.
        height: in pixels, 360 wide.
        margin: pixels left of the plot, for the marks of the y-axis.
    """

    title: str
    description: str
    x: Axis
    y: Axis
    marks: Sequence[Mark]
    height: int = 260
    margin: int = 48


@dataclass(frozen=True)
class Key:
    """A line of the legend."""

    label: str
    series: int
    kind: Literal["line", "dashed", "dotted", "point", "band"] = "line"
    shape: Shape = "disc"  # of a point


@dataclass(frozen=True)
class Figure:
    """Panels that belong together.

    Args:
        name: short, without blanks: "curves".
        title: what it shows.
        caption: how to read it.
        panels: in reading order.
        legend: of all panels.
        ramp: what the colours of cells, or of numbered series, stand for: their name and both ends; None without such colours.
    """

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    legend: tuple[Key, ...] = ()
    ramp: tuple[str, str, str] | None = None


def columns_of(figure: Figure, inches: float | None) -> int:
    """How many panels stand side by side in a file: three, fewer where there are fewer or the paper is narrow."""
    fitting = _COLUMNS if inches is None else max(1, int(inches / _LEAST_INCHES))
    return min(fitting, _COLUMNS, len(figure.panels))
