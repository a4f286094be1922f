"""That every text of a figure lies inside the page and beside the others, as a file and as a picture."""

import itertools
import xml.etree.ElementTree as ET

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.textpath import text_to_path

from stabaudit.reports.figures.layout import figure_svg
from stabaudit.reports.figures.matplotlib_file import drawn

SVG = "{http://www.w3.org/2000/svg}"


def svg_texts(root):
    """Every text of a file with its box and that of the picture it must lie in; as wide as DejaVu Sans, a wide font."""
    width, height = map(float, root.get("viewBox").split()[2:])
    yield from _texts(root, (0.0, 0.0, width, height), (0.0, 0.0))
    for panel in root.findall(f"{SVG}svg"):
        x, y, w, h = (float(panel.get(name)) for name in ("x", "y", "width", "height"))
        yield from _texts(panel, (x, y, x + w, y + h), (x, y))
        for group in panel.findall(f"{SVG}g"):
            yield from _texts(group, (x, y, x + w, y + h), (x, y))


def _texts(parent, page, corner):
    kind = parent.get("class", "").split()[0]
    for text in parent.findall(f"{SVG}text"):
        bold = "13px" in text.get("style", "")
        size = 13 if bold else {"labels": 10, "printed": 9}.get(kind, 11)
        font = FontProperties(family="DejaVu Sans", size=size, weight=600 if bold else 400)
        wide = text_to_path.get_text_width_height_descent(text.text, font, ismath=False)[0]
        if "rotate" in text.get("transform", ""):
            x, y = map(float, text.get("transform").split("(")[1].split(")")[0].split())
            box = (x - 0.75 * size, y - wide / 2, x + 0.1 * size, y + wide / 2)
        else:
            anchor = text.get("text-anchor", "middle" if kind in {"labels", "printed"} else "start")
            left = float(text.get("x")) - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
            box = (left, float(text.get("y")) - 0.75 * size, left + wide, float(text.get("y")) + 0.1 * size)
        yield text.text, tuple(side + corner[i % 2] for i, side in enumerate(box)), page


def overlaps(boxes):
    """Pairs of texts that cover each other."""
    return [
        (one, other)
        for (one, a), (other, b) in itertools.combinations(boxes, 2)
        if min(a[2], b[2]) - max(a[0], b[0]) > 0.5 and min(a[3], b[3]) - max(a[1], b[1]) > 0.5
    ]


@pytest.fixture
def overlapping():
    """Pairs of boxes, each with a name, that cover each other."""
    return overlaps


@pytest.fixture
def require_texts_apart():
    """Hold that no text of a figure of some width in inches is cut off or covered by another."""
    return _require_texts_apart


def _require_texts_apart(figure, width):
    texts = list(svg_texts(ET.fromstring(figure_svg(figure, width))))
    outside = [text for text, box, page in texts if box[0] < page[0] or box[1] < page[1] or box[2] > page[2] or box[3] > page[3]]
    assert outside == []
    assert overlaps([(text, box) for text, box, _ in texts]) == []
    canvas = drawn(figure, width)
    canvas.draw_without_rendering()
    page = canvas.bbox
    boxes = []
    for text in canvas.findobj(lambda artist: isinstance(artist, Text) and artist.get_visible() and artist.get_text().strip()):
        box = text.get_window_extent()
        boxes.append((text.get_text(), (box.x0, box.y0, box.x1, box.y1)))
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, text
        assert page.y0 <= box.y0 <= box.y1 <= page.y1, text
    assert boxes
    assert overlaps(boxes) == []
