"""A report as text, in any of the formats that the table of formats lists.

Names come from outside and may hold anything: whatever reads the text takes them for text.
"""

from stabaudit.reports.formats.table_of_formats import FORMATS
from stabaudit.reports.report import Report


def render(report: Report, form: str, *, width: int | None = None, color: bool = False) -> str:
    """Write a report as text, ending in a newline.

    Args:
        report: what to write.
        form: name of a format.
        width: columns of the terminal, for a table; None never breaks a line.
        color: whether a table may be coloured.
    """
    return FORMATS[form].writer()(report, width=width, color=color)
