"""An aligned run as tables: how each restart was aligned, and the samples that restarts place most differently."""

from collections.abc import Sequence
from dataclasses import dataclass

from stabaudit.comparison.views.aligned_run import AlignedRun
from stabaudit.reports.column_heads import explained
from stabaudit.reports.report import Report, Section
from stabaudit.reports.sections.clusters import cluster_records, cluster_sections
from stabaudit.reports.wording import NONE, number

MOST_MOVED = 10
LITTLE, WORSE = 0.25, 0.1  # R² below which restarts share little; less than that of an affine map by which a map aligns in part
VISIBLE = 0.005  # smaller displacements round to 0.00
LEGEND = f"{explained(['agreement', 'least', 'R²'])}. What does not vary agrees with nothing."
MOVED = (
    "displacement: how far restarts put a sample from the consensus, in standard deviations of a dimension over samples. "
    "Of a dimension that is no axis it says how far the space turns there ('stabaudit dimensions')."
)


@dataclass(frozen=True)
class AlignedDimension:
    """One dimension of one aligned restart.

    Args:
        run, restart: which.
        group: number of the group that the restart belongs to.
        reference: the restart that it was aligned to, or "sources".
        dimension: of the reference.
        source: the dimension of the restart that became it, of a permutation; else None.
        scale: that it was multiplied by, negative where its sign was turned, of a permutation; else None.
        agreement: correlation with the reference on *score*.
        r2: of the reference from the aligned latents on *score*, over all dimensions.
        agreement_floor, r2_floor: what both would be by chance, rows in another order; None of the reference itself.
        rotation_floor: of permutations, what |agreement| would be in the mean of all dimensions, were the two the same up to an
            affine map only.
    """

    run: str
    restart: str
    group: int
    reference: str
    dimension: int
    source: int | None
    scale: float | None
    agreement: float
    r2: float
    agreement_floor: float | None
    r2_floor: float | None
    rotation_floor: float | None


@dataclass(frozen=True)
class MovedSample:
    """A sample that restarts place differently.

    Args:
        run: the run.
        group: number of the group of restarts.
        sample_id: the sample.
        label: its class, or None.
        displacement: root mean square distance of the restarts from their consensus, in standard deviations of a dimension.
    """

    run: str
    group: int
    sample_id: str
    label: str | None
    displacement: float


def alignment_report(aligned: AlignedRun) -> Report:
    """How the restarts of a run were aligned, and what differs most between them."""
    moved, turns = most_moved(aligned), aligned.by == "permutation"
    rows = [
        [
            one.restart,
            *([str(one.group)] if len(aligned.groups) > 1 else []),
            one.reference,
            number(float(one.by.agreement.mean())),
            NONE if one.floor is None else number(float(one.floor.agreement.mean()), 2),
            *([NONE if one.floor is None else number(one.floor.rotation, 2)] if turns else []),
            number(float(one.by.agreement.min())),
            number(one.by.r2),
            NONE if one.floor is None else number(one.floor.r2, 2),
        ]
        for one in aligned.restarts
    ]
    several = len(aligned.groups) > 1
    scores_header = ["agreement", "chance", *(["rotation"] if turns else []), "least", "R²", "chance"]
    header = ["restart", *(["group"] if several else []), "aligned to", *scores_header]
    words = [*alignment_words(aligned), LEGEND]
    sections = [Section(f"{aligned.run} aligned by {aligned.by}", header, rows, words, left=len(header) - len(scores_header))]
    if any(one.displacement >= VISIBLE for one in moved):
        sections.append(_moved(moved, several=several))
    agreements, stable = cluster_records(aligned)
    sections += cluster_sections(aligned)
    lists: dict[str, Sequence[object]] = {
        "alignment": dimension_records(aligned),
        "moved": moved,
        "clusters": agreements,
        "cluster_stability": stable,
    }
    records = {name: [vars(one) for one in found] for name, found in lists.items()}
    return Report(sections, records, main="alignment")


def _moved(moved: Sequence[MovedSample], *, several: bool) -> Section:
    labelled = any(one.label is not None for one in moved)
    rows = [
        [
            one.sample_id,
            *([str(one.group)] if several else []),
            *([one.label or NONE] if labelled else []),
            number(one.displacement, 2),
        ]
        for one in moved
    ]
    header = ["sample", *(["group"] if several else []), *(["label"] if labelled else []), "displacement"]
    return Section("samples that restarts place most differently", header, rows, [MOVED], left=len(header) - 1)


def alignment_words(aligned: AlignedRun) -> list[str]:
    """Which restart to publish, and whether there is a common frame."""
    words = [f"{aligned.central} is the most central restart: the one to publish where one must be chosen."]
    if len(aligned.groups) > 1:
        listed = "; ".join(", ".join(group) for group in aligned.groups)
        if aligned.to == "central":
            words.append(f"No common frame exists: the restarts fall into groups ({listed}). Each is aligned within itself.")
        else:
            words.append(f"The restarts fall into groups ({listed}), so one frame does not fit all: see their agreement.")
    if aligned.r2 is not None and aligned.r2_affine is not None:
        words += _how_well(aligned.by, aligned.r2, aligned.r2_affine)
    return words


def _how_well(by: str, r2: float, r2_affine: float) -> list[str]:
    """Whether another kind of map would align better, or none does."""
    if r2_affine < LITTLE:
        return [f"Restarts share little: no linear map explains more than R² {number(r2_affine, 2)} of the reference."]
    if r2_affine - r2 < WORSE:
        return []
    instead = "--by orthogonal or --by affine" if by == "permutation" else "--by affine"
    reached = f"R² {number(r2, 2)} where an affine map reaches {number(r2_affine, 2)}"
    return [f"This aligns in part only, {reached}: dimensions turn among each other; use {instead}."]


def dimension_records(aligned: AlignedRun) -> list[AlignedDimension]:
    """A record for every dimension of every restart."""
    return [
        AlignedDimension(
            run=aligned.run,
            restart=one.restart,
            group=one.group,
            reference=one.reference,
            dimension=k,
            source=None if one.by.source is None else int(one.by.source[k]),
            scale=None if one.by.source is None else float(one.by.matrix[one.by.source[k], k]),
            agreement=float(agreement),
            r2=one.by.r2,
            agreement_floor=None if one.floor is None else float(one.floor.agreement[k]),
            r2_floor=None if one.floor is None else one.floor.r2,
            rotation_floor=None if one.floor is None else one.floor.rotation,
        )
        for one in aligned.restarts
        for k, agreement in enumerate(one.by.agreement)
    ]


def most_moved(aligned: AlignedRun) -> list[MovedSample]:
    """The samples whose place differs most between the restarts of each group, the first of them first."""
    return [
        MovedSample(
            run=aligned.run,
            group=found.group,
            sample_id=str(aligned.sample_id[row]),
            label=None if aligned.label is None else str(aligned.label[row]),
            displacement=float(found.displacement[row]),
        )
        for found in aligned.consensus
        for row in found.most_moved(MOST_MOVED).tolist()
    ]
