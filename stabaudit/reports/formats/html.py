"""A report as one HTML file that needs nothing else: no network, no font, no picture beside it.

Everything that a user, a file or a manifest named is escaped by the template, and the page's policy lets no script run but its
own, whose digest it states.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from stabaudit import __version__
from stabaudit.comparison.records import Comparison
from stabaudit.comparison.views.run_origins import Origin
from stabaudit.metrics.scores import MEANS, headlines
from stabaudit.reports.column_heads import meaning
from stabaudit.reports.figures import colors, svg
from stabaudit.reports.figures.boxes import box_figure
from stabaudit.reports.figures.curves import curves_figure
from stabaudit.reports.figures.dimensions import dimensions_figure, strip_figure
from stabaudit.reports.figures.elements import Figure
from stabaudit.reports.figures.heatmaps import heatmap_figure
from stabaudit.reports.figures.matched_dimensions import match_figure
from stabaudit.reports.figures.objective import objective_figure
from stabaudit.reports.formats.plain_text import clean
from stabaudit.reports.report import Section
from stabaudit.reports.sections.comparison import summarised
from stabaudit.reports.sections.reproduce import reproduce_sections

_OPEN_PANELS = 12  # of a figure; the others are unfolded by a click, and on paper


@dataclass(frozen=True)
class Page:
    """What a page shows, in this order.

    Args:
        title: of the page.
        lead: what it says in plain words, a sentence each.
        sections: tables and what they mean.
        figures: see `stabaudit.reports.figures`.
        warnings: one line each.
        reproduce: how to get the same results again.
        scored: whether it shows scores of pairs, whose floors and intervals it then explains.
    """

    title: str
    lead: Sequence[str]
    sections: Sequence[Section]
    figures: Sequence[Figure]
    warnings: Sequence[str]
    reproduce: Sequence[Section]
    scored: bool = True


def page_of(
    comparison: Comparison,
    origins: Sequence[Origin],
    *,
    title: str,
    lead: Sequence[str],
    sections: Sequence[Section],
    command: str,
    figures: Sequence[Figure] = (),
) -> Page:
    """Everything that can be shown of a comparison.

    Args:
        comparison: the results.
        origins: manifests of its runs.
        title: of the page.
        lead: what the results say.
        sections: its tables.
        command: that makes this page.
        figures: further ones, which come last.
    """
    shown = [headlines()[0].name, *(one.name for one in summarised(comparison) if not one.headline)]
    drawn = [
        *(curves_figure(comparison, metric) for metric in dict.fromkeys(curve.metric for curve in comparison.curves)),
        dimensions_figure(comparison),
        strip_figure(comparison),
        *(box_figure(comparison, metric) for metric in shown),
        box_figure(comparison, f"{MEANS.prefix}{shown[0]}"),
        *(heatmap_figure(comparison, metric) for metric in shown),
        objective_figure(comparison, origins),
        match_figure(comparison),
        *figures,
    ]
    return Page(
        title,
        lead,
        sections,
        [figure for figure in drawn if figure is not None],
        comparison.warnings,
        reproduce_sections(origins, command),
    )


def as_html(page: Page) -> str:
    """Write a page."""
    here = files("stabaudit.reports.formats")
    style, script = (here.joinpath(f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
    for scheme, dark in (("light", False), ("dark", True)):
        style = style.replace(f"/* {scheme} series */", colors.css(dark=dark))
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_printable
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.from_string(here.joinpath("page.html").read_text("utf-8")).render(
        page=page,
        version=__version__,
        style=Markup(style + svg.STYLE),  # noqa: S704 -- the package's own
        script=Markup(script),  # noqa: S704 -- the package's own
        digest=digest,
        meaning=meaning,
        panel=lambda *arguments: Markup(svg.panel_svg(*arguments)),  # noqa: S704 -- escapes by itself
        key=lambda key: Markup(svg.key_svg(key)),  # noqa: S704 -- numbers alone
        steps=range(len(colors.RAMP)),
        few=_OPEN_PANELS,
    )


def _printable(value: object) -> object:
    """Text of others without control characters."""
    return clean(value) if type(value) is str else value
