"""What papers printed beside what their experiments gave here, at full scale; small files that were kept of each.

Every folder of `fixtures/reproductions/` that holds `about.json` is one experiment: the command, the machine, the time and the
deviations from the paper. Beside it lie `references.csv` (a value of the paper and ours), `scores.csv`, `collapse.csv` and
`anatomy.csv` as `stabaudit compare` writes them, and `restarts.csv`; of some `pairs.csv`, the strong MCC of every pair.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stabaudit.published import published_file

_FOLDER = "reproductions"
_AXIS = "axis"


@dataclass(frozen=True)
class Reproduction:
    """One experiment.

    Args:
        name: the folder.
        command: what ran it.
        data: the dataset, in words.
        hours: of training, all restarts together; those that were stacked into one step share its time.
        machine: the processor, and versions.
        deviations: from the paper, a sentence each.
    """

    name: str
    command: str
    data: str
    hours: float
    machine: str
    deviations: tuple[str, ...]


@dataclass(frozen=True)
class Reproduced:
    """One value of one run.

    Args:
        reproduction: the experiment's name.
        run: the run's name.
        score: its name, with `.out` or `.in` where it is of pairs.
        reference: the paper's value; None where it has none.
        source: where the paper has it.
        mean, ci_low, ci_high: ours, mean over pairs or restarts with its 95% interval over restarts.
        independence_floor, rotation_floor: what chance gives; None where the score has no such floor.
        axes: dimensions that are the same axis in every restart; None where it is not known.
        latent_dim: d.
        restarts: how many.
    """

    reproduction: str
    run: str
    score: str
    reference: float | None
    source: str
    mean: float
    ci_low: float | None
    ci_high: float | None
    independence_floor: float | None
    rotation_floor: float | None
    axes: int | None
    latent_dim: int | None
    restarts: int


def folders() -> dict[str, Path]:
    """Where each experiment lies, by name."""
    root = published_file(_FOLDER)
    return {str(path.parent.relative_to(root)): path.parent for path in sorted(root.rglob("about.json"))}


@cache
def reproductions() -> tuple[Reproduction, ...]:
    """All experiments that were kept."""
    found = []
    for name, folder in folders().items():
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        made = about["environment"]
        machine = f"{made['processor']}, {made['cores']} cores, torch {made['torch']}, stabaudit {made['stabaudit']}"
        hours = about["seconds_of_training"] / 3600
        found.append(Reproduction(name, about["command"], about["data"], hours, machine, tuple(about["deviations"])))
    return tuple(found)


@cache
def reproduced(always: tuple[str, ...] = ()) -> tuple[Reproduced, ...]:
    """Every value that a paper has beside ours, and the scores of every run that are `always` shown (`NAME.out` of pairs)."""
    return tuple(row for name, folder in folders().items() for row in _of_folder(name, folder, always))


def table(folder: Path, name: str) -> list[dict[str, str]]:
    """A CSV file of an experiment; empty where it has none."""
    path = folder / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _of_folder(name: str, folder: Path, always: tuple[str, ...]) -> Iterator[Reproduced]:
    """Values of one experiment, run by run."""
    scores = {
        (row["run_a"], f"{row['metric']}.{row['sample']}"): row
        for row in table(folder, "scores")
        if row["relation"] == "within" and not row["k"]
    }
    measured: Mapping[tuple[str, str], Mapping[str, str]] = scores | {
        (row["run"], row["score"]): row for row in table(folder, "collapse")
    }
    anatomy, references = table(folder, "anatomy"), table(folder, "references")
    asked = [(row["run"], row["score"], row) for row in references]
    asked += [(run, score, {}) for run, score in scores if score in always and (run, score) not in {pair[:2] for pair in asked}]
    for run, score, row in sorted(asked, key=lambda pair: pair[0]):
        ours = measured[run, score]
        verdicts = [line["verdict"] for line in anatomy if line["run"] == run]
        yield Reproduced(
            name,
            run,
            score,
            _number(row, "reference"),
            row.get("source", ""),
            float(ours["mean"]),
            _number(ours, "ci_low"),
            _number(ours, "ci_high"),
            _number(ours, "independence_floor"),
            _number(ours, "rotation_floor"),
            verdicts.count(_AXIS) if verdicts else None,
            len(verdicts) or None,
            int(ours["restarts"]),
        )


def _number(row: Mapping[str, str], name: str) -> float | None:
    return float(row[name]) if row.get(name) else None
