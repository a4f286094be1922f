"""What was tested as JUnit XML, which build servers list: one test case per gate.

Passed, failed, or neither: an inconclusive gate is an *error*, which could not be decided, so that no server shows it as passed;
where `--inconclusive` has declared that it passes it is *skipped*, where that it fails it is a failure. A server's colour and the
exit status thus agree.
"""

from junitparser import Error, Failure, Skipped
from junitparser.xunit2 import JUnitXml, TestCase, TestSuite

from stabaudit.reports.formats.plain_text import clean
from stabaudit.reports.report import Outcome, Report


def write(report: Report, **_: object) -> str:
    """Write the outcomes of a report; warnings are the suite's output."""
    suite = TestSuite("stabaudit")
    for outcome in report.outcomes:
        suite.add_testcase(_case(outcome))
    warnings = [str(record["warning"]) for record in report.records.get("warnings", ())]
    if warnings:
        suite.system_out = "\n".join(map(clean, warnings))
    document = JUnitXml("stabaudit")
    document.add_testsuite(suite)
    document.update_statistics()
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{document.tostring().decode("utf-8")}\n'


def _case(outcome: Outcome) -> TestCase:
    case = TestCase(clean(outcome.name), classname=f"stabaudit.{clean(outcome.of)}")
    message = clean(outcome.message)
    match outcome.counts_as:
        case "fail":
            case.result = [Failure(message, outcome.verdict)]
        case "inconclusive":
            case.result = [Error(message, outcome.verdict)]
        case "pass" if outcome.verdict == "inconclusive":
            case.result = [Skipped(message, outcome.verdict)]
        case "pass":
            case.system_out = message
    return case
