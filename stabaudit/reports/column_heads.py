"""What every column head means: the footer of tables, the tips of pages and `stabaudit explain columns` are read from here."""

from collections.abc import Iterable, Sequence

from stabaudit.metrics.scores import registered
from stabaudit.reports.report import Section

_BRACKETS = " [95%]"  # after a head: its interval stands in the cell
HEADS = {
    # scores
    "out-of-sample": "mean over pairs: fitted on one half of the rows, scored on the other; in brackets the 95% interval",
    "sd": "standard deviation over pairs",
    "in": "mean in-sample: fitted and scored on the same rows",
    "chance": "what unrelated latents score",
    "rotation": "what restarts score that agree only up to a rotation",
    "adj.": "0 at chance, 1 at perfect agreement (.adjusted in --require)",
    "axis": "0 at the rotation floor, 1 at perfect agreement (.axis_alignment in --require)",
    "floors": "chance/rotation: what unrelated latents score, and restarts that agree only up to a rotation",
    "floor": "what unrelated latents score by chance",
    "difference": "of the means of two runs",
    "p (Welch)": "Welch's t-test of the difference, restarts as units",
    "Holm p": "p adjusted by Holm's method over all that are tested together",
    "p (permuted)": "p of moving restarts between the runs",
    "mean": "over pairs or restarts, as the title says",
    "remark": "what the score is of, or its limit",
    "distance": "which distance between two densities",
    "starts": "starting points of the search for the affine map",
    "min": "lowest position",
    "median": "the position in the middle",
    "max": "highest position",
    "mean over these": "of this many best matched parts",
    "correlations": "of the best matched parts, best first",
    "best matched dimensions": "how many",
    "canonical pairs": "how many",
    # runs
    "N": "restarts that are done, of those trained where some are lost",
    "axes": "dimensions that are the same axis in every restart",
    "d": "latent dimensions",
    # dimensions
    "dimension": "of the restart in the title",
    "verdict": "what restarts share of it ('stabaudit explain verdicts'), or what the gate says",
    "shared information": "R² of the dimension from all of another restart",
    "axis agreement": "squared correlation with its partner",
    "purity": "the part of the shared information that sits in that partner",
    "above": "the purity that an axis must exceed",
    "active": "restarts in which the dimension is active",
    # diagnosis
    "promised of latents": "the class of maps up to which a theorem identifies the latent of every x",
    "promised of p(z)": "the same of a mixture prior alone, which takes less",
    "by": "the theorem",
    "kept back by": "the conditions that a stronger promise lacks",
    "collapsed": "dimensions on which x does not depend",
    "condition": "as the theorem calls it",
    "it asks that": "what the condition says",
    "from": "where it is stated",
    "rank": "the largest of the decoder's Jacobian over points of the aggregate posterior, of dimensions that are not collapsed",
    "singular": "points at which the rank is lower",
    "condition number": "median of the largest to the smallest singular value of the Jacobian",
    "second z": "x = f(z) for which another z was found, of those searched",
    "nearest": "smallest distance of two f(z), one deviation or more apart in z, in deviations of the noise",
    "least nats": "what x tells of the direction of z that it tells least of",
    "narrowest layer": "the smallest width of the decoder's weight matrices",
    "smallest / largest": "singular value of the decoder's weight matrix that is nearest to losing rank",
    # beyond linear maps
    "dimensions": "of the central restart, those of a subspace together",
    "linear R²": "of these dimensions from those matched with them in another restart, by an affine map",
    "nonlinear R²": "the same by an affine map and by the nearest rows",
    "from elsewhere": "from the dimensions of another restart that are not matched with them",
    "from all": "from all dimensions of another restart",
    "its chance": "what unrelated latents give of what stands before it",
    # drift
    "asks for": "whether the axes, the space or the shape are the same, one is a function of the other, or the same numbers",
    "value [95% over rows]": "the score, with the interval that other rows of the kind would give",
    "moved by": "distance from where an affine map of the old version puts the row, in units of the spread of the new one",
    "neighbours kept": "of a row's nearest rows in the old version, those that stay so",
    # alignment and how many restarts
    "group": "of restarts that agree among themselves",
    "aligned to": "the restart in whose terms the others are written",
    "agreement": "mean correlation with the reference over dimensions, on held-out rows",
    "least": "the correlation of the dimension that agrees least",
    "R²": "of the reference from the aligned latents, dimensions of equal weight",
    "clusters of": "the consensus of the aligned restarts, or one restart",
    "with consensus": "with the clusters of the consensus",
    "with restarts": "mean with the clusters of the restarts, its own left out",
    "with labels": "with the classes of the rows",
    "repeated": "with what another seed of k-means gives for the same latents",
    "cluster": "what it is called in the restart of the title",
    "mostly": "the most frequent label of its rows, and the share that has it",
    "Jaccard": "rows in both of a cluster and its best partner in another restart, of those in either; mean over the others",
    "recovered": "in how many of the others that is 0.75 or more",
    "reading": "of the mean Jaccard index, after Hennig (2007); chance where shuffled rows do as well",
    "displacement": "how far restarts put a sample from the consensus, in standard deviations of a dimension",
    "half-width": "half of the 95% interval that so many restarts would give",
    "kept in 90%": "a half-width that nine of ten such runs keep",
    # sources of variance
    "varied": "the source of chance that restarts differ in, the others held at the first seed",
    "1 − score": "what the source takes from perfect agreement by itself",
    "of all": "the same relative to what is lost where everything varies",
    # families
    "families": "positive effects: the first is higher",
    "n": "configurations that both have",
    "T": "the smaller rank sum of either sign",
    "p": "exact, two-sided",
    "effect r": "matched-pairs rank-biserial correlation, in [−1, 1]",
    "shift": "Hodges–Lehmann estimate of the difference",
    "95%": "interval of the shift",
    "configuration": "architecture, dataset and dimensions",
    "lacking": "families without it",
    # gates and references
    "gate": "what is required",
    "value": "with its 95% interval",
    "measured": "with its 95% interval",
    "reported": "by the source",
    "interval": "whether it holds the reported number",
    # likelihood
    "fitted": "components that the fitted prior has",
    "decoder": "whether it is weakly injective",
    "only the truth": "simulations in which the truth is the only minimiser",
    "share": "of the simulations",
    "profiles": "curves of the likelihood along one number",
    "elsewhere": "profiles that are lowest away from the truth",
    "another": "profiles with another minimum as low",
    "flat": "profiles without a minimum",
}

# Words of statistics and short forms: tables with these heads explain them below.
_FOOTED = frozenset(
    {"chance", "rotation", "adj.", "axis", "floors", "floor", "N", "axes", "p (Welch)", "p (permuted)", "Holm p"}
    | {"n", "T", "effect r", "shift", "Jaccard", "recovered"}
)


def meaning(head: str) -> str | None:
    """What a head means; None for one that says it itself, or a user's own.

    >>> meaning("purity")
    'the part of the shared information that sits in that partner'
    """
    bare = head.removesuffix(_BRACKETS)
    if bare in HEADS:
        return HEADS[bare]
    label = bare.partition("@")[0]
    return next((one.meaning for one in registered() if one.label == label), None)


def footer(sections: Iterable[Section]) -> str:
    """One line on the heads of some tables that are no words of everyday language; empty where there are none."""
    found: dict[str, str] = {}
    for section in sections:
        found |= _abbreviated(section.header if section.rows else ())
    return explained(found)


def explained(heads: Iterable[str]) -> str:
    """What some heads mean, in one line.

    >>> explained(["n", "T"])
    'n: configurations that both have; T: the smaller rank sum of either sign'
    """
    return "; ".join(f"{head}: {HEADS[head]}" for head in heads)


def _abbreviated(header: Sequence[str]) -> dict[str, str]:
    bare = [head.removesuffix(_BRACKETS) for head in header]
    return {head: HEADS[head] for head in bare if head in _FOOTED}
