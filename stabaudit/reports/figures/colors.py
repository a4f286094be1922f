"""Colours that people with any kind of colour vision can tell apart.

Series: the palette of Okabe & Ito 2008, darkened to be seen on white and lightened to be seen on black, then three more. Values
and numbered classes: 21 steps of cividis (Nuñez, Anderton & Renslow 2018), which runs from dark blue to yellow with evenly rising
lightness.
"""

LIGHT = ("#0072b2", "#d55e00", "#007a5a", "#b3478f", "#a66f00", "#1b8fcf", "#4d4d4d", "#6a3d9a", "#8c4a2f", "#5f6b00")
DARK = ("#56b4e9", "#f0803c", "#2fc69a", "#f4b5cf", "#e6a93a", "#8fd0f5", "#bdbdbd", "#b79be0", "#d19a80", "#c3cf5a")
RAMP = (
    *("#00224e", "#002b62", "#083370", "#243c6e", "#35456c", "#434e6c", "#4f576c", "#5b606e", "#666970", "#727274", "#7d7c78"),
    *("#888578", "#948e77", "#a19975", "#aea371", "#bcae6c", "#c8b866", "#d6c35d", "#e5cf52", "#f3db42", "#fee838"),
)
FIRST_LIGHT_STEP = 10  # of the ramp: dark text is read on it

SERIES = len(LIGHT)


def step_of(value: float) -> int:
    """The step of the ramp for a value in [0, 1].

    >>> step_of(0.0), step_of(0.5), step_of(1.0)
    (0, 10, 20)
    """
    return min(len(RAMP) - 1, max(0, round(value * (len(RAMP) - 1))))


def css(*, dark: bool) -> str:
    """The colours of series and steps as CSS variables."""
    series = DARK if dark else LIGHT
    return "".join(f"--s{i}:{color};" for i, color in enumerate(series)) + "".join(
        f"--r{i}:{color};" for i, color in enumerate(RAMP)
    )
