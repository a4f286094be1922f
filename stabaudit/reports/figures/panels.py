"""Which runs share a panel, what they are called there, and which colour they have."""

from collections import Counter
from dataclasses import dataclass

from stabaudit.comparison.records import RunSummary, Score
from stabaudit.metrics.scores import measure
from stabaudit.reports.figures import colors
from stabaudit.reports.figures.elements import Key
from stabaudit.store.run.external_labels import UNNAMED


@dataclass(frozen=True)
class Arrangement:
    """Runs by panel.

    Args:
        groups: runs by the title of their panel: what they have in common, "mlp mnist d=50", or their name.
        labels: what each run, by name, is called in the legend: its family, or its name.
        series: the colour of each label.
    """

    groups: dict[str, list[RunSummary]]
    labels: dict[str, str]
    series: dict[str, int]

    def series_of(self, run: str) -> int:
        """The colour of a run."""
        return self.series[self.labels[run]]

    def legend(self) -> list[Key]:
        """A line for each label."""
        return [Key(label, number) for label, number in self.series.items()]


def arranged(runs: tuple[RunSummary, ...]) -> Arrangement:
    """Put runs of one configuration (architecture, dataset, latent dimension) into one panel, told apart by their families.

    Where two of them share a family, their names tell them apart while there are colours enough; else every run has its panel.
    """
    configurations: dict[str, list[RunSummary]] = {}
    for run in sorted(runs, key=lambda run: (run.architecture or "", run.dataset or "", run.latent_dim)):
        configurations.setdefault(f"{surroundings(run)} d={run.latent_dim}", []).append(run)
    alike = any(max(Counter(run.family for run in group).values()) > 1 for group in configurations.values())
    if alike and len(runs) <= colors.SERIES:
        labels = {run.name: run.name for run in runs}
    else:
        labels = {run.name: run.family or "latents" for run in runs}
    groups = {run.name: [run] for run in runs} if alike and len(runs) > colors.SERIES else configurations
    return Arrangement(groups, labels, {label: number for number, label in enumerate(dict.fromkeys(labels.values()))})


def surroundings(run: RunSummary) -> str:
    """Architecture and dataset of a run, as far as they are known."""
    dataset = None if run.dataset == UNNAMED else run.dataset
    return " ".join(filter(None, [run.architecture, dataset])) or "latents"


def find(scores: tuple[Score, ...], runs: tuple[str, str], metric: str, k: int | None = None) -> Score | None:
    """The out-of-sample score of a run with itself, or of two."""
    wanted = (*runs, metric, k, "out")
    return next((score for score in scores if (score.run_a, score.run_b, score.metric, score.k, score.sample) == wanted), None)


def floor_name(metric: str) -> str:
    """What the floor is called that says most of a score: that of a rotation where it has one."""
    return "rotation floor" if "rotation" in measure(metric).floors else "chance"


def floor_of(scores: tuple[Score, ...], runs: tuple[str, str], metric: str) -> float | None:
    """That floor, of the out-of-sample score of a run with itself or of two; None where it is not known."""
    score = find(scores, runs, metric)
    if score is None:
        return None
    return score.rotation_floor if "rotation" in measure(metric).floors else score.independence_floor
