"""Many runs in one report: a row each and, on request, their families against each other."""

from stabaudit.comparison.surveys.survey import Survey
from stabaudit.reports.report import Report, joined
from stabaudit.reports.sections.comparison import summary_report
from stabaudit.reports.sections.families import families_report
from stabaudit.statistics.families import FamilyTests


def survey_report(survey: Survey, tests: FamilyTests | None) -> Report:
    """A row for each run, and the tests of their families, where there are any."""
    return joined([summary_report(survey.comparison), *details(tests)])


def details(tests: FamilyTests | None) -> list[Report]:
    """What a survey tells beyond a row for each run."""
    return [families_report(tests)] if tests is not None else []
