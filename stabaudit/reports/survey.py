"""Many runs in one report: a row each and, on request, their families against each other."""

from stabaudit.comparison.configurations import table_of_runs
from stabaudit.comparison.survey import Survey
from stabaudit.reports.comparison import summary_report
from stabaudit.reports.families import families_report
from stabaudit.reports.report import Report, joined
from stabaudit.statistics.families import compare_families
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
    key = parse_score(score)
    summary = summary_report(survey.comparison)
    if not wilcoxon:
        return summary
    table = table_of_runs(survey, key)
    return joined([summary, families_report(compare_families(table, score=str(key), zeros=zeros))])
