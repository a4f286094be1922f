"""Names that try to be markup, formulas, commands or control characters come out as text in every format.

The second opinion is the reader of each format: a Markdown renderer, an XML and an HTML parser, csv and json. They must see the
same structure as with a harmless name.
"""

import csv
import io
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from junitparser import JUnitXml
from markdown_it import MarkdownIt

from stabaudit.comparison.compare import compare
from stabaudit.comparison.gating.gates import judge_requirement
from stabaudit.comparison.reading.selectors import read_groups
from stabaudit.comparison.settings import Settings
from stabaudit.comparison.surveys.survey import Survey
from stabaudit.reports.formats.github import job_summary
from stabaudit.reports.formats.html import as_html, page_of
from stabaudit.reports.formats.render import render
from stabaudit.reports.sections.comparison import comparison_report, summary_report
from stabaudit.reports.sections.gates import gates_report
from stabaudit.reports.sections.lead import lead
from stabaudit.statistics.gate import parse_requirement

sys.path.insert(0, str(Path(__file__).parent))
from latex_reader import printed, tables

HARMLESS = "vae"
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "entity": "&lt;b&gt; <!-- x -->",
    "rich": "[/red][bold]x",
    "link": "[x](http://example.com) ![y](z) <http://example.com>",
    "formula": "=cmd()",
    "formula-after-blanks": " \t=cmd()",
    "formula-full-width": "＝cmd()",
    "plus": "+1+1",
    "at": "@SUM(1)",
    "command": "::error::pwned",
    "command-after-blanks": "  ::error::pwned",
    "old-command": "x ##[error]pwned",
    "command-after-line": "x\n::error::pwned\r\n::add-mask::a",
    "encoded": "x%0A::error::pwned%25",
    "control": "a\x00b\x1b[31mc\x07d\x7fe\x9b31m",
    "direction": "a\u202eb\u2066c\u200fd",
    "half": "a\udce9b",
    "markdown": "# *a* _b_ `c` ~~d~~ | e | $f$ \\",
    "list": "1. x",
    "xml": "]]></testcase><failure/>",
    "quotes": "a\"b'c,d;e",
    "long": "x" * 300,
}
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff]")


class Tags(HTMLParser):
    """Elements of a document, in order, with the names of their attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, *(name for name, _ in attrs)))


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A comparison of two files, which is scored in no time."""
    folder = tmp_path_factory.mktemp("hostile")
    rng = np.random.default_rng(0)
    for name in "ab":
        np.savez(folder / f"{name}.npz", z=rng.normal(size=(60, 2)).astype(np.float32), sample_id=np.arange(60))
    return compare(read_groups([str(folder / "a.npz"), str(folder / "b.npz")]), Settings(floor_draws=1))


def named(comparison, name):
    """The comparison as if of one run called so."""

    def renamed(record):
        return replace(record, run_a=name, run_b=name, relation="within")

    scores = tuple(renamed(score) for score in comparison.scores if score.relation == "between" and "reverse" not in score.metric)
    return replace(
        comparison,
        runs=(replace(comparison.runs[0], name=name, path=name, family=name, restarts=2, trained=2),),
        scores=scores,
        curves=(),
        differences=(),
        pairs=(),
        collapse=(),
        dimensions=(),
        warnings=(name, f"{name}: two restarts make one pair"),
    )


def reports(scored, name):
    comparison = named(scored, name)
    gates = judge_requirement(Survey(comparison, {}), parse_requirement("strong_mcc>=0.6", default="strong_mcc"))
    return [comparison_report(comparison), summary_report(comparison), gates_report(gates, comparison)]


def lines_of(text):
    return text.split("\n")


def check_plain(text):
    """Nothing that a terminal acts on, nor a line that GitHub's runner takes for a command."""
    assert not RAW.search(text)
    assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]
    assert "##[" not in text


def check_table(report, usual, name):
    text = render(report, "table")
    check_plain(text)
    assert len(lines_of(text)) == len(lines_of(render(usual, "table")))
    assert not RAW.search(render(report, "table", width=60))  # a terminal, which folds, and runs no commands


def check_json(report, usual, name):
    text = render(report, "json")
    check_plain(text)
    assert lines_of(text)[0] == "{"
    document = json.loads(text)
    assert document["warnings"][0]["warning"] == name  # whole
    assert list(document) == list(json.loads(render(usual, "json")))


def check_csv(report, usual, name):
    text = render(report, "csv")
    check_plain(text)
    rows, expected = (list(csv.reader(io.StringIO(one), strict=True)) for one in (text, render(usual, "csv")))
    assert [len(row) for row in rows] == [len(row) for row in expected]
    assert len(text.splitlines()) == len(rows)
    number = re.compile(r"-?[0-9.]+(e-?[0-9]+)?")
    cells = [cell for row in rows for cell in row if not number.fullmatch(cell)]
    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@", "＝"))]


def check_markdown(report, usual, name):
    text = render(report, "markdown")
    check_plain(text)
    to_html = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render
    tags, expected = (Tags(to_html(one)).tags for one in (text, render(usual, "markdown")))
    assert tags == expected
    assert job_summary(report) == f"{text}\n"


def check_github(report, usual, name):
    text = render(report, "github")
    assert not RAW.search(text)
    command = re.compile(r"::(error|warning|notice) title=[^:,\n]*::.*")
    assert all(command.fullmatch(line) for line in text.splitlines())
    kinds = [[command.fullmatch(line)[1] for line in render(one, "github").splitlines()] for one in (report, usual)]
    assert kinds[0] == kinds[1]
    assert not re.search(r"%(?!25|3A|2C)", text)  # a per cent sign of a name is one again once decoded


def check_junit(report, usual, name):
    text = render(report, "junit")
    assert not RAW.search(text)
    parsed = JUnitXml.fromstring(text.encode())
    expected = JUnitXml.fromstring(render(usual, "junit").encode())
    assert [len(list(suite)) for suite in parsed] == [len(list(suite)) for suite in expected]
    cases = [case for suite in parsed for case in suite]
    assert [type(result) for case in cases for result in case.result] == [
        type(result) for suite in expected for case in suite for result in case.result
    ]


def check_latex(report, usual, name):
    text = render(report, "latex")
    assert text.isascii()
    check_plain(text)
    found, expected = (tables(one) for one in (text, render(usual, "latex")))
    shapes = [
        [(["l" if kind == "p" else kind for kind in table.columns], len(table.rows)) for table in one]
        for one in (found, expected)
    ]
    assert shapes[0] == shapes[1]
    for table in found:
        for cell in [table.caption, *table.heads, *(cell for row in table.rows for cell in row)]:
            printed(cell)
    words = [line for line in text.splitlines() if line.endswith(r"\par")]
    assert len(words) == sum(line.endswith(r"\par") for line in render(usual, "latex").splitlines())
    for line in words:
        printed(line)


CHECKS = {
    "table": check_table,
    "json": check_json,
    "csv": check_csv,
    "markdown": check_markdown,
    "latex": check_latex,
    "github": check_github,
    "junit": check_junit,
}


@pytest.mark.parametrize("form", CHECKS)
@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_every_format_takes_names_for_text(scored, form, name):
    for report, usual in zip(reports(scored, name), reports(scored, HARMLESS), strict=True):
        CHECKS[form](report, usual, name)


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_pages_take_names_for_text(scored, name):
    def page(called):
        comparison = named(scored, called)
        sections = comparison_report(comparison).sections
        return as_html(page_of(comparison, [], title=called, lead=lead(comparison), sections=sections, command=called))

    text = page(name)
    assert Tags(text).tags == Tags(page(HARMLESS)).tags
    assert not RAW.search(text)
