"""The table of formats: what `--format` takes, what each is for, and the function that writes it.

A format is one file in this folder and one entry here. Nothing is imported before a format is asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

Kind = Literal["results", "page", "gates"]


@dataclass(frozen=True)
class Format:
    """One way to write results.

    Args:
        name: as it is typed.
        summary: what it is for, in a few words.
        target: `module:function` of a report and the keywords of `stabaudit.reports.formats.render.render`; html's is of a page.
        kinds: what it can be asked for: results of any command, those of runs, which can fill a page, and those of gates.
        endings: of files that are written in it unless another is asked for.
    """

    name: str
    summary: str
    target: str
    kinds: tuple[Kind, ...]
    endings: tuple[str, ...] = ()

    def writer(self) -> Callable[..., str]:
        """The function; its module is imported now."""
        module, _, name = self.target.partition(":")
        found: Any = getattr(import_module(module), name)
        writer: Callable[..., str] = found
        return writer


_EVERYWHERE: tuple[Kind, ...] = ("results", "page", "gates")
_HERE = "stabaudit.reports.formats"
FORMATS = {
    one.name: one
    for one in (
        Format("table", "for a terminal", f"{_HERE}.terminal:write", _EVERYWHERE, (".txt",)),
        Format("json", "all records, strict", f"{_HERE}.json_format:write", _EVERYWHERE, (".json",)),
        Format(
            "csv",
            "the main list of records, the others beside it",
            f"{_HERE}.csv_format:write",
            _EVERYWHERE,
            (".csv",),
        ),
        Format("markdown", "for a pull request", f"{_HERE}.markdown:write", _EVERYWHERE, (".md", ".markdown")),
        Format("latex", "for a paper", f"{_HERE}.latex:write", _EVERYWHERE, (".tex",)),
        Format("github", "annotations of GitHub Actions", f"{_HERE}.github:write", ("page", "gates")),
        Format("junit", "for build servers", f"{_HERE}.junit:write", ("gates",), (".xml",)),
        Format("html", "one file with figures", f"{_HERE}.html:as_html", ("page",), (".html", ".htm")),
    )
}


def formats_for(kind: Kind) -> list[Format]:
    """The formats that can be asked for, in the order of help texts."""
    return [one for one in FORMATS.values() if kind in one.kinds]


def format_of(path: Path) -> str | None:
    """The format that a file's name asks for by its ending, if any.

    >>> format_of(Path("report.html")), format_of(Path("out"))
    ('html', None)
    """
    ending = path.suffix.lower()
    return next((one.name for one in FORMATS.values() if ending in one.endings), None)
