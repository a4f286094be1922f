"""A report as Markdown for a pull request: of each section first what it means, then its table, folded where it is long."""

import re
from collections.abc import Sequence

from stabaudit.reports.formats.plain_text import clean
from stabaudit.reports.report import Report, Section

_LONG = 12  # rows; a longer table is folded up

_SPECIAL = re.compile(r"[\\`*_\[\]<>|#~$&]")
_BEGINS = re.compile(r"([-+=:]|\d+[.)](?=\s|$))")  # a list, a rule, or a command of a build server


def write(report: Report, **_: object) -> str:
    """The sections of a report."""
    return as_markdown(report.sections)


def as_markdown(sections: Sequence[Section]) -> str:
    """Sections with headings, words and pipe tables."""
    return "\n\n".join(map(section_markdown, sections)) + "\n"


def section_markdown(section: Section) -> str:
    """One section, without the line end."""
    words = [_paragraph(text) for text in section.words]
    parts = [f"## {escaped(section.title)}"]
    if words:
        parts.append(words[0] if len(words) == 1 else "\n".join(f"- {text}" for text in words))
    if section.rows:
        table = _table(section)
        folded = f"<details><summary>{len(section.rows)} rows</summary>\n\n{table}\n\n</details>"
        parts.append(folded if len(section.rows) > _LONG else table)
    return "\n\n".join(parts)


def _table(section: Section) -> str:
    aligned = [":--" if position < section.left else "--:" for position in range(len(section.header))]
    rows = [[escaped(cell) for cell in row] for row in (section.header, *section.rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], aligned, *rows[1:]))


def escaped(text: str) -> str:
    r"""Text that Markdown leaves as it is, on one line, and that calls nobody's name.

    >>> escaped("a_b *c*"), escaped("@all")
    ('a\\_b \\*c\\*', '@<!-- -->all')
    """
    line = _SPECIAL.sub(r"\\\g<0>", clean(" ".join(text.split())))
    return re.sub(r"(?<!\w)@(?=\w)", "@<!-- -->", line)


def _paragraph(text: str) -> str:
    """Escaped text that begins nothing but a paragraph."""
    line = escaped(text)
    begins = _BEGINS.match(line)
    return line if begins is None else f"{line[: begins.end() - 1]}\\{line[begins.end() - 1 :]}"
