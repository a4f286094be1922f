"""The consensus of a run as a figure."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import stabaudit
from stabaudit.errors import UsageError
from stabaudit.reports.figures.consensus import consensus_figure
from stabaudit.reports.figures.elements import Labels, Points, Segments
from stabaudit.reports.figures.layout import figure_svg
from stabaudit.reports.figures.matplotlib_file import figure_bytes

N, D = 120, 4


def restarts(d=D):
    """Restarts that agree on dimensions 1 and 3 and differ in the others; the last rows move."""
    rng = np.random.default_rng(0)
    base = rng.laplace(size=(N, d))
    noise = np.where(np.arange(d) % 2, 0.01, 0.4)
    found = [base + noise * rng.normal(size=base.shape) for _ in range(4)]
    for z, apart in zip(found, (0.0, 3.0, -3.0, 5.0), strict=True):
        z[-2:] += apart
    return found


def only(panel, kind):
    return [mark for mark in panel.marks if isinstance(mark, kind)]


def test_it_shows_the_mean_of_the_steadiest_dimensions_and_names_what_moves():
    aligned = stabaudit.align({"mine": restarts()}, to=0)
    (consensus,) = aligned.consensus
    plane, strip = consensus_figure(aligned).panels
    assert (plane.x.label, plane.y.label) == ("z1", "z3")
    cloud, rings = only(plane, Points)
    assert rings.shape == "ring"
    np.testing.assert_array_equal(np.column_stack([cloud.x, cloud.y]), consensus.mean[:, [1, 3]])
    moved = np.argsort(-consensus.displacement)[:10]
    assert set(moved[:2].tolist()) == {N - 2, N - 1}
    np.testing.assert_array_equal(np.column_stack([rings.x, rings.y]), consensus.mean[np.ix_(moved, [1, 3])])
    across, up = only(plane, Segments)[:2]
    np.testing.assert_allclose(across.x_end - across.x, 2 * consensus.spread[moved, 1])
    np.testing.assert_allclose(up.y_end - up.y, 2 * consensus.spread[moved, 3])
    assert set(only(plane, Labels)[0].texts) == {str(row) for row in moved}
    cloud, rings = only(strip, Points)
    np.testing.assert_array_equal(cloud.x, consensus.displacement)
    np.testing.assert_array_equal(rings.x, consensus.displacement[moved])


@pytest.mark.slow
@pytest.mark.parametrize("width", [None, 3.25])
def test_no_text_is_cut_off_or_covered(width, require_texts_apart):
    require_texts_apart(consensus_figure(stabaudit.align({"mine": restarts()}, to=0)), width)


def test_named_dimensions_are_shown_and_others_refused():
    aligned = stabaudit.align({"mine": restarts()}, to=0)
    plane, _ = consensus_figure(aligned, (2, 0)).panels
    assert (plane.x.label, plane.y.label) == ("z2", "z0")
    with pytest.raises(UsageError, match="mine has dimensions 0 to 3; --dims wants two of them"):
        consensus_figure(aligned, (0, 4))


def test_one_dimension_gives_the_strip_alone_and_copies_move_nowhere():
    z = np.random.default_rng(1).normal(size=(N, 1))
    aligned = stabaudit.align({"mine": [z, -2 * z, 3 * z + 1]})
    (strip,) = consensus_figure(aligned).panels
    assert len(only(strip, Points)) == 1
    assert only(strip, Labels) == []


@pytest.mark.slow
def test_classes_have_colours_and_rows_and_groups_their_own_panels(make_run):
    rng = np.random.default_rng(2)
    base, other = rng.laplace(size=(N, D)), rng.laplace(size=(N, D))
    latents = [centre + 0.1 * rng.normal(size=(N, D)) for centre in (base, base, base, base, other, other, other)]
    labels = np.array(["a<b", "c$d", "e&f"])[np.arange(N) % 3]
    folder = make_run("run", d=D, ids=[f"cell {i}" for i in range(N)], latents=latents, labels=labels)
    figure = consensus_figure(stabaudit.align(folder))
    assert [panel.title.partition(",")[0] for panel in figure.panels] == ["run group 0"] * 2 + ["run group 1"] * 2
    assert [key.label for key in figure.legend] == ["a<b", "c$d", "e&f", "moves most"]
    strip = figure.panels[1]
    assert [name for _, name in strip.y.ticks] == ["a<b", "c$d", "e&f"]
    for points in only(strip, Points)[:3]:
        assert set(np.rint(points.y).tolist()) == {float(points.series)}
    ET.fromstring(figure_svg(figure))


@pytest.mark.slow
def test_names_of_samples_are_text_whatever_they_hold(make_run):
    hostile = "<b>$x$\x00\x1b[31m\u202e&"
    folder = make_run("run", d=D, ids=[f"{i}{hostile}" for i in range(N)], latents=restarts())
    figure = consensus_figure(stabaudit.align(folder, to=0))
    assert any("$x$" in text for text in only(figure.panels[0], Labels)[0].texts)
    assert "\x1b" not in figure_svg(figure)
    ET.fromstring(figure_svg(figure))
    assert figure_bytes(figure, "png").startswith(b"\x89PNG")
