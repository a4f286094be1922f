"""What build servers read: JUnit XML held against a parser, GitHub's commands and summaries against their definitions."""

from dataclasses import replace

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped

from stabaudit.reports.formats.github import ANNOTATIONS, SUMMARY_BYTES, job_summary
from stabaudit.reports.formats.render import render
from stabaudit.reports.report import Outcome, Report, Section

CASES = {
    ("pass", "pass"): [],
    ("fail", "fail"): [Failure],
    ("inconclusive", "inconclusive"): [Error],
    ("inconclusive", "pass"): [Skipped],
    ("inconclusive", "fail"): [Failure],
}


def report(outcomes, warnings=(), sections=()):
    return Report(sections, {"warnings": [{"warning": text} for text in warnings]}, main="warnings", outcomes=outcomes)


EVERY = report(
    [Outcome(f"strong_mcc.out >= 0.{i}", "vae", *verdicts, f"it is {i}.") for i, verdicts in enumerate(CASES)],
    ["2 of 3 restarts"],
)


def test_junit_is_read_back_with_every_verdict():
    (suite,) = JUnitXml.fromstring(render(EVERY, "junit").encode())
    found = {case.name: [type(result) for result in case.result] for case in suite}
    assert found == {f"strong_mcc.out >= 0.{i}": results for i, results in enumerate(CASES.values())}
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (5, 2, 1, 1)
    assert {case.classname for case in suite} == {"stabaudit.vae"}
    assert [result.message for case in suite for result in case.result] == ["it is 1.", "it is 2.", "it is 3.", "it is 4."]


def decoded(line):
    """What GitHub's runner makes of a command: its kind, title and message."""
    kind, _, rest = line.removeprefix("::").partition(" title=")
    title, _, message = rest.partition("::")

    def text(data, codes):
        for code, character in codes:
            data = data.replace(code, character)
        return data

    data = [("%0D", "\r"), ("%0A", "\n"), ("%25", "%")]
    return kind, text(title, [("%3A", ":"), ("%2C", ","), *data]), text(message, data)


def test_annotations_say_what_is_wrong_first():
    found = [decoded(line) for line in render(EVERY, "github").splitlines()]
    assert [kind for kind, _, _ in found] == ["error", "error", "warning", "warning", "warning", "notice"]
    assert found[0] == ("error", "fail: vae, strong_mcc.out >= 0.1", "it is 1.")
    assert ("warning", "stabaudit", "2 of 3 restarts") in found


@pytest.mark.parametrize("text", ["100%", "a%0Ab", "a::b", "a:b,c"])
def test_annotations_are_decoded_to_what_was_meant(text):
    (line,) = render(report([Outcome(text, text, "fail", "fail", text)]), "github").splitlines()
    assert decoded(line) == ("error", f"fail: {text}, {text}", text)


def test_there_are_ten_annotations_at_most_and_none_is_dropped_unsaid():
    ten = report([Outcome("a", "vae", "pass", "pass", str(i)) for i in range(ANNOTATIONS)])
    assert [decoded(line)[2] for line in render(ten, "github").splitlines()] == [str(i) for i in range(ANNOTATIONS)]
    many = replace(ten, outcomes=[*ten.outcomes, Outcome("a", "vae", "fail", "fail", "worst")])
    found = [decoded(line) for line in render(many, "github").splitlines()]
    assert len(found) == ANNOTATIONS
    assert found[0][2] == "worst"
    assert found[-1][2] == "2 more; the job summary has all of them"


def test_without_gates_words_become_notices():
    found = report([], ["w"], [Section("within vae", words=["axes are reproducible."])])
    assert render(found, "github") == "::warning title=stabaudit::w\n::notice title=within vae::axes are reproducible.\n"


@pytest.mark.parametrize("room", [0, 50, 500, 5_000, SUMMARY_BYTES])
def test_a_summary_fits_and_is_cut_between_sections(room):
    sections = [Section(f"section {i}", ["run", "π"], [["vae", "ä" * 30]] * 5, ["said."]) for i in range(10)]
    text = job_summary(report([], sections=sections), room)
    assert len(text.encode()) <= room
    tables = text.count("| vae |")
    assert tables == 5 * text.count("## section")
    assert (tables == 50) == (room > 4_999)
    assert (tables == 50) != text.endswith("writes all of it.\n") or not text


def test_a_long_table_is_folded_up_after_what_it_means():
    text = render(report([], sections=[Section("t", ["run"], [["vae"]] * 13, ["said.", "more."])]), "markdown")
    assert text.startswith("## t\n\n- said.\n- more.\n\n<details><summary>13 rows</summary>\n\n| run |\n| :-- |\n| vae |\n")
    assert text.endswith("\n\n</details>\n")
