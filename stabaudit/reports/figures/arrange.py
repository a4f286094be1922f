"""Which runs share a panel, what they are called there, and which colour they have."""

from collections import Counter
from dataclasses import dataclass

from stabaudit.comparison.records import RunSummary, Score
from stabaudit.reports.figures.marks import Key


@dataclass(frozen=True)
class Arrangement:
    """Runs by configuration.

    Args:
        groups: runs by what is said of their configuration: "mlp mnist d=50"; in the order of the runs.
        labels: what each run, by name, is called within its group: its family, or its name where two share a family.
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


def arranged(runs: tuple[RunSummary, ...], *, by_size: bool = True) -> Arrangement:
    """Put runs of one architecture, dataset and (unless `by_size` is off) latent dimension together."""
    groups: dict[str, list[RunSummary]] = {}
    for run in runs:
        groups.setdefault(_configuration(run, by_size=by_size), []).append(run)
    sizes: dict[str, list[RunSummary]] = {}
    for run in runs:
        sizes.setdefault(_configuration(run, by_size=True), []).append(run)
    families = all(
        run.family is not None and Counter(other.family for other in group)[run.family] == 1
        for group in sizes.values()
        for run in group
    )
    labels = {run.name: run.family if families and run.family is not None else run.name for run in runs}
    return Arrangement(groups, labels, {label: number for number, label in enumerate(dict.fromkeys(labels.values()))})


def _configuration(run: RunSummary, *, by_size: bool) -> str:
    size = f"d={run.latent_dim}" if by_size else None
    return " ".join(filter(None, [run.architecture, run.dataset, size])) or "latents"


def find(scores: tuple[Score, ...], runs: tuple[str, str], metric: str, k: int | None = None) -> Score | None:
    """The out-of-sample score of a run with itself, or of two."""
    wanted = (*runs, metric, k, "out")
    return next((score for score in scores if (score.run_a, score.run_b, score.metric, score.k, score.sample) == wanted), None)
