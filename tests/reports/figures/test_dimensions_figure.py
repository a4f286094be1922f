"""Figures of dimensions and of groups: every number in its place, and every text inside the page and beside the others."""

import math
from dataclasses import replace

import numpy as np
import pytest

import stabaudit
from stabaudit.reports.figures.boxes import box_figure
from stabaudit.reports.figures.curves import curves_figure
from stabaudit.reports.figures.dimensions import dimensions_figure, strip_figure
from stabaudit.reports.figures.elements import Cells, Labels, Line, Points, Segments
from stabaudit.reports.figures.heatmaps import heatmap_figure
from stabaudit.reports.figures.labels import place_labels
from stabaudit.reports.figures.matched_dimensions import match_figure
from stabaudit.reports.figures.restart_order import MOST
from stabaudit.reports.sections.dimensions import dimension_section

pytestmark = pytest.mark.slow

SVG = "{http://www.w3.org/2000/svg}"


def world(n, d, *, axes, planes=(), noise=0.2, seed=0, kinds=1):
    """Restarts that share axes, turn planes, and have nothing else in common; axes of other kinds of restarts are turned."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((800, d))
    bases = [np.eye(axes), *(np.linalg.qr(rng.standard_normal((axes, axes)))[0] for _ in range(kinds - 1))]
    latents = []
    for restart in range(n):
        x = z.copy()
        x[:, :axes] = x[:, :axes] @ bases[restart % kinds]
        start = axes
        for size in planes:
            x[:, start : start + size] = x[:, start : start + size] @ np.linalg.qr(rng.standard_normal((size, size)))[0]
            start += size
        x[:, start:] = rng.standard_normal((800, d - start))
        latents.append((x + noise * rng.standard_normal(x.shape)).astype(np.float32))
    return latents


def compared(runs):
    return stabaudit.compare(runs, floor_draws=1, rotations=1, allow_unequal=True)


@pytest.fixture(scope="module")
def comparisons():
    """By name: runs of 2, 10 and 50 dimensions, four runs, and a run of two groups."""
    latents = {
        "d=2": world(5, 2, axes=2),
        "d=10": world(5, 10, axes=10),
        "d=20": world(8, 20, axes=6, planes=(2, 5)),
        "d=50": world(10, 50, axes=20, planes=(4, 10)),
    }
    found = {name: compared({name: z}) for name, z in latents.items()}
    found["four runs"] = compared(
        {name if name != "d=2" else "a name that is much longer than a panel is wide " * 2: z for name, z in latents.items()}
    )
    found["groups"] = compared({"groups": world(9, 6, axes=6, kinds=2)})
    return found


WORLDS = ["d=2", "d=10", "d=20", "d=50", "four runs", "groups"]
FIGURES = {
    "dimensions": dimensions_figure,
    "strip": strip_figure,
    "heatmap": lambda comparison: heatmap_figure(comparison, "strong_mcc"),
    "curves": lambda comparison: curves_figure(comparison, "strong_mcc"),
    "box": lambda comparison: box_figure(comparison, "strong_mcc"),
    "match": match_figure,
}


@pytest.mark.parametrize("width", [None, 3.25])
@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("what", FIGURES)
def test_no_text_is_cut_off_or_covered(comparisons, what, name, width, require_texts_apart):
    require_texts_apart(FIGURES[what](comparisons[name]), width)


@pytest.mark.parametrize("name", WORLDS)
def test_points_lie_at_their_numbers_in_the_shape_of_their_verdict(comparisons, name):
    comparison = comparisons[name]
    for run, panel in zip(comparison.runs, dimensions_figure(comparison).panels, strict=True):
        own = [one for one in comparison.anatomy if one.run == run.name]
        shapes = {"axis": "disc", "subspace": "square", "not_shared": "cross", "inactive": "ring"}
        for verdict, shape in shapes.items():
            expected = {(one.shared_information, one.purity) for one in own if one.verdict == verdict and one.purity is not None}
            found = [m for m in panel.marks if isinstance(m, Points) and m.shape == shape]
            if verdict in {"axis", "subspace"}:
                assert {pair for mark in found for pair in zip(mark.x.tolist(), mark.y.tolist(), strict=True)} == expected
            else:
                assert all(mark.y.max() < 0 for mark in found)  # below every purity
            assert sum(len(mark.x) for mark in found) == sum(one.verdict == verdict for one in own)
        (line,) = (mark for mark in panel.marks if isinstance(mark, Line))
        assert line.y[0] == max(one.purity_null for one in own if one.purity_null is not None)
        axes = [one for one in own if one.verdict == "axis"]
        assert all(one.purity > line.y[0] for one in axes)


@pytest.mark.parametrize("name", ["d=2", "d=10", "d=20"])
def test_every_dimension_of_few_has_its_name_beside_it(comparisons, name):
    (panel,) = dimensions_figure(comparisons[name]).panels
    (labels,) = (mark for mark in panel.marks if isinstance(mark, Labels))
    named = sorted(" ".join(labels.texts).split(), key=lambda label: int(label[1:]))
    assert named == [f"z{k}" for k in range(len(comparisons[name].anatomy))]


def test_many_dimensions_have_points_without_names(comparisons):
    (panel,) = dimensions_figure(comparisons["d=50"]).panels
    assert not [mark for mark in panel.marks if isinstance(mark, Labels)]
    assert "and 40 dimensions more" in panel.description


@pytest.mark.parametrize("figure", [dimensions_figure, strip_figure])
def test_what_is_drawn_lies_within_its_panel(comparisons, figure):
    wild = comparisons["d=20"]
    # Noise may lift purity above 1, and few restarts know little of shared information.
    anatomy = [
        replace(
            one,
            shared_information=-3.0,
            shared_information_low=-9.0,
            purity=one.purity and 2.5,
            lowest_purity=one.purity and -1.0,
        )
        for one in wild.anatomy
    ]
    for comparison in (*comparisons.values(), replace(wild, anatomy=tuple(anatomy))):
        for panel in figure(comparison).panels:
            for mark in panel.marks:
                if isinstance(mark, Cells):
                    continue
                ends = [("x", panel.x), ("y", panel.y)]
                ends += [("x_end", panel.x), ("y_end", panel.y)] if isinstance(mark, Segments) else []
                for name, axis in ends:
                    if hasattr(mark, name):
                        low, high = sorted((axis.low, axis.high))
                        assert low - 1e-9 <= np.min(getattr(mark, name)) <= np.max(getattr(mark, name)) <= high + 1e-9


@pytest.mark.parametrize("name", WORLDS)
def test_a_strip_has_the_rows_of_the_table(comparisons, name):
    comparison = comparisons[name]
    for run, panel in zip(comparison.runs, strip_figure(comparison).panels, strict=True):
        own = [one for one in comparison.anatomy if one.run == run.name]
        rows = [" ".join(row[:2]) for row in dimension_section(run.name, own).rows]
        assert [label for _, label in panel.y.ticks] == rows
        (cells,) = (mark for mark in panel.marks if isinstance(mark, Cells))
        restarts = [int(label) for _, label in panel.x.ticks]
        for label, values in zip(rows, cells.values, strict=True):
            (one,) = (one for one in own if f"z{one.dimension}" == label.split()[0])
            assert values.tolist() == [one.agreement_by_restart[restart] for restart in restarts]


def test_groups_lie_together_with_lines_between_them(comparisons):
    comparison = comparisons["groups"]
    groups = [[name.rpartition("#")[2] for name in one.restarts] for one in comparison.solutions]
    assert [sorted(group) for group in groups] == [list("02468"), list("1357")]  # so that a line has something to part
    for figure in (heatmap_figure(comparison, "strong_mcc"), strip_figure(comparison)):
        (panel,) = figure.panels
        labels = [label for _, label in panel.x.ticks]
        assert [sorted(labels[:5]), sorted(labels[5:])] == [sorted(group) for group in groups]
        columns = [mark.x.tolist() for mark in panel.marks if isinstance(mark, Segments) and (mark.x == mark.x_end).all()]
        assert columns
        assert all(places == [4.5] for places in columns)
        assert "a line between groups" in figure.caption
        assert "Groups: restarts 0, 2, 4, 6, 8; restarts 1, 3, 5, 7." in panel.description
    (cells,) = (mark for mark in heatmap_figure(comparison, "strong_mcc").panels[0].marks if isinstance(mark, Cells))
    within = np.concatenate([cells.values[:5, :5].ravel(), cells.values[5:, 5:].ravel()])
    assert np.nanmin(within) > cells.values[:5, 5:].max()


def test_one_group_has_no_lines(comparisons):
    figure = heatmap_figure(comparisons["d=10"], "strong_mcc")
    assert not [mark for mark in figure.panels[0].marks if isinstance(mark, Segments)]
    assert "the most central first" in figure.caption
    assert "Groups" not in figure.panels[0].description


def test_of_many_restarts_every_group_is_seen():
    latents = world(MOST + 20, 3, axes=3, kinds=1)
    turned = [z @ np.linalg.qr(np.random.default_rng(5).standard_normal((3, 3)))[0] for z in latents[:5]]
    comparison = compared({"many": [*turned, *latents[5:]]})
    assert [len(one.restarts) for one in comparison.solutions] == [MOST + 15, 5]
    for figure in (heatmap_figure(comparison, "strong_mcc"), strip_figure(comparison)):
        (panel,) = figure.panels
        (cells,) = (mark for mark in panel.marks if isinstance(mark, Cells))
        assert cells.values.shape[1] == MOST
        assert f"{MOST} of {MOST + 20} restarts" in panel.title
        lines = [mark for mark in panel.marks if isinstance(mark, Segments) and (mark.x == mark.x_end).all()]
        assert {float(mark.x[0]) for mark in lines} == {26.5}  # 3 of 5, as 30 of 50


def test_without_restarts_to_compare_there_is_no_figure():
    comparison = compared({"one": world(1, 3, axes=3), "other": world(1, 3, axes=3, seed=1)})
    assert dimensions_figure(comparison) is None
    assert strip_figure(comparison) is None


def test_labels_of_a_crowd_keep_apart(overlapping):
    rng = np.random.default_rng(0)
    points = [(float(x), float(y)) for x, y in rng.normal((290, 30), (12, 6), (20, 2))]
    sizes = [(19.2, 11.0)] * 20
    placed = place_labels(points, sizes, area=(48, 8, 348, 284), discs=points)
    boxes = [(at, (x - 9.6, y - 5.5, x + 9.6, y + 5.5)) for at, (x, y) in enumerate(placed)]
    assert overlapping(boxes) == []
    assert all(box[0] >= 48 and box[2] <= 348 and box[1] >= 8 and box[3] <= 284 for _, box in boxes)
    covered = [at for at, (x, y) in enumerate(placed) for px, py in points if abs(px - x) < 9.6 and abs(py - y) < 5.5]
    assert covered == []
    assert all(math.dist(one, other) < 200 for one, other in zip(placed, points, strict=True))
