"""Figures as files: the kind is that of the file's name."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stabaudit.errors import UsageError

if TYPE_CHECKING:
    from stabaudit.reports.figures.elements import Figure

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


def write_figure(figure: "Figure", path: Path) -> None:
    """Draw a figure into a file, whole or not at all.

    Raises:
        BadRun: where it cannot be written.
    """
    from stabaudit.store.files.atomic import write_bytes

    kind = KINDS[path.suffix.lower()]
    if kind == "svg":
        from stabaudit.reports.figures.layout import figure_svg

        write_bytes(path, figure_svg(figure).encode())
    else:
        try:
            from stabaudit.reports.figures.matplotlib_file import figure_bytes
        except ValueError as error:  # all that matplotlib refuses when it is imported
            raise UsageError(f"matplotlib cannot be used: {' '.join(str(error).split())}; unset MPLBACKEND") from error

        write_bytes(path, figure_bytes(figure, kind))
