"""Tables that papers printed, one CSV each, and where each is from: `stabaudit report --wilcoxon willetts2021`."""

from importlib.resources import files
from pathlib import Path

SCORE_TABLES = {"willetts2021": "willetts2021-mcc.csv"}  # Willetts and Paige 2021, Tables I.5-I.7, arXiv:2106.05238


def score_table(name: str) -> Path | None:
    """The published table of that name; None where there is none, or something of the name lies in the working directory."""
    file = SCORE_TABLES.get(name)
    return None if file is None or Path(name).exists() else Path(str(files(__package__).joinpath(file)))
