"""Where labels beside points go, so that none covers another label, a point or a line."""

import math
from collections.abc import Iterator, Sequence

Rectangle = tuple[float, float, float, float]  # left, top, right, bottom, pixels
Place = tuple[float, float]

_REACHES = (11, 15, 20, 26, 33, 41, 50, 60, 72, 86, 102, 120, 140, 165, 195)  # distances from the point that are tried, pixels
_DIRECTIONS = 24
_RADIUS = 4.0  # of a point
_OUTSIDE, _ON_LABEL, _ON_POINT, _ON_WAY = 100_000, 1000, 30, 10  # how bad a place is, where a line that is covered costs 1
_SQUARE = 11.0  # a label as wide and high as this lies at the distances above, larger ones farther away


def place_labels(
    points: Sequence[Place],
    sizes: Sequence[Place],
    *,
    area: Rectangle,
    discs: Sequence[Place] = (),
    lines: Sequence[Rectangle] = (),
) -> list[Place]:
    """Give every point's label the nearest free place, those in the crowd last.

    Where no place is free, it is the one that covers least: rather lines than the ways from other labels to their points, rather
    those than points, and other labels only where the area is full.

    Args:
        points: what labels belong to, in pixels.
        sizes: width and height of each label.
        area: where labels must lie.
        discs: centres of everything that is drawn as a point.
        lines: what else is drawn.

    Returns:
        Centres of the labels.

    Example:
        >>> place_labels([(50, 50), (52, 50)], [(12, 10)] * 2, area=(0, 0, 100, 100))
        [(38.5, 50.0), (63.5, 50.0)]
    """
    dots = [(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y in discs]
    taken: list[Rectangle] = []
    ways: list[tuple[Place, Place]] = []
    centres: dict[int, Place] = {}
    for position in sorted(range(len(points)), key=lambda at: (_neighbours(points, at), at)):
        point, best = points[position], math.inf
        for centre in _candidates(*point, sizes[position], _away(points, position)):
            box, way = _around(centre, sizes[position]), (point, centre)
            cost = _OUTSIDE * (not _within(box, area)) + _ON_LABEL * sum(_overlap(box, other) for other in taken)
            if cost < best:
                cost += _ON_POINT * sum(_overlap(box, dot) for dot in dots)
                cost += _ON_WAY * (sum(_crosses(other, box) for other in ways) + sum(_crosses(way, other) for other in taken))
                cost += sum(_overlap(box, line) for line in lines)
            if cost < best:
                best, centres[position] = cost, centre
            if cost == 0:
                break
        taken.append(_around(centres[position], sizes[position]))
        ways.append((point, centres[position]))
    return [centres[position] for position in range(len(points))]


def _neighbours(points: Sequence[Place], at: int) -> int:
    """How many points are near."""
    return sum(math.dist(points[at], other) < 30 for other in points) - 1


def _away(points: Sequence[Place], at: int) -> float:
    """The direction in which others are fewest: from the middle of those that are near; to the left without any."""
    near = [other for other in points if math.dist(points[at], other) < 30]
    x, y = (sum(values) / len(near) for values in zip(*near, strict=True))
    dx, dy = points[at][0] - x, points[at][1] - y
    return math.atan2(dy, dx) if math.hypot(dx, dy) > 1e-9 else math.pi


def _candidates(x: float, y: float, size: Place, away: float) -> Iterator[Place]:
    """Places around a point, the nearest first and of those the ones away from its neighbours."""
    for reach in _REACHES:
        for step in range(_DIRECTIONS):
            # 0, 1, −1, 2, −2, … steps from the best direction
            angle = away + (step + 1) // 2 * (-1 if step % 2 else 1) * 2 * math.pi / _DIRECTIONS
            wide, high = (max(0.0, side - _SQUARE) / 2 for side in size)
            yield round(x + (reach + wide) * math.cos(angle), 1), round(y + (reach + high) * math.sin(angle), 1)


def _around(centre: Place, size: Place) -> Rectangle:
    return centre[0] - size[0] / 2, centre[1] - size[1] / 2, centre[0] + size[0] / 2, centre[1] + size[1] / 2


def _within(box: Rectangle, area: Rectangle) -> bool:
    return area[0] <= box[0] and area[1] <= box[1] and box[2] <= area[2] and box[3] <= area[3]


def _overlap(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _crosses(way: tuple[Place, Place], box: Rectangle) -> bool:
    """Whether a straight way touches a box (Liang & Barsky 1984)."""
    (x, y), (x_end, y_end) = way
    first, last = 0.0, 1.0
    for start, change, low, high in ((x, x_end - x, box[0], box[2]), (y, y_end - y, box[1], box[3])):
        if abs(change) < 1e-9:
            if not low < start < high:
                return False
            continue
        one, other = sorted(((low - start) / change, (high - start) / change))
        first, last = max(first, one), min(last, other)
    return first < last
