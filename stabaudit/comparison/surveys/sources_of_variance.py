"""How much of the instability of a model each source of chance makes by itself.

Runs are held against each other that differ in what was varied and in nothing else (`train --vary`); after Bouthillier et al.
2021, arXiv:2103.03098.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from stabaudit.comparison.records import Comparison
from stabaudit.config import RunConfig
from stabaudit.metrics.scores import headlines

ALL = "all"


@dataclass(frozen=True)
class SourceOfVariance:
    """What a score loses to perfect agreement where one source of chance is varied.

    Args:
        run: the run.
        of: what all runs that are held against each other have in common: their family.
        vary: what was varied: "init", "order", "noise", "data", "all".
        metric: of the headline scores, out-of-sample.
        mean: of the score.
        ci_low, ci_high: its 95% interval; None where there is none.
        floor: what chance gives.
        lost: 1 − mean.
        share: `lost` relative to that of the run in which everything varies; None without one, or where that loses nothing.
    """

    run: str
    of: str
    vary: str
    metric: str
    mean: float
    ci_low: float | None
    ci_high: float | None
    floor: float | None
    lost: float
    share: float | None


def sources_of_variance(comparison: Comparison, configs: Mapping[str, RunConfig]) -> list[SourceOfVariance]:
    """A record for each run whose like differ in what was varied; none where no two runs do."""
    alike: dict[str, list[str]] = {}
    for run, config in configs.items():
        rest = config.model_copy(update={"vary": None, "exact": False, "restarts": 1}).model_dump_json()
        alike.setdefault(rest, []).append(run)
    found = []
    for runs in (runs for runs in alike.values() if len({configs[run].vary for run in runs}) > 1):
        for one in headlines():
            scores = {run: score for run in runs if (score := comparison.out_of_sample(run).get(one.name)) is not None}
            everything = next((1 - score.mean for run, score in scores.items() if configs[run].vary == ALL), None)
            found += [
                SourceOfVariance(
                    run=run,
                    of=configs[run].family.name,
                    vary=configs[run].vary or "init,order,noise",
                    metric=one.name,
                    mean=score.mean,
                    ci_low=score.ci_low,
                    ci_high=score.ci_high,
                    floor=score.independence_floor,
                    lost=1 - score.mean,
                    share=(1 - score.mean) / everything if everything else None,
                )
                for run, score in scores.items()
            ]
    return found
