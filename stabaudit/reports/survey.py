"""Many runs in one report: a row each and, on request, their families against each other."""

from stabaudit.comparison.configurations import table_of_runs
from stabaudit.comparison.survey import Survey
from stabaudit.reports.comparison import summary_report
from stabaudit.reports.families import families_report
from stabaudit.reports.report import Report, joined
from stabaudit.statistics.families import FamilyTests, compare_families
from stabaudit.statistics.gate import parse_score
from stabaudit.statistics.signed_rank import Zeros


def survey_report(survey: Survey, score: str, zeros: Zeros, *, wilcoxon: bool) -> Report:
    """Report on the runs of a survey.

    Args:
        survey: the runs and their scores.
        score: which score to test families on, as in `stabaudit.statistics.gate.parse_score`.
        zeros: what the signed-rank test does with differences of zero.
        wilcoxon: whether to test families.

    Raises:
        UsageError: an unknown score, or families that cannot be tested.
    """
    tests = family_tests(survey, score, zeros) if wilcoxon else None
    return joined([summary_report(survey.comparison), *details(tests)])


def family_tests(survey: Survey, score: str, zeros: Zeros) -> FamilyTests:
    """Families against each other over the configurations of a survey; arguments and errors as of `survey_report`."""
    key = parse_score(score)
    return compare_families(table_of_runs(survey, key), score=str(key), zeros=zeros)


def details(tests: FamilyTests | None) -> list[Report]:
    """What a survey tells beyond a row for each run."""
    return [families_report(tests)] if tests is not None else []
