"""Figures say what the numbers say, in SVG, PNG and PDF, whatever the names are."""

import math
import re
import struct
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.cbook import boxplot_stats

from stabaudit.comparison.compare import compare
from stabaudit.comparison.reading.selectors import read_groups
from stabaudit.comparison.records import Comparison, Curve, RunSummary
from stabaudit.comparison.settings import Settings
from stabaudit.comparison.views.aligned_latents import read_planes
from stabaudit.comparison.views.pair_values import PairTable
from stabaudit.comparison.views.prior_history import PriorHistories, PriorHistory
from stabaudit.comparison.views.recovered_sources import signals
from stabaudit.comparison.views.run_origins import read_origins
from stabaudit.reports.figures import colors
from stabaudit.reports.figures.axes import counting_axis, fitted_axis
from stabaudit.reports.figures.boxes import box_figure
from stabaudit.reports.figures.curves import curves_figure
from stabaudit.reports.figures.elements import RAMP_SERIES, Axis, Band, Box, Cells, Figure, Line, Panel, Points
from stabaudit.reports.figures.heatmaps import MOST, heatmap_figure
from stabaudit.reports.figures.latents import latents_figure
from stabaudit.reports.figures.layout import figure_svg
from stabaudit.reports.figures.matched_dimensions import match_figure
from stabaudit.reports.figures.matplotlib_file import figure_bytes
from stabaudit.reports.figures.objective import objective_figure
from stabaudit.reports.figures.panels import arranged, floor_name, floor_of
from stabaudit.reports.figures.prior_condition import prior_condition_figure
from stabaudit.reports.figures.sources import sources_figure

pytestmark = pytest.mark.slow

RUN = RunSummary("vae", "runs/vae", "vae", "mlp", "mnist", "f", "float32", 50, None, 10_000, 10, 10, ())
CURVE = Curve("vae", "vae", "strong_mcc", "out", (1.0, 0.9), (), (), ())
EMPTY = Comparison((RUN,), (), (), (), (), 1)
HOSTILE = '<script>alert("x")</script>&\'[/red]=cmd()::error::\x00\x1b[31m\u202e$x$'
SVG = "{http://www.w3.org/2000/svg}"


def scored(*folders):
    return compare(read_groups([str(folder) for folder in folders]), Settings(floor_draws=1))


@pytest.fixture(scope="module")
def figures(make_lasting_run):
    """Every kind of figure."""
    one = make_lasting_run("one", restarts=3, losses=[1.0, 2.0, 3.0], sources=True, labels=np.arange(600) % 3)
    other = make_lasting_run("other", "rotated", 3, losses=[2.0, 2.5, 3.5], sources=True, family="ivae")
    comparison = scored(one, other)
    return {
        "curves": curves_figure(comparison, "strong_mcc"),
        "weak": curves_figure(comparison, "weak_mcc", "sd"),
        "heatmap": heatmap_figure(comparison, "strong_mcc"),
        "box": box_figure(comparison, "strong_mcc"),
        "sources box": box_figure(comparison, "source_strong_mcc"),
        "elbo": objective_figure(comparison, read_origins(comparison.runs)),
        "match": match_figure(comparison),
        "latents": latents_figure([read_planes(str(one))]),
        "sources": sources_figure(signals(read_groups([str(one), str(other)]))),
        "prior": prior_condition_figure([conditions("ivae", [[3.0, 20.0, 1e7], [np.inf, 40.0, np.inf]]), conditions("lost")]),
    }


def conditions(name, values=((np.inf, np.inf, np.inf),)):
    """How a run's prior went, of given condition numbers."""
    step = np.array([10, 20, 30])
    return PriorHistories(name, tuple(PriorHistory(f"{name}#{i}", step, np.array(own)) for i, own in enumerate(values)))


@pytest.fixture(scope="module")
def many_runs(make_lasting_run):
    """Figures of one to eight runs with names as long as plans give them."""
    names = [f"family={family},data=digits,latent_dim={d}" for family in ("vae", "ivae") for d in (2, 4, 8, 16)]
    kinds = ("aligned", "rotated") * 4
    folders = [
        make_lasting_run(
            name,
            kind,
            3,
            losses=[n + 1.0, n + 1.5, n + 1.2],
            sources=True,
            labels=np.arange(600) % 10,
            family=name[7:11].strip(","),
        )
        for n, (name, kind) in enumerate(zip(names, kinds, strict=True))
    ]
    comparison = scored(*folders)
    groups = read_groups([str(folder) for folder in folders])
    return {
        "elbo": objective_figure(comparison, read_origins(comparison.runs)),
        "latents": latents_figure([read_planes(str(folder)) for folder in folders[:4]]),
        "sources": sources_figure(signals(groups)),
        "box": box_figure(comparison, "strong_mcc"),
        "heatmap": heatmap_figure(comparison, "strong_mcc"),
        "curves": curves_figure(comparison, "weak_mcc"),
    }


def panel(marks, title="a panel"):
    unit = Axis("x", 0.0, 1.0, ((0.0, "0"), (1.0, "1")))
    return Panel(title, "what it shows", unit, unit, marks)


def test_every_figure_is_well_formed_svg_with_a_text_alternative(figures):
    for name, figure in figures.items():
        root = ET.fromstring(figure_svg(figure))
        panels = root.findall(f"{SVG}svg")
        assert len(panels) == len(figure.panels), name
        for drawn, described in zip(panels, figure.panels, strict=True):
            assert drawn.get("role") == "img"
            assert drawn.get("aria-label") == described.title
            desc = drawn.find(f"{SVG}desc")
            assert desc.get("id") == drawn.get("aria-describedby")
            assert desc.text == described.description != ""
        identities = [element.get("id") for element in root.iter() if element.get("id")]
        assert len(identities) == len(set(identities))
        assert "nan" not in figure_svg(figure)


@pytest.mark.parametrize("name", ["curves", "weak", "heatmap", "box", "sources box", "elbo", "match", "latents", "sources"])
def test_what_is_drawn_lies_within_its_panel(figures, name):
    for each in figures[name].panels:
        for mark in each.marks:
            if isinstance(mark, (Line, Points)):
                for axis, values in ((each.x, mark.x), (each.y, mark.y)):
                    low, high = sorted((axis.low, axis.high))
                    assert low - 1e-9 <= np.min(values) <= np.max(values) <= high + 1e-9


def test_no_panel_of_latents_has_a_score_without_chance(figures):
    scored = [panel.title for panel in figures["latents"].panels if "R²" in panel.title]
    assert scored
    assert all(re.search(r"R² -?\d\.\d\d, chance -?\d\.\d\d$", title) for title in scored)


@pytest.mark.parametrize("width", [None, 3.25])
def test_no_text_is_cut_off_or_covered(figures, many_runs, width, require_texts_apart):
    for figure in (*figures.values(), *many_runs.values()):
        require_texts_apart(figure, width)


def test_png_and_pdf_are_files_of_their_kind_and_the_same_each_time(figures):
    for figure in (figures["curves"], figures["heatmap"], figures["box"], figures["match"]):
        png, pdf = figure_bytes(figure, "png"), figure_bytes(figure, "pdf")
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        width, height = struct.unpack(">II", png[16:24])
        assert min(width, height) > 300
        assert pdf.startswith(b"%PDF-")
    assert figure_bytes(figure, "png") == png
    assert figure_bytes(figure, "pdf") == pdf


@pytest.mark.filterwarnings("ignore:Glyph")  # matplotlib's fonts lack what stands for control characters
def test_hostile_names_are_text_in_every_format(make_run):
    comparison = scored(make_run("a", restarts=3))
    run = replace(comparison.runs[0], name=HOSTILE, family=HOSTILE, dataset=HOSTILE)
    renamed = Comparison(
        runs=(run,),
        scores=tuple(replace(score, run_a=HOSTILE, run_b=HOSTILE) for score in comparison.scores),
        differences=(),
        curves=tuple(replace(curve, run_a=HOSTILE, run_b=HOSTILE) for curve in comparison.curves),
        warnings=(),
        floor_draws=1,
        pairs=tuple(
            replace(t, run_a=HOSTILE, run_b=HOSTILE, restarts_a=(HOSTILE,) * 3, restarts_b=(HOSTILE,) * 3)
            for t in comparison.pairs
        ),
        matches=tuple(replace(match, run=HOSTILE) for match in comparison.matches),
    )
    for figure in (
        curves_figure(renamed, "strong_mcc"),
        heatmap_figure(renamed, "strong_mcc"),
        box_figure(renamed, "strong_mcc"),
        match_figure(renamed),
    ):
        text = figure_svg(figure)
        root = ET.fromstring(text)
        assert not list(root.iter(f"{SVG}script"))
        assert "<script" not in text
        assert not set(text) & set("\x00\x1b\u202e")
        assert any("alert(" in "".join(element.itertext()) for element in root.iter(f"{SVG}text"))
        assert figure_bytes(figure, "png").startswith(b"\x89PNG")


def test_a_box_is_that_of_matplotlib():
    values = np.random.default_rng(0).standard_t(2, size=200)
    box = Box(0, values, 0)
    (expected,) = boxplot_stats(values)
    assert box.quartiles == pytest.approx((expected["q1"], expected["med"], expected["q3"]))
    assert box.whiskers == pytest.approx((expected["whislo"], expected["whishi"]))
    assert sorted(box.outliers) == pytest.approx(sorted(expected["fliers"]))


def test_curves_hold_the_scores_with_their_bands_and_floors(make_run):
    comparison = scored(make_run("a", restarts=4))
    (only,) = curves_figure(comparison, "strong_mcc").panels
    score = next(s for s in comparison.scores if (s.metric, s.sample) == ("strong_mcc", "out"))
    solid, dotted = (next(m for m in only.marks if isinstance(m, Line) and m.dash == dash) for dash in ("solid", "dotted"))
    (band,) = (mark for mark in only.marks if isinstance(mark, Band))
    assert (solid.x[-1], solid.y[-1]) == (4, score.mean)
    assert (band.low[-1], band.high[-1]) == pytest.approx((max(0, score.ci_low), min(1, score.ci_high)))
    assert dotted.y[0] == score.rotation_floor
    assert f"{score.mean:.2f} over all 4, rotation floor {score.rotation_floor:.2f}" in only.description
    (deviation,) = (mark for mark in curves_figure(comparison, "strong_mcc", band="sd").panels[0].marks if isinstance(mark, Band))
    assert (deviation.high - deviation.low)[-1] == pytest.approx(2 * score.sd)


def test_long_curves_keep_their_ends_and_few_points():
    values = tuple(np.linspace(1, 0, 200).tolist())
    comparison = replace(EMPTY, curves=(replace(CURVE, values=values),))
    (only,) = curves_figure(comparison, "strong_mcc").panels
    (line,) = (mark for mark in only.marks if isinstance(mark, Line))
    assert (line.x[0], line.x[-1], len(line.x)) == (1, 200, 40)


def test_a_heatmap_is_bounded_and_says_so():
    n = MOST + 5
    values = np.full((n, n), 0.5)
    np.fill_diagonal(values, np.nan)
    values[3, 4] = values[4, 3] = 0.9
    names = tuple(f"vae#{i}" for i in range(n))
    figure = heatmap_figure(
        replace(EMPTY, pairs=(PairTable("vae", "vae", "strong_mcc", None, names, names, values),)), "strong_mcc"
    )
    (cells,) = figure.panels[0].marks
    assert cells.values.shape == (MOST, MOST)
    assert f"the first {MOST} are shown" in figure.caption
    assert f"{MOST} of {n} restarts" in figure.panels[0].title
    assert f"of {n * (n - 1) // 2} pairs" in figure.panels[0].description
    assert "highest 0.90 (vae#3 and vae#4)" in figure.panels[0].description


def test_cells_are_printed_once_where_the_table_is_symmetric():
    symmetric = np.array([[np.nan, 0.5], [0.5, np.nan]])
    other = np.array([[np.nan, 0.5], [0.6, np.nan]])
    assert [Cells(symmetric, printed=True).is_printed(*at) for at in ((0, 1), (1, 0))] == [False, True]
    assert [Cells(other, printed=True).is_printed(*at) for at in ((0, 1), (1, 0))] == [True, True]
    assert not Cells(other, printed=False).is_printed(1, 0)


def test_objective_is_held_against_the_sources_where_there_are_some(make_run):
    known = scored(make_run("known", restarts=3, losses=[3.0, 2.0, 1.0], sources=True))
    (only,) = objective_figure(known, read_origins(known.runs)).panels
    points, line = only.marks
    (floor,) = {s.rotation_floor for s in known.scores if (s.metric, s.sample) == ("source_strong_mcc", "out")}
    assert line.y.tolist() == [floor, floor]
    assert line.x.tolist() == [only.x.low, only.x.high]
    assert f", rotation floor {floor:.2f}" in only.description
    table = next(t for t in known.pairs if t.metric == "source_strong_mcc")
    np.testing.assert_array_equal(points.x, [-3.0, -2.0, -1.0])
    np.testing.assert_array_equal(points.y, table.values[:, 0])
    unknown = scored(make_run("unknown", restarts=3, losses=[3.0, 2.0, 1.0]))
    (only,) = objective_figure(unknown, read_origins(unknown.runs)).panels
    table = next(t for t in unknown.pairs if t.metric == "strong_mcc")
    np.testing.assert_allclose(only.marks[0].y, [np.nanmean(row) for row in table.values])
    assert objective_figure(replace(unknown, runs=()), ()) is None


def test_every_family_has_its_floor_in_its_own_colour(figures):
    (panel,) = figures["elbo"].panels
    points = {mark.series for mark in panel.marks if isinstance(mark, Points)}
    lines = [mark for mark in panel.marks if isinstance(mark, Line)]
    assert len(lines) == len(points) == 2
    assert {line.series for line in lines} == points


def test_the_floor_beside_a_score_is_of_rotations_only_where_it_sees_axes(make_run):
    known = scored(make_run("known", restarts=3, sources=True))
    for metric, name, attribute in (
        ("strong_mcc", "rotation floor", "rotation_floor"),
        ("weak_mcc", "chance", "independence_floor"),
    ):
        (expected,) = {
            getattr(s, attribute) for s in known.scores if (s.run_b, s.metric, s.sample, s.k) == ("known", metric, "out", None)
        }
        assert floor_name(metric) == name
        assert floor_of(known.scores, ("known", "known"), metric) == expected
    assert floor_of(known.scores, ("known", "absent"), "strong_mcc") is None


def test_a_matched_pair_and_recovered_sources_are_described_with_their_chance(make_run):
    folder = make_run("known", restarts=3, sources=True)
    known = scored(folder)
    (floor,) = {s.rotation_floor for s in known.scores if (s.metric, s.sample, s.k) == ("strong_mcc", "out", None)}
    (match,) = match_figure(known).panels
    assert f"Strong MCC of the pair {known.matches[0].score:.2f}, rotation floor {floor:.2f};" in match.description
    (signal, *_), (panel, *_) = (found := signals(read_groups([str(folder)]))), sources_figure(found).panels
    (one,) = signal.recovered
    assert panel.title == f"source 0: |r| {one.correlation:.2f}; rotation {one.rotation_floor:.2f}"
    both = f"chance {one.independence_floor:.2f}, rotation floor {one.rotation_floor:.2f}"
    assert f"|r| {one.correlation:.2f}, {both}" in panel.description


def test_a_family_has_one_colour_in_all_figures(figures):
    colours = [
        {key.label: key.series for key in figures[name].legend} for name in ("curves", "weak", "box", "sources box", "elbo")
    ]
    assert all(legend["vae"] == colours[0]["vae"] and legend["ivae"] == colours[0]["ivae"] for legend in colours)


def test_runs_without_sources_change_no_colour(make_run):
    plain, known = make_run("a-plain", restarts=3, family="ivae"), make_run("known", restarts=3, sources=True)
    comparison = scored(plain, known)
    found = [box_figure(comparison, metric) for metric in ("strong_mcc", "source_strong_mcc")]
    assert [key.series for figure in found for key in figure.legend if key.label == "vae"] == [1, 1]
    assert "ivae" not in {key.label for key in found[1].legend}
    assert found[0].name != found[1].name


def test_families_share_a_panel_and_names_tell_twins_apart():
    runs = tuple(replace(RUN, name=f"{family}-{d}", family=family, latent_dim=d) for d in (20, 5) for family in ("vae", "vade"))
    arrangement = arranged(runs)
    assert list(arrangement.groups) == ["mlp mnist d=5", "mlp mnist d=20"]
    assert arrangement.series == {"vae": 0, "vade": 1}
    twins = (*runs, replace(RUN, name="vae-5-again", latent_dim=5))
    assert arranged(twins).labels["vae-5-again"] == "vae-5-again"
    many = tuple(replace(RUN, name=f"vae-{i}") for i in range(colors.SERIES + 1))
    assert len(arranged(many).groups) == len(many)
    assert arranged(many).series == {"vae": 0}


def test_many_classes_are_steps_of_the_ramp(make_run):
    labels = np.arange(600) % 40
    figure = latents_figure([read_planes(str(make_run("a", labels=labels)))])
    assert figure.ramp == ("label", "0", "39")
    assert figure.legend == ()
    series = [mark.series for mark in figure.panels[0].marks]
    assert min(series) == RAMP_SERIES
    assert max(series) == RAMP_SERIES + len(colors.RAMP) - 1
    ET.fromstring(figure_svg(figure))


@pytest.mark.parametrize("values", [[0.0, 1.0], [-3.2e-7, 4e-7], [5.0], [1e6, 3e6], [-1.0, -1.0], [0.0]])
def test_an_axis_holds_its_values_and_has_a_few_round_marks(values):
    axis = fitted_axis("x", np.array(values))
    assert axis.low < min(values) <= max(values) < axis.high
    assert 2 <= len(axis.ticks) <= 12
    assert all(axis.low <= tick <= axis.high for tick, _ in axis.ticks)
    assert len({name for _, name in axis.ticks}) == len(axis.ticks)


@pytest.mark.parametrize("last", [1, 2, 5, 7, 50, 200, 4096])
def test_a_counting_axis_counts_from_one(last):
    axis = counting_axis("m", last)
    assert axis.low < axis.high
    assert axis.ticks[0] == (1, "1")
    assert len(axis.ticks) <= 8


def luminance(color):
    """Relative luminance of WCAG 2."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_colours_stand_out_from_the_page_and_values_from_their_cells():
    assert min(contrast(color, "#ffffff") for color in colors.LIGHT) >= 3  # WCAG 2.2, 1.4.11
    assert min(contrast(color, "#14171a") for color in colors.DARK) >= 3
    for step, color in enumerate(colors.RAMP):
        assert contrast(color, "#111111" if step >= colors.FIRST_LIGHT_STEP else "#ffffff") >= 4.5  # 1.4.3
    assert np.all(np.diff([luminance(color) for color in colors.RAMP]) > 0)


def simulated(color, matrix):
    """A colour as people without one kind of cone see it, in linear light."""
    channels = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return np.cbrt((matrix @ linear).clip(0, 1))  # about as eyes judge distances


@pytest.mark.parametrize("palette", [colors.LIGHT, colors.DARK])
def test_the_first_colours_differ_for_people_without_red_or_green_cones(palette):
    protan = np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]])
    deutan = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]])
    for matrix in (np.eye(3), protan, deutan):  # Machado, Oliveira & Fernandes 2009
        seen = [simulated(color, matrix) for color in palette[:4]]
        nearest = min(math.dist(a, b) for i, a in enumerate(seen) for b in seen[:i])
        assert nearest > 0.12


def test_a_figure_is_as_wide_as_its_panels():
    def width(panels):
        figure = Figure("name", "title", "caption", tuple(panel([]) for _ in range(panels)))
        return int(ET.fromstring(figure_svg(figure)).get("width"))

    assert width(1) < width(2) < width(3) == width(7)
