"""What identifiability theorems promise of a run's models, and whether the run keeps it: the one place that needs both wings."""

from stabaudit.api.comparing import compare
from stabaudit.api.runs import AnyPath
from stabaudit.comparison.records import AnatomyRecord, Comparison
from stabaudit.comparison.settings import Settings
from stabaudit.errors import UsageError
from stabaudit.metrics.affine import SCORE as AFFINE_R2
from stabaudit.reports.verdict import SAME_SPACE, dimensions_sentence, space_sentence
from stabaudit.steps import steps
from stabaudit.store.files.atomic import shown
from stabaudit.store.run.find import parse_selector
from stabaudit.store.run.run_folder import Run
from stabaudit.theory.agreement import Degree, Dimension, agreement, degree
from stabaudit.theory.diagnosis import Diagnosis
from stabaudit.theory.promise import promise, weakest

ONE_RESTART = "one restart has nothing to be held against"


def diagnose(path: AnyPath) -> Diagnosis:
    """Hold the models of a run against the theorems, and its latents against what they promise.

    Args:
        path: a run that stabaudit trained, or one restart of it, "run#3", whose model alone is then looked at.

    Raises:
        UsageError: a run without weights, or whose family cannot be found.
        BadRun: no run, nothing trained, or weights that do not fit the family.
        BadData: a damaged file.
    """
    from stabaudit.training.diagnosis.model_facts import model_facts  # noqa: PLC0415 -- loads torch
    from stabaudit.training.diagnosis.stored_model import require_weights  # noqa: PLC0415 -- loads torch

    folder, restart = parse_selector(str(path))
    if folder.is_file():
        raise UsageError(f"{shown(folder)} holds latents and no weights; expected a run that 'stabaudit train FAMILY' made")
    run = Run.open(folder)
    require_weights(run)
    chosen = run.done if restart is None else [restart]
    facts = {index: model_facts(run, index) for index in steps(chosen, "restarts")}
    promises = {index: promise(found) for index, found in facts.items()}
    promised = weakest(list(promises.values())).identified
    if len(chosen) < 2:
        return Diagnosis(run.name, facts, promises, None, agreement(promised, None), (ONE_RESTART,), ())
    comparison = compare(folder, settings=Settings(rotations=1))
    measured, said = _measured(comparison)
    warnings = tuple(comparison.warnings)
    return Diagnosis(run.name, facts, promises, measured, agreement(promised, measured), said, warnings)


def _measured(comparison: Comparison) -> tuple[Degree | None, tuple[str, ...]]:
    """How far the restarts agree, and the sentences that say so."""
    own: list[AnatomyRecord] = list(comparison.anatomy)
    if not own:
        return None, ("latents on a grid have no anatomy",)
    space = comparison.out_of_sample(comparison.runs[0].name).get(AFFINE_R2.name)
    same: bool | None = None
    if space is not None and space.ci_low is not None:
        same = bool(space.mean >= SAME_SPACE and space.ci_low > (space.independence_floor or 0.0))
    said = [dimensions_sentence(own), *([] if space is None else [space_sentence(space)])]
    return degree([Dimension(one.verdict, one.may_be_axis) for one in own], same_space=same), tuple(said)
