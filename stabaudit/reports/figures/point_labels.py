"""Labels beside points of a panel, in the units of its data, and lines to those that lie at some distance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stabaudit.reports.figures.elements import INK, Array, Axis, Labels, Mark, Segments
from stabaudit.reports.figures.labels import place_labels
from stabaudit.reports.figures.svg import plot_area

_LETTER, _LINE = 6.4, 11.0  # width of a letter and height of a label's line, pixels
_FAR = 10  # pixels between a label and its point, from which a line joins them


@dataclass(frozen=True)
class Place:
    """Where a panel's data lie in pixels.

    Args:
        axes: the x-axis and the y-axis.
        height, margin: of the panel.
    """

    axes: tuple[Axis, Axis]
    height: int
    margin: int

    @property
    def area(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the plot."""
        return plot_area(self.height, self.margin)

    def pixels(self, x: Array, y: Array) -> Array:
        """Pixels of places, shape (m, 2)."""
        low, size, origin, scale = self._frame()
        found: Array = origin + (np.column_stack([x, y]) - low) / size * scale
        return found

    def values(self, pixels: Array) -> tuple[Array, Array]:
        """The other way round, shape (m,) each."""
        low, size, origin, scale = self._frame()
        back = low + (pixels - origin) / scale * size
        return back[:, 0], back[:, 1]

    def _frame(self) -> tuple[Array, Array, Array, Array]:
        left, top, right, bottom = self.area
        low, size = np.array([axis.low for axis in self.axes]), np.array([axis.high - axis.low for axis in self.axes])
        return low, size, np.array([left, bottom]), np.array([right - left, top - bottom])


def labels_beside(place: Place, points: Array, texts: Sequence[Sequence[str]], *, discs: Array, lines: Array) -> list[Mark]:
    """Labels of some points, so that none covers another, a point or a line as far as there is room.

    Args:
        place: the panel.
        points: what labels belong to, shape (m, 2).
        texts: lines of each label.
        discs: everything that is drawn as a point, shape (p, 2).
        lines: x, y, x_end and y_end of straight lines along an axis, shape (q, 4).
    """
    left, top, right, bottom = place.area
    at, dots = place.pixels(*points.T), place.pixels(*discs.T)
    ends = np.stack([place.pixels(*lines[:, :2].T), place.pixels(*lines[:, 2:].T)])
    boxes = np.concatenate([ends.min(axis=0), ends.max(axis=0)], axis=1)
    flat = boxes[:, 3] - boxes[:, 1] < boxes[:, 2] - boxes[:, 0]
    boxes += np.where(flat[:, None], [0, -1, 0, 1], [-1, 0, 1, 0])  # lines have a width
    sizes = np.array([[_LETTER * max(map(len, text)), _LINE * len(text)] for text in texts])
    centres = np.array(
        place_labels(
            list(map(tuple, at.tolist())),
            list(map(tuple, sizes.tolist())),
            area=(left + 1, top + 1, right - 1, bottom - 1),
            discs=list(map(tuple, dots.tolist())),
            lines=list(map(tuple, boxes.tolist())),
        )
    )
    marks: list[Mark] = []
    edge = centres + np.clip(at - centres, -sizes / 2, sizes / 2)  # the nearest point of a label
    far = np.hypot(*(edge - at).T) > _FAR
    if far.any():
        marks.append(Segments(*place.values(at[far]), *place.values(edge[far]), INK, 0.5))
    written = [
        (x, y + _LINE * (line - (len(text) - 1) / 2), words)
        for (x, y), text in zip(centres.tolist(), texts, strict=True)
        for line, words in enumerate(text)
    ]
    marks.append(Labels(*place.values(np.array([one[:2] for one in written])), tuple(words for *_, words in written)))
    return marks
