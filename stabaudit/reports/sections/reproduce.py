"""How to get the same results again: commands, versions, hardware, seeds and fingerprints."""

from collections.abc import Iterable, Sequence

from stabaudit import __version__
from stabaudit.comparison.views.run_origins import Origin
from stabaudit.errors import counted
from stabaudit.reports.report import Section
from stabaudit.reports.wording import NONE


def reproduce_sections(origins: Sequence[Origin], command: str) -> list[Section]:
    """Tables of commands, of where runs were trained, and of the runs themselves.

    Args:
        origins: manifests of the runs.
        command: that makes the report.
    """
    commands: dict[str, int] = {}
    places: dict[tuple[tuple[str, str], ...], int] = {}
    for origin in origins:
        commands[origin.command] = commands.get(origin.command, 0) + 1
        environment = tuple((key, str(value)) for key, value in origin.environment.model_dump().items() if value is not None)
        places[environment] = places.get(environment, 0) + 1
    made = [[f"this report, by stabaudit {__version__}", command]]
    made += [[counted(count, "run"), said] for said, count in commands.items()]
    sections = [Section("Commands", ["makes", "command"], made, left=2)]
    sections += [
        Section(f"Trained on ({counted(count, 'run')})", ["what", "value"], [list(pair) for pair in place], left=2)
        for place, count in places.items()
    ]
    rows = [
        [
            origin.run,
            origin.path,
            origin.created,
            origin.fingerprint,
            _ranges(restart.seed for restart in origin.restarts),
            _lost(origin),
        ]
        for origin in origins
    ]
    header = ["run", "folder", "created", "dataset fingerprint", "seeds", "not done"]
    return sections + ([Section("Runs", header, rows, left=6)] if rows else [])


def _lost(origin: Origin) -> str:
    return ", ".join(f"seed {r.seed} {r.state}" for r in origin.restarts if r.state != "done") or NONE


def _ranges(numbers: Iterable[int]) -> str:
    """Numbers in runs.

    >>> _ranges([0, 1, 2, 5])
    '0–2, 5'
    """
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in runs)
