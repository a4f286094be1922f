"""Figures as files: the kind is that of the file's name."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from stabaudit.errors import UsageError

if TYPE_CHECKING:
    from stabaudit.reports.figures.elements import Figure

_INCHES = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4}
_NARROWEST, _WIDEST = 2.5, 20.0  # inches
KINDS: dict[str, Literal["svg", "png", "pdf"]] = {".svg": "svg", ".png": "png", ".pdf": "pdf"}


def require_kind(path: Path, option: str) -> Path:
    """Refuse a file that could not be written, or of a kind that is not drawn, before any work is done for it."""
    if path.suffix.lower() not in KINDS:
        raise UsageError(f"{option} {path}: expected a name that ends in .svg, .png or .pdf")
    if path.is_dir():
        raise UsageError(f"{option} {path}: is a folder; name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"{option} {path}: no folder {path.parent}; make it first")
    return path


def inches_of(text: str) -> float:
    """A width on paper in inches.

    >>> inches_of("3.25in"), inches_of("89mm"), inches_of("8.9 cm")
    (3.25, 3.5039370078740157, 3.5039370078740157)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(in|cm|mm)", text.strip())
    width = float(found[1]) * _INCHES[found[2]] if found else 0.0
    if not _NARROWEST <= width <= _WIDEST:
        raise typer.BadParameter(f"{text!r}: expected a width from {_NARROWEST}in to {_WIDEST}in, such as 3.25in, 89mm or 17cm")
    return width


def write_figure(figure: "Figure", path: Path, inches: float | None = None) -> None:
    """Draw a figure into a file, whole or not at all; `inches` wide, or as wide as suits a screen.

    Raises:
        BadRun: where it cannot be written.
    """
    from stabaudit.store.files.atomic import write_bytes

    kind = KINDS[path.suffix.lower()]
    if kind == "svg":
        from stabaudit.reports.figures.layout import figure_svg

        write_bytes(path, figure_svg(figure, inches).encode())
    else:
        try:
            from stabaudit.reports.figures.matplotlib_file import figure_bytes
        except ValueError as error:  # all that matplotlib refuses when it is imported
            raise UsageError(f"matplotlib cannot be used: {' '.join(str(error).split())}; unset MPLBACKEND") from error

        write_bytes(path, figure_bytes(figure, kind, inches))
