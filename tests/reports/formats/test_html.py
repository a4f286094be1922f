"""The HTML report without a browser: one file, small enough, everything escaped, everything there."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from stabaudit.comparison.compare import compare
from stabaudit.comparison.reading.selectors import read_groups
from stabaudit.comparison.records import Comparison
from stabaudit.comparison.settings import Settings
from stabaudit.comparison.surveys.configurations import family_tests
from stabaudit.comparison.surveys.survey import survey
from stabaudit.comparison.views.run_origins import Origin, RestartOrigin, read_origins
from stabaudit.reports.formats.html import as_html, page_of
from stabaudit.reports.page_contents import comparison_page, survey_page
from stabaudit.reports.sections.lead import lead
from stabaudit.reports.sections.overview import overview_section
from stabaudit.reports.sections.reproduce import reproduce_sections

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>&[/red]=cmd()::error::\x00\x1b[31m\u202e\ud800'
VOID = {"meta", "img", "br", "link", "input"}


class Checked(HTMLParser):
    """What a page holds; every element closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def scored(*folders):
    return compare(read_groups([str(folder) for folder in folders]), Settings(floor_draws=2))


@pytest.fixture
def comparison(make_run):
    a = make_run("a", restarts=3, losses=[1.0, 2.0, 3.0], sources=True)
    return scored(make_run("b", "rotated", 3, family="ivae"), a)


@pytest.mark.slow
def test_a_page_is_one_file_that_asks_for_nothing(comparison):
    text = as_html(comparison_page(comparison, "stabaudit compare a b"))
    page = Checked(text)
    assert not [a for a in page.attributes if a[1] in {"src", "srcset", "action", "ping", "background"}]
    assert all(value.startswith("#") for tag, name, value in page.attributes if name == "href")
    assert not re.findall(r"url\(|@import|https?://(?!www\.w3\.org)", text)
    assert page.tags.count("script") == 1
    policy = next(value for tag, name, value in page.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-")


@pytest.mark.slow
def test_every_link_leads_somewhere_and_ids_are_unique(comparison):
    page = Checked(as_html(comparison_page(comparison, "stabaudit compare a b")))
    ids = [value for tag, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    referred = [v for _, name, value in page.attributes if name in {"aria-labelledby", "aria-describedby"} for v in value.split()]
    referred += [value[1:] for _, name, value in page.attributes if name == "href"]
    assert set(referred) <= set(ids)
    assert {
        "strong-curves",
        "weak-curves",
        "box",
        "source-box",
        "heatmap",
        "elbo",
        "match",
        "warnings",
        "reproduce",
        "summary",
    } <= set(ids)


def test_a_page_begins_with_what_it_says(comparison):
    said = lead(comparison)
    assert said[0] == "2 runs with 6 restarts, scored on held-out rows."
    assert said[2].startswith("a: All 4 dimensions are the same axes in every restart.")
    assert "(affine R² 0." in said[2]
    assert ", chance -0.0" in said[2]
    text = as_html(comparison_page(comparison, "x"))
    assert text.index("In short") < text.index("Configurations</h2>") < text.index("<figure")


def test_hostile_text_is_text_wherever_it_comes_from(comparison):
    def renamed(record, **names):
        return replace(record, **dict.fromkeys(names or ("run_a", "run_b"), HOSTILE))

    (_, a), environment = comparison.runs, read_origins(comparison.runs)[0].environment
    hostile = Comparison(
        runs=(renamed(a, name=1, family=1, architecture=1, dataset=1, path=1),),
        scores=tuple(renamed(s) for s in comparison.scores if s.run_a == s.run_b == "a"),
        differences=(),
        curves=tuple(renamed(c) for c in comparison.curves if c.run_a == c.run_b == "a"),
        warnings=(HOSTILE,),
        floor_draws=2,
        pairs=tuple(renamed(t) for t in comparison.pairs if t.run_a == t.run_b == "a"),
        matches=tuple(replace(m, run=HOSTILE, restart_a=HOSTILE, restart_b=HOSTILE) for m in comparison.matches[:1]),
    )
    restarts = tuple(RestartOrigin(f"a#{i}", i, "done", float(i)) for i in range(3))
    origin = Origin(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, environment.model_copy(update={"processor": HOSTILE}), restarts)
    page = page_of(hostile, [origin], title=HOSTILE, lead=lead(hostile), sections=[overview_section(hostile)], command=HOSTILE)
    text = as_html(page)
    text.encode()  # no half of a character is left
    checked = Checked(text)
    assert checked.tags.count("script") == 1
    assert "img" not in checked.tags
    assert not [name for _, name, _ in checked.attributes if name.startswith("on")]
    assert not set(text) & set("\x00\x1b\u202e\ud800")
    assert sum("alert(1)" in data for data in checked.text) > 10


@pytest.mark.slow
def test_twenty_four_configurations_of_three_families_fit_in_two_megabytes(make_run):
    one = scored(make_run("a", restarts=10, d=50, losses=[float(i) for i in range(10)]))
    (origin,) = read_origins(one.runs)
    names = [(family, size) for size in range(24) for family in ("vae", "ivae", "vade")]

    def every(records, rename):
        return tuple(rename(record, f"{family}-mlp-mnist-d{size}") for family, size in names for record in records)

    def runs(record, name):
        return replace(record, run_a=name, run_b=name)

    def table(record, name):
        restarts = tuple(f"{name}#{i}" for i in range(10))
        return replace(record, run_a=name, run_b=name, restarts_a=restarts, restarts_b=restarts)

    many = Comparison(
        runs=tuple(
            replace(one.runs[0], name=f"{family}-mlp-mnist-d{size}", family=family, dataset=f"data {size}")
            for family, size in names
        ),
        scores=every(one.scores, runs),
        differences=(),
        curves=every(one.curves, runs),
        warnings=(),
        floor_draws=2,
        pairs=every(one.pairs, table),
        matches=every(one.matches, lambda match, name: replace(match, run=name)),
    )
    origins = [
        replace(origin, run=run.name, restarts=tuple(replace(r, name=f"{run.name}#{i}") for i, r in enumerate(origin.restarts)))
        for run in many.runs
    ]
    page = page_of(many, origins, title="t", lead=lead(many), sections=[overview_section(many)], command="stabaudit report")
    shown = {figure.name: len(figure.panels) for figure in page.figures}
    assert shown == {"strong-curves": 24, "weak-curves": 24, "box": 24, "heatmap": 72, "elbo": 24, "match": 72}
    assert len(as_html(page).encode()) < 2_000_000


@pytest.mark.slow
def test_many_runs_are_summed_up_by_family_and_test(make_run, tmp_path):
    for d in (2, 3, 4):
        make_run(f"vae-d{d}", "unrelated", 3, d=d, family="vae")
        make_run(f"ivae-d{d}", "aligned", 3, d=d, family="ivae")
    make_run("vade-d2", "aligned", 3, d=2, family="vade", lost=("NaN",))
    found = survey([tmp_path], Settings(floor_draws=2))
    tests = family_tests(found, "strong_mcc", "pratt")
    said = lead(found.comparison, tests)
    assert said[0] == "7 runs with 21 restarts, scored on held-out rows."
    assert next(words for words in said if words.startswith("vae: ")).startswith("vae: 3 runs, strong MCC from 0.")
    assert [words.rpartition("; ")[2] for words in said[1:4]] == [
        "9 of 9 dimensions are the same axes in every restart of their run.",
        "2 of 2 dimensions are the same axes in every restart of their run.",
        "0 of 9 dimensions are the same axes in every restart of their run.",
    ]
    assert "ivae against vae over 3 configurations: too few configurations to show a difference (p = 0.250)." in said
    assert said[-1] == "1 warning below."
    text = as_html(survey_page(found, tests, "stabaudit report runs --wilcoxon --format html"))
    assert "exact Wilcoxon signed-rank" in text
    assert "3 of 4" in text
    assert "restart 3 diverged (NaN)" in text


@pytest.mark.slow
def test_how_to_reproduce_names_every_command_place_and_seed(make_run):
    comparison = scored(make_run("a", restarts=3, lost=("NaN",)), make_run("b", restarts=3))
    commands, place, runs = reproduce_sections(read_origins(comparison.runs), "stabaudit report x")
    assert commands.rows[0][1] == "stabaudit report x"
    assert commands.rows[1] == ["2 runs", "stabaudit train"]
    assert place.title == "Trained on (2 runs)"
    assert ["numpy", "2"] in place.rows
    assert runs.rows[0][3:] == ["f" * 16, "0–3", "seed 3 diverged"]


def test_latents_from_elsewhere_have_a_page_too(make_run, tmp_path):
    rng = np.random.default_rng(0)
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", z=rng.normal(size=(100, 3)).astype(np.float32), sample_id=np.arange(100))
    comparison = scored(tmp_path / "a.npz", tmp_path / "b.npz")
    text = as_html(comparison_page(comparison, "stabaudit compare a.npz b.npz"))
    Checked(text)
    assert "between a and b" in text
