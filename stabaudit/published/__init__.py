"""Tables that papers printed, one CSV each, and where each is from: `stabaudit report --wilcoxon willetts2021`.

They lie in `fixtures/` of the repository; a wheel carries them beside this file.
"""

from importlib.resources import files
from pathlib import Path

SCORE_TABLES = {"willetts2021": "willetts2021-mcc.csv"}  # Willetts and Paige 2021, Tables I.5-I.7, arXiv:2106.05238
FOLDER = "fixtures"


def published_file(name: str) -> Path:
    """Where a published file lies: in the package, or in the repository that it is run from."""
    packaged = Path(str(files(__package__).joinpath(name)))
    return packaged if packaged.exists() else Path(__file__).parents[2] / FOLDER / name


def score_table(name: str) -> Path | None:
    """The published table of that name; None where there is none, or something of the name lies in the working directory."""
    file = SCORE_TABLES.get(name)
    return None if file is None or Path(name).exists() else published_file(file)
