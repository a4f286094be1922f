"""What comes of holding dictionaries of features against each other, as typed results."""

from dataclasses import dataclass

from stabaudit.comparison.settings import DEFAULT_SETTINGS
from stabaudit.defaults import CANDIDATES
from stabaudit.errors import UsageError
from stabaudit.metrics.features.assignment import How
from stabaudit.metrics.features.made_of import SAMPLED
from stabaudit.store.imports.dictionary_files import Of


@dataclass(frozen=True)
class FeatureSettings:
    """How dictionaries are held against each other.

    Args:
        match: how features are matched: "exact", "greedy", "sinkhorn".
        candidates: of each feature, among which matches are looked for first.
        sampled: features of either dictionary that are explained by those of the other.
        floor_draws: draws of the floor at most; one is enough for thousands of features.
        seed: decides draws and samples.
        memory: bytes that similarities may take, beside the dictionaries.
        signed: whether opposite features differ most, rather than being the same.
    """

    match: How = "exact"
    candidates: int = CANDIDATES
    sampled: int = SAMPLED
    floor_draws: int = DEFAULT_SETTINGS.floor_draws
    seed: int = 0
    memory: int = DEFAULT_SETTINGS.memory
    signed: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers with which nothing could be found.

        Raises:
            UsageError: naming one.
        """
        for name in ("candidates", "sampled", "floor_draws", "memory"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name}={getattr(self, name)}: expected at least 1")


USUAL = FeatureSettings()


@dataclass(frozen=True)
class DictionaryRecord:
    """A dictionary.

    Args:
        dictionary: its name.
        of: whether its features are known by decoder weights or activations.
        features: how many it has.
        dimensions: of a decoder direction; None for activations.
        rows: of activations; None for weights.
        never: features that are the same on all rows, most often 0, or have no direction; left out.
        one_half: features that vary on one half of the rows alone; left out.
    """

    dictionary: str
    of: Of
    features: int
    dimensions: int | None
    rows: int | None
    never: int
    one_half: int


@dataclass(frozen=True)
class FeatureMatching:
    """How the features of two dictionaries were matched.

    Args:
        a, b: the dictionaries.
        match: how.
        matched: pairs of features.
        gap: how much larger the mean similarity of the best matching can be at most, where features are matched.
        threshold: similarity above which a match is more than chance.
        draws: of the floor.
        signed: whether opposite features differ most, rather than being the same.
    """

    a: str
    b: str
    match: How
    matched: int
    gap: float
    threshold: float
    draws: int
    signed: bool


@dataclass(frozen=True)
class FeaturePairScore:
    """A score of two dictionaries.

    Args:
        a, b: the dictionaries.
        measure: its name, as of `FeatureScore`; with _reverse it is that of b in terms of a.
        value: the score.
        floor: what chance gives.
        adjusted: 0 at the floor, 1 at the best value.
    """

    a: str
    b: str
    measure: str
    value: float
    floor: float
    adjusted: float | None


@dataclass(frozen=True)
class FeatureScore:
    """The mean of a score over pairs of dictionaries, both ways where it is directed.

    Args:
        of: whether features are known by decoder weights or activations.
        measure: matched: mean similarity of features matched one to one; best: of each feature and its most similar one;
            shared: the fraction of matched features that are the same; alike: that of features matched at 0.7 or more;
            r2_from_p: mean R² of a feature from p of the other dictionary; made_of_p: the fraction with R² of at least 0.8.
        mean: over pairs.
        sd: standard deviation over pairs.
        ci_low, ci_high: 95% interval, the dictionary being the unit; None of two dictionaries.
        pairs: how many.
        dictionaries: how many.
        floor: what chance gives.
        adjusted: 0 at the floor, 1 at the best value.
    """

    of: Of
    measure: str
    mean: float
    sd: float | None
    ci_low: float | None
    ci_high: float | None
    pairs: int
    dictionaries: int
    floor: float
    adjusted: float | None


@dataclass(frozen=True)
class FiringBin:
    """Matched features of two dictionaries that fire about as often.

    Args:
        a, b: the dictionaries.
        rate_low, rate_high: fraction of rows in which the two features fire, on average.
        matched: pairs of features.
        mean: of their similarities.
        floor: of features matched by chance that fire as often; None where there are none.
        shared: fraction above the threshold of all.
    """

    a: str
    b: str
    rate_low: float
    rate_high: float
    matched: int
    mean: float
    floor: float | None
    shared: float


@dataclass(frozen=True)
class FeatureParts:
    """How well features of one dictionary are explained by a few of another.

    Args:
        explained: the dictionary whose features are explained.
        by: the other.
        parts: how many features explain one.
        sampled: features that were explained.
        mean, quartile_1, median, quartile_3: of R².
        floor: mean R² by chance.
        made: fraction with R² of at least 0.8.
        made_floor: the same by chance.
    """

    explained: str
    by: str
    parts: int
    sampled: int
    mean: float
    quartile_1: float
    median: float
    quartile_3: float
    floor: float
    made: float
    made_floor: float


@dataclass(frozen=True)
class FeatureComparison:
    """Dictionaries held against each other.

    Args:
        dictionaries: what they are.
        scores: means over pairs.
        pair_scores: of each pair.
        matchings: how each pair was matched.
        firing: matched similarity by firing rate; of activations.
        parts: how features are explained by others.
        warnings: what was noticed.
    """

    dictionaries: tuple[DictionaryRecord, ...]
    scores: tuple[FeatureScore, ...]
    pair_scores: tuple[FeaturePairScore, ...]
    matchings: tuple[FeatureMatching, ...]
    firing: tuple[FiringBin, ...]
    parts: tuple[FeatureParts, ...]
    warnings: tuple[str, ...]
