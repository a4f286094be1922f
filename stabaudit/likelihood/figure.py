"""The negative log-likelihood along each number of a model (Kivva et al. 2022, Fig. 1)."""

from collections.abc import Sequence

import numpy as np

from stabaudit.likelihood.results import Fit, Judged
from stabaudit.likelihood.tables import FITTED, NAMES
from stabaudit.reports.figures.axes import fitted_axis
from stabaudit.reports.figures.elements import INK, Figure, Key, Line, Mark, Panel, Points
from stabaudit.reports.wording import number

_COLORS = {0: 0, -1: 1, 1: 2}  # by fitted components less true ones
_WIDTHS = {0: 1.4, -1: 1.4, 1: 3.2}  # pixels; J + 1 shows on both sides of J, which is the same distribution
_HIGHEST = 6.0  # nats per row above the smallest loss of a panel; what lies higher would flatten the rest
_SAID = {
    "only": "the only minimiser is the truth",
    "elsewhere": "the truth is ruled out",
    "another": "another minimum is as low",
    "flat": "not bounded within the range",
}


def likelihood_figure(fits: Sequence[Fit]) -> Figure:
    """A panel for each number of the true model, with a line for each number of components that was fitted.

    Args:
        fits: of one simulation.
    """
    right = next(fit for fit in fits if fit.fitted == fit.components)
    wrong = {fit.fitted - fit.components: fit for fit in fits if fit is not right}
    return Figure(
        name="likelihood",
        title=f"Negative log-likelihood along each number of simulation {right.simulation}, the others at the truth",
        caption=f"Exact, in nats per row; more than {_HIGHEST:g} above the minimum is drawn at the top. For wrong numbers of "
        "components, only the decoder's numbers; with J + 1 the distribution is the same.",
        panels=tuple(_panel(one, wrong) for one in right.judged),
        legend=(
            *(Key(f"{FITTED[excess]} components", _COLORS[excess]) for excess in sorted({0, *wrong})),
            Key("truth", INK, "dotted"),
            Key("minimiser", INK, "point"),
        ),
    )


def _panel(right: Judged, wrong: dict[int, Fit]) -> Panel:
    profile, name = right.profile, f"{NAMES[right.parameter]}{right.position + 1 if right.parameter != 'offset' else ''}"
    shown = {0: profile} | {
        excess: one.profile
        for excess, fit in wrong.items()
        for one in fit.judged
        if (one.parameter, one.position) == (right.parameter, right.position) and not one.parameter.startswith("mixture")
    }
    highest = profile.loss.min() + _HIGHEST
    lines = {excess: np.minimum(one.loss, highest) for excess, one in shown.items()}
    y = fitted_axis("nats per row", np.concatenate(list(lines.values())))
    marks: list[Mark] = [Line(np.full(2, profile.truth), np.array([y.low, y.high]), INK, "dotted", 1.4)]
    marks += [
        Line(one.values, lines[excess], _COLORS[excess], "solid", _WIDTHS[excess]) for excess, one in reversed(shown.items())
    ]
    marks += [Points(np.array([one.minimiser]), np.array([lines[excess].min()]), INK, 2.5) for excess, one in shown.items()]
    found = f"truth {number(profile.truth, 2)}, minimiser {number(profile.minimiser, 2)}"
    return Panel(
        title=f"{name}: {found}",
        description=f"Negative log-likelihood from {number(float(profile.loss.min()), 2)} to "
        f"{number(float(profile.loss.max()), 2)} nats per row over {name}; {found}: {_SAID[right.verdict]}.",
        x=fitted_axis(name, profile.values),
        y=y,
        marks=marks,
        height=220,
    )
