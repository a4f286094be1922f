"""The classes of a run's rows, where it knows them."""

from typing import Any

from numpy.typing import NDArray

from stabaudit.comparison.reading.join_rows import Group, rows_of
from stabaudit.store.run.find import parse_selector
from stabaudit.store.run.layout import MANIFEST
from stabaudit.store.run.run_folder import Run


def labels_of(selector: str, group: Group) -> NDArray[Any] | None:
    """The class of each row of what a selector names, in the order of the group's rows; None where nobody knows.

    Raises:
        BadRun: a damaged run.
        BadData: a damaged file.
    """
    path, _ = parse_selector(selector)
    if not (path / MANIFEST).is_file():
        return None
    run = Run.open(path)
    evaluation = run.evaluation()
    known = evaluation if evaluation is not None and evaluation.label is not None else run.latents(run.done[0])
    if known.label is None:
        return None
    name = group.summary.name
    found: NDArray[Any] = known.label[rows_of(group.sample_id, name, known.sample_id, f"{name}: its labels")]
    return found
