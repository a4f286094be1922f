"""Fit against stability along one setting."""

from dataclasses import replace

import numpy as np
import pytest

from stabaudit.comparison.settings import Settings
from stabaudit.comparison.surveys.along_key import _recommended, along_key
from stabaudit.comparison.surveys.survey import survey
from stabaudit.comparison.views.run_origins import read_origins
from stabaudit.reports.figures.elements import Labels, Line, Points, Segments
from stabaudit.reports.figures.fit import fit_figure
from stabaudit.reports.sections.along_key import along_key_report, recommendation

N = 200


@pytest.fixture(scope="module")
def found(make_lasting_run):
    rng = np.random.default_rng(0)
    for family, noise in (("vae", 0.1), ("vade", 0.5)):
        for d in (2, 3, 5):
            base = rng.laplace(size=(N, d))
            latents = [base + noise * d / 3 * rng.normal(size=base.shape) for _ in range(4)]
            losses = [10.0 - d + 0.01 * restart for restart in range(4)]
            make_lasting_run(f"{family}-{d}", d=d, ids=np.arange(N), latents=latents, family=family, losses=losses)
    lone = make_lasting_run("lone", d=4, ids=np.arange(N), latents=[rng.normal(size=(N, 4)) for _ in range(3)], family="ivae")
    return survey([lone.parent], Settings(floor_draws=2, rotations=9))


def rows_of(found):
    return along_key(found.comparison, found.configs, read_origins(found.comparison.runs))


@pytest.mark.slow
def test_runs_that_differ_in_one_number_only_are_held_against_each_other(found):
    rows = rows_of(found)
    assert {(row.of, row.key) for row in rows} == {("vae", "latent_dim"), ("vade", "latent_dim")}
    assert [row.value for row in rows if row.of == "vae"] == [2, 3, 5]
    for row in rows:
        (score,) = [s for s in found.comparison.scores if (s.run_a, s.metric, s.sample) == (row.run, "strong_mcc", "out")]
        assert row.stability == score.adjusted
        assert (row.stability_low, row.stability_high) == score.interval("adjusted")
        assert (row.fitted_by, row.fit) == ("objective", pytest.approx(-(10.0 - row.value + 0.015)))
        assert row.dimensions == row.value


def test_runs_that_differ_in_something_else_too_are_a_table_of_their_own(make_run, tmp_path):
    rng = np.random.default_rng(1)
    for architecture in ("mlp", "resnet"):
        for d in (2, 3, 4):
            latents = [rng.laplace(size=(N, d)) for _ in range(3)]
            make_run(f"{architecture}-{d}", d=d, ids=np.arange(N), latents=latents, losses=[d, d, d], architecture=architecture)
    rows = rows_of(survey([tmp_path], Settings(floor_draws=2, rotations=9)))
    assert [row.of for row in rows] == ["vae architecture=mlp"] * 3 + ["vae architecture=resnet"] * 3
    assert [row.value for row in rows] == [2, 3, 4, 2, 3, 4]
    assert [section.title for section in along_key_report(rows).sections] == [
        "vae architecture=mlp by latent_dim: fit against stability",
        "vae architecture=resnet by latent_dim: fit against stability",
    ]
    assert [panel.title for panel in fit_figure(rows).panels] == [
        "vae architecture=mlp by latent_dim",
        "vae architecture=resnet by latent_dim",
    ]


def test_the_figure_has_a_point_for_each_value_its_interval_and_a_ring_around_the_recommended(found):
    rows = rows_of(found)
    figure = fit_figure(rows)
    assert len(figure.panels) == 2
    for panel, family in zip(figure.panels, dict.fromkeys(row.of for row in rows), strict=True):
        own = [row for row in rows if row.of == family]
        points, ring = [mark for mark in panel.marks if isinstance(mark, Points)]
        assert points.x.tolist() == [row.stability for row in own]
        assert points.y.tolist() == [row.fit for row in own]
        bars = next(mark for mark in panel.marks if isinstance(mark, Segments))
        assert bars.x.tolist() == pytest.approx([max(row.stability_low, panel.x.low) for row in own])
        assert bars.x_end.tolist() == pytest.approx([row.stability_high for row in own])
        (best,) = [row for row in own if row.recommended]
        assert (ring.shape, ring.x.tolist(), ring.y.tolist()) == ("ring", [best.stability], [best.fit])
        (labels,) = [mark for mark in panel.marks if isinstance(mark, Labels)]
        assert [text.partition(" ")[0] for text in labels.texts] == ["2", "3", "5"]
        dashed = next(mark for mark in panel.marks if isinstance(mark, Line))
        assert set(dashed.x.tolist()) == {max(row.stability for row in own)}
        assert recommendation(own) in panel.description
    assert fit_figure([replace(row, fit=None) for row in rows]) is None


def test_the_best_fit_among_the_most_stable_is_recommended(found):
    for family in ("vae", "vade"):
        rows = [row for row in rows_of(found) if row.of == family]
        (best,) = [row for row in rows if row.recommended]
        most = max(row.stability for row in rows)
        eligible = [row for row in rows if row.stability_high >= most]
        assert best.fit == max(row.fit for row in eligible)
        assert f"Take latent_dim {best.value:g}: " in recommendation(rows)


def test_nothing_is_recommended_where_fit_is_measured_in_two_ways_or_unknown(found):
    rows = [replace(row, recommended=False) for row in rows_of(found) if row.of == "vae"]
    mixed = [replace(rows[0], fitted_by="log_likelihood"), *rows[1:]]
    unknown = [replace(row, fit=None) for row in rows]
    for few in (mixed, unknown, rows[:2]):
        assert not any(row.recommended for row in _recommended(few))
        assert recommendation(few).startswith("No value is recommended")


def test_the_table_marks_it(found):
    sections = along_key_report(rows_of(found)).sections
    assert len(sections) == 2
    for section in sections:
        assert [row[-1] for row in section.rows].count("recommended") == 1


def test_of_two_that_are_as_stable_the_better_fit_is_recommended(found):
    from dataclasses import replace

    base = next(row for row in rows_of(found) if row.of == "vae")
    rows = [
        replace(base, value=value, fit=fit, stability=stability, stability_high=high, recommended=False)
        for value, fit, stability, high in ((2, -3.0, 0.80, 0.9), (3, -1.0, 0.78, 0.80), (5, -0.5, 0.5, 0.79))
    ]
    assert [row.recommended for row in _recommended(rows)] == [False, True, False]  # an interval that reaches the mean counts
    changing = [replace(row, key="family.beta") for row in rows]  # an objective that the setting changes says nothing
    assert not any(row.recommended for row in _recommended(changing))
