"""Reports in every format: exact text, strict JSON, CSV that no spreadsheet runs, and text that no format takes for markup."""

import csv
import io
import json
import math
import re

import pytest

from stabaudit.reports.formats.csv_format import as_csv
from stabaudit.reports.formats.render import render
from stabaudit.reports.report import Report, Section, joined

REPORT = Report(
    [Section("[bold]runs[/bold]", ["run", "score"], [["a|b", "0.5"], ["[red]x", "–"]], ["a_b is *fine*."])],
    {
        "scores": [
            {"run": "=1+1", "score": 0.5, "dead": ("z1", "z2")},
            {"run": "[red]x", "score": math.nan, "dead": ()},
        ]
    },
)


def test_a_table_shows_text_as_it_is():
    assert render(REPORT, "table") == (
        "[bold]runs[/bold]\nrun     score\n─────────────\na|b       0.5\n[red]x      –\n  a_b is *fine*.\n"
    )


def test_json_is_strict():
    def refuse(constant):
        raise AssertionError(constant)

    document = json.loads(render(REPORT, "json"), parse_constant=refuse)
    assert document == {
        "schema_version": 1,
        "scores": [
            {"run": "=1+1", "score": 0.5, "dead": ["z1", "z2"]},
            {"run": "[red]x", "score": None, "dead": []},
        ],
    }


def test_csv_holds_no_formulas():
    rows = list(csv.DictReader(io.StringIO(render(REPORT, "csv"))))
    assert rows == [{"run": "'=1+1", "score": "0.5", "dead": "z1 z2"}, {"run": "[red]x", "score": "", "dead": ""}]


def test_markdown_escapes_what_it_would_interpret():
    assert render(REPORT, "markdown") == (
        "## \\[bold\\]runs\\[/bold\\]\n\n"
        "a\\_b is \\*fine\\*.\n\n"
        "| run | score |\n"
        "| :-- | --: |\n"
        "| a\\|b | 0.5 |\n"
        "| \\[red\\]x | – |\n"
    )


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_narrow_terminal_folds_and_cuts_nothing(width):
    name = "a-run-with-a-very-long-name-that-does-not-fit"
    text = render(Report([Section("title", ["run", "score"], [[name, "0.123"]], ["many words " * 9])]), "table", width=width)
    assert max(map(len, text.splitlines())) <= width
    assert name in "".join(line.strip() for line in text.splitlines()) or name in "".join(
        line[: width - 7].strip() for line in text.splitlines()
    )
    assert "0.123" in text
    assert "…" not in text


def test_without_a_terminal_no_line_is_broken():
    text = render(Report([Section("t" * 300, ["run"], [["r" * 300]], ["w" * 300])]), "table")
    assert {"t" * 300, "r" * 300, "  " + "w" * 300} <= set(text.splitlines())


def test_colour_only_when_asked_for():
    report = Report([Section("gates", ["gate", "verdict"], [["a", "fail"]])])
    assert "\x1b[" not in render(report, "table")
    assert re.search(r"\x1b\[31m *fail", render(report, "table", color=True))


def test_joined_reports_keep_every_record():
    other = Report([], {"scores": [{"run": "c"}], "families": [{"n": 1}]}, main="families")
    both = joined([REPORT, other])
    assert [len(found) for found in both.records.values()] == [3, 1]
    assert render(both, "csv") == "n\n1\n"


@pytest.mark.parametrize("sign", "=+-@＝＋－＠")
def test_every_sign_that_begins_a_formula_is_quoted(sign):
    assert as_csv([{"name": f"{sign}cmd()"}]) == f"name\n'{sign}cmd()\n"


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_number_is_broken_over_lines_and_no_line_is_too_long(width):
    header = ["run", "N", "strong MCC [95%]", "floors", "weak MCC@all [95%]", "floor"]
    rows = [[f"a-run-of-a-long-name-{i}", "3", "0.60 [0.32, 0.83]", "0.05/0.40", "0.67 [0.56, 0.77]", "0.05"] for i in (1, 10)]
    text = render(Report([Section("title", header, rows)]), "table", width=width)
    assert max(map(len, text.splitlines())) <= width
    assert text.count("0.05/0.40") == 2
    assert " ".join(text.split()).count("0.67 [0.56, 0.77]") == 2
    if width > 60:
        assert [line.count("]") for line in text.splitlines() if "0.60" in line] == [2, 2]  # a table
