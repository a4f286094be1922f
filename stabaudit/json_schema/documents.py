"""What each command writes with `--format json`: lists of records by name.

Most records are what a comparison or a test returns; those that only a document holds are described here.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from stabaudit.comparison.cluster_records import ClusterChange, ClusteringRecord, ClusterRecord
from stabaudit.comparison.gating.gates import Gate
from stabaudit.comparison.records import (
    AnatomyRecord,
    CollapseScore,
    Curve,
    DensityScore,
    Difference,
    DimensionRecord,
    GroupScore,
    NonlinearRecord,
    PositionScore,
    RunSummary,
    Score,
    Solution,
)
from stabaudit.comparison.surveys.along_key import AlongKey
from stabaudit.comparison.surveys.determinism import Determinism
from stabaudit.comparison.surveys.drift import DriftScore, MovedRow
from stabaudit.comparison.surveys.feature_records import (
    DictionaryRecord,
    FeatureMatching,
    FeaturePairScore,
    FeatureParts,
    FeatureScore,
    FiringBin,
)
from stabaudit.comparison.surveys.references import Held
from stabaudit.comparison.surveys.sources_of_variance import SourceOfVariance
from stabaudit.likelihood.results import Remark, Tally
from stabaudit.likelihood.tables import ProfileRow, SimulationRow
from stabaudit.published.reproductions import Reproduced
from stabaudit.reports.sections.alignment import AlignedDimension, MovedSample
from stabaudit.reports.sections.clusters import ClusterAgreement, ClusterStability
from stabaudit.reports.sections.restarts_needed import RestartsRow
from stabaudit.statistics.families import FamilyComparison, Friedman
from stabaudit.statistics.gate import Verdict
from stabaudit.theory.records import AgreementRecord, ConditionRecord, DecoderRecord, LayerRecord, PromiseRecord


@dataclass(frozen=True)
class Pair:
    """One out-of-sample score of one pair of restarts.

    Args:
        run_a, run_b: the runs; run_b is "sources" for scores against true sources.
        restart_a, restart_b: the restarts, "vade#3".
        metric, k, sample: as of a score.
        value: the score.
    """

    run_a: str
    run_b: str
    restart_a: str
    restart_b: str
    metric: str
    k: int | None
    sample: Literal["out"]
    value: float


@dataclass(frozen=True)
class Warned:
    """Something that was noticed.

    Args:
        warning: one line.
    """

    warning: str


@dataclass(frozen=True)
class RunVerdict:
    """The verdict over all gates.

    Args:
        run: of one run; None for all runs and families together.
        verdict: one failure fails all, and one gate that is not sure leaves all unsure.
    """

    run: str | None
    verdict: Verdict


@dataclass(frozen=True)
class Unmatched:
    """A configuration that some families lack.

    Args:
        architecture, dataset, latent_dim, options: the configuration.
        missing: the families without it.
    """

    architecture: str
    dataset: str
    latent_dim: int
    options: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Deviation:
    """How an audit differs from what was reported.

    Args:
        deviation: one line.
    """

    deviation: str


@dataclass(frozen=True)
class Named:
    """A name that can be used.

    Args:
        kind: of what.
        name: as it is typed.
        summary: what it is, in one line.
    """

    kind: Literal["families", "datasets", "architectures", "scores", "engines", "plans", "reproductions"]
    name: str
    summary: str


@dataclass(frozen=True)
class ScoreEntry:
    """A score of the table of scores.

    Args:
        name: as it is typed, and as records have it.
        label: as tables have it.
        meaning: what it says.
        low, high: its range; null where it is unbounded.
        higher_is_better: whether more of it is more agreement.
        floors: which of independence and rotation it is held against.
        directed: whether a→b and b→a differ.
        counted: whether it is a mean over the first k parts.
        needs: what it is computed from.
        unit: whether it is of a pair or of one restart.
        default: whether it is computed unless others are asked for.
        question: what it asks: are the axes the same, the space up to a linear map, its shape up to a rotation and one scale, is
            one a function of the other, are they the same numbers (identity)?
        invariances: maps of either side by itself that leave the score as it is in-sample.
        cost: of one pair of n rows and d dimensions.
        reference: where it is defined.
    """

    name: str
    label: str
    meaning: str
    low: float | None
    high: float | None
    higher_is_better: bool
    floors: tuple[str, ...]
    directed: bool
    counted: bool
    needs: str
    unit: str
    default: bool
    question: str | None
    invariances: list[str]
    cost: str
    reference: str


@dataclass(frozen=True)
class Verified:
    """A run whose files were checked.

    Args:
        run: its folder.
        restarts: how many it was to have.
        done: how many are trained.
        problems: how many were found.
        leftovers: what a killed call left there, a line each, which the next one sees to; no problems.
    """

    run: str
    restarts: int
    done: int
    problems: int
    leftovers: list[str]


@dataclass(frozen=True)
class Problem:
    """A file that does not hold what its manifest says.

    Args:
        run: its folder.
        file: within the folder.
        what: is wrong.
        remedy: what to do.
    """

    run: str
    file: str
    what: str
    remedy: str


@dataclass(frozen=True)
class RestartRow:
    """A restart of a run; further fields are the scores that were measured when it had been trained.

    Args:
        restart: its number.
        state: what became of it.
        seed: that decides it.
        steps: of training.
        seconds: that these took.
        detail: why it failed or diverged, or None.
    """

    restart: int
    state: str
    seed: int
    steps: int
    seconds: float
    detail: str | None


class Document(NamedTuple):
    """What a command writes: lists that are always there, and lists that may be."""

    command: str
    always: dict[str, type]
    maybe: dict[str, type]


_SURVEY: dict[str, type] = {
    "runs": RunSummary,
    "scores": Score,
    "differences": Difference,
    "curves": Curve,
    "positions": PositionScore,
    "collapse": CollapseScore,
    "densities": DensityScore,
    "anatomy": AnatomyRecord,
    "nonlinear": NonlinearRecord,
    "solutions": Solution,
    "group_scores": GroupScore,
    "clusterings": ClusteringRecord,
    "clusters": ClusterRecord,
    "cluster_changes": ClusterChange,
    "warnings": Warned,
}
_VARIED: dict[str, type] = {"along_key": AlongKey, "sources_of_variance": SourceOfVariance}
_FAMILIES: dict[str, type] = {"families": FamilyComparison, "friedman": Friedman, "unmatched": Unmatched}
DOCUMENTS = {
    "Comparison": Document("compare", _SURVEY | {"pairs": Pair, "dimensions": DimensionRecord}, {}),
    "Features": Document(
        "compare --features",
        {
            "feature_scores": FeatureScore,
            "feature_pairs": FeaturePairScore,
            "dictionaries": DictionaryRecord,
            "matchings": FeatureMatching,
            "firing": FiringBin,
            "parts": FeatureParts,
            "warnings": Warned,
        },
        {},
    ),
    "Dimensions": Document(
        "dimensions", {"anatomy": AnatomyRecord, "nonlinear": NonlinearRecord, "solutions": Solution, "warnings": Warned}, {}
    ),
    "Diagnosis": Document(
        "diagnose",
        {
            "agreement": AgreementRecord,
            "promises": PromiseRecord,
            "conditions": ConditionRecord,
            "decoders": DecoderRecord,
            "layers": LayerRecord,
            "warnings": Warned,
        },
        {},
    ),
    "Alignment": Document(
        "align",
        {
            "alignment": AlignedDimension,
            "moved": MovedSample,
            "clusters": ClusterAgreement,
            "cluster_stability": ClusterStability,
        },
        {},
    ),
    "Drift": Document("compare --drift", {"drift": DriftScore, "moved": MovedRow, "warnings": Warned}, {}),
    "Restarts": Document("restarts", {"restarts": RestartsRow}, {}),
    "Determinism": Document("determinism", {"determinism": Determinism}, {}),
    "Survey": Document(
        "report, audit",
        _SURVEY,
        _FAMILIES | {"references": Held, "deviations": Deviation} | _VARIED,
    ),
    "Families": Document("report of a table of scores", _FAMILIES, {}),
    "Gates": Document("check", {"gates": Gate, "verdicts": RunVerdict, "warnings": Warned}, {}),
    "Likelihood": Document(
        "likelihood", {"simulations": SimulationRow, "tallies": Tally, "profiles": ProfileRow, "remark": Remark}, {}
    ),
    "Run": Document("show", {"run": dict[str, str], "restarts": RestartRow}, {}),
    "Names": Document("list", {"names": Named}, {"scores": ScoreEntry, "reproductions": Reproduced}),
    "Integrity": Document("verify", {"runs": Verified, "problems": Problem}, {}),
}
