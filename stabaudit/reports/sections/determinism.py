"""Restarts of one seed: the same bits or not, and where they part."""

from dataclasses import asdict

from stabaudit.comparison.surveys.determinism import Determinism
from stabaudit.reports.report import Report, Section
from stabaudit.reports.wording import NONE


def determinism_report(found: Determinism) -> Report:
    """What became of restarts of one seed."""
    rows = [
        ["restarts", str(found.restarts)],
        ["the same bits", f"{found.same} of {found.restarts}"],
        ["groups", "; ".join(found.groups)],
        ["histories part", NONE if found.parted_epoch is None else f"in epoch {found.parted_epoch} ({found.parted_in})"],
        ["largest difference", f"{found.largest_difference:.2g} standard deviations of a dimension"],
    ]
    words = [determinism_sentence(found), *(f"Possible cause: {cause}." for cause in found.causes)]
    section = Section(f"restarts of one seed: {found.run}", ["what", "found"], rows, words, left=2)
    return Report([section], {"determinism": [asdict(found)]}, main="determinism")


def determinism_sentence(found: Determinism) -> str:
    """One sentence: the same bits, or where they part."""
    if found.same == found.restarts:
        return f"All {found.restarts} restarts of one seed are the same, bit for bit."
    where = "" if found.parted_epoch is None else f"; their histories part in epoch {found.parted_epoch}"
    return (
        f"{found.restarts} restarts of one seed give {len(found.groups)} results{where}; latents differ by up to "
        f"{found.largest_difference:.2g} standard deviations."
    )
