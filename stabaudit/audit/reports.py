"""What an audit reports beside its runs: settings against each other, sources of chance, numbers that others published."""

from dataclasses import replace

from stabaudit.audit.plan import Plan
from stabaudit.audit.run import hold_references
from stabaudit.comparison.surveys.along_key import along_key
from stabaudit.comparison.surveys.sources_of_variance import sources_of_variance
from stabaudit.comparison.surveys.survey import Survey
from stabaudit.comparison.views.run_origins import read_origins
from stabaudit.reports.figures.fit import fit_figure
from stabaudit.reports.report import Report
from stabaudit.reports.sections.along_key import along_key_report
from stabaudit.reports.sections.references import references_report
from stabaudit.reports.sections.sources_of_variance import sources_report


def reports_beside(plan: Plan, survey: Survey) -> list[Report]:
    """Those that the plan's runs give something for."""
    found = []
    if plan.references or plan.deviations:
        found.append(references_report(hold_references(plan, survey), plan.deviations, survey.comparison))
    if rows := along_key(survey.comparison, survey.configs, read_origins(survey.comparison.runs)):
        figure = fit_figure(rows)
        found.append(replace(along_key_report(rows), figures=[] if figure is None else [figure]))
    if sources := sources_of_variance(survey.comparison, survey.configs):
        found.append(sources_report(sources))
    return found
