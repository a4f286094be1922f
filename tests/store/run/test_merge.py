"""Parts of a run become one: byte by byte what was in them, or a line that says why not."""

from pathlib import Path

import numpy as np
import pytest

from stabaudit.errors import BadData, BadRun, UsageError
from stabaudit.store.run.evaluation import Evaluation
from stabaudit.store.run.machines import mixed_machines
from stabaudit.store.run.manifest import Machine
from stabaudit.store.run.merge import _require_same_run, merge
from stabaudit.store.run.run_folder import Run
from stabaudit.store.run.verify import verify


@pytest.fixture
def part(tmp_path, manifest, finish_restart):
    """A part of a run of three restarts: `part("a", 0, 2)` has two of them."""

    def make(name, *done, posterior="q(z|x)", **changed):
        asked = manifest(**({"shards": [[0, 1], [2]]} | changed)).model_copy(update={"posterior": posterior})
        with Run.prepare(tmp_path / name, asked) as run:
            run.save_evaluation(Evaluation(np.arange(100, 130)))
            for index in done:
                finish_restart(run, index)
        return tmp_path / name

    return make


def test_parts_become_a_whole_run(part, tmp_path):
    parts = [part("a", 0, 1), part("b", 2)]
    run = merge(parts, tmp_path / "all")
    assert run.done == [0, 1, 2]
    assert verify(run) == []
    assert run.name == run.manifest.name == "all"
    for folder, index in ((parts[0], 0), (parts[0], 1), (parts[1], 2)):
        for file in Run.open(folder).restart(index).files:
            assert (run.folder / file).read_bytes() == (folder / file).read_bytes()
    again = merge([*parts, tmp_path / "all"], tmp_path / "all")  # nothing is done twice
    assert again.manifest == run.manifest


def test_what_no_part_has_is_left_to_be_trained(part, tmp_path):
    run = merge([part("a", 0), part("b", 2)], tmp_path / "all")
    assert run.done == [0, 2]
    assert run.unfinished == [1]


def test_a_part_can_take_in_the_others(part):
    folder = part("a", 0)
    assert merge([folder, part("b", 1, 2)], folder).done == [0, 1, 2]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"latent_dim": 4}, "are no parts of one run: latent_dim is 3 there, 4 here"),
        ({"posterior": "q(z|x,u)"}, r"posterior is 'q\(z\|x\)' there, 'q\(z\|x,u\)' here"),
        ({"shards": [[0], [1], [2]]}, r"shards is \[\[0, 1\], \[2\]\] there, \[\[0\], \[1\], \[2\]\] here"),
        ({"fingerprint": "other"}, "dataset fingerprint is .* there, 'other' here"),
    ],
)
def test_parts_of_different_runs_are_named_with_what_differs(part, tmp_path, changed, message):
    with pytest.raises(BadRun, match=message):
        merge([part("a", 0), part("b", **changed)], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_a_restart_that_two_parts_have_must_be_the_same(part, tmp_path):
    a, b = part("a", 0, 1), part("b", 1, 2)
    assert merge([a, b], tmp_path / "same").done == [0, 1, 2]
    with Run.prepare(b, Run.open(b).manifest) as run:
        run.save_weights(1, {"w": np.full(3, 7.0)})
        run.record(run.restart(1))
    with pytest.raises(BadRun, match=r"restart 1 differs between .*a and .*b; leave out one"):
        merge([a, b], tmp_path / "all")
    with pytest.raises(BadRun, match=r"restart 1 differs between .*same and .*b; name another --out"):
        merge([b, part("c")], tmp_path / "same")


def test_damaged_parts_are_refused_before_anything_is_written(part, tmp_path):
    a, b = part("a", 0), part("b", 2)
    path = Run.open(b).latents_path(2)
    path.write_bytes(path.read_bytes() + b"1")
    with pytest.raises(BadRun, match=r"restart-002\.parquet is not the file that was recorded"):
        merge([a, b], tmp_path / "all")
    path.unlink()
    with pytest.raises(BadRun, match=r"restart-002\.parquet is not the file that was recorded"):
        merge([a, b], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_a_part_without_evaluation_rows_is_refused_before_anything_is_written(part, manifest, tmp_path):
    a, b = part("a", 0), part("b", 2)
    Run.open(a).evaluation_path.unlink()
    with pytest.raises((BadRun, BadData), match=r"cannot read .*evaluation\.parquet"):
        merge([a, b], tmp_path / "all")
    asked = manifest(shards=[[0, 1], [2]]).model_copy(update={"posterior": "q(z|x)"})
    with Run.prepare(tmp_path / "none", asked):
        pass
    with pytest.raises(BadRun, match=r"none has no evaluation\.parquet; train the part anew"):
        merge([tmp_path / "none", b], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_what_diverged_is_taken_too_and_seconds_may_differ(part, tmp_path):
    a, b = part("a", 0, 1), part("b", 1)
    for folder, index, seconds in ((a, 2, 1.0), (b, 1, 2.0)):
        with Run.prepare(folder, Run.open(folder).manifest) as run:
            run.save_history(index, {"loss": np.array([np.nan]), "seconds": np.array([seconds])})
            state = "diverged" if index == 2 else "done"
            run.record(run.restart(index).model_copy(update={"state": state}))
    run = merge([a, b], tmp_path / "all")
    assert [restart.state for restart in run.manifest.restarts] == ["done", "done", "diverged"]
    assert run.unfinished == []


def test_runs_of_others_and_of_a_changed_model_are_no_parts(part, tmp_path):
    a, b = part("a", 0), part("b", 2)

    def changed(folder, **update):
        return Run(folder, Run.open(folder).manifest.model_copy(update=update))

    with pytest.raises(BadRun, match=r"a was not trained by stabaudit, so it is no part of a run"):
        _require_same_run(changed(a, config=None), Run.open(b))
    one, other = changed(a, source={"mine.py": "1"}), changed(b, source={"mine.py": "2"})
    with pytest.raises(BadRun, match=r"b was trained after mine\.py was changed, and .*a before"):
        _require_same_run(one, other)


def test_one_folder_or_none_is_no_merge(part, tmp_path):
    with pytest.raises(UsageError, match="at least two folders"):
        merge([part("a", 0)], tmp_path / "all")
    with pytest.raises((BadRun, BadData), match="no such file or folder"):
        merge([part("a", 0), tmp_path / "absent"], tmp_path / "all")


def test_one_folder_twice_is_no_merge_whatever_it_is_called(part, tmp_path, monkeypatch):
    folder = part("a", 0)
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    for again in (folder, tmp_path / "link", Path("a")):
        with pytest.raises(UsageError, match="one folder is named twice"):
            merge([folder, again], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def machine(**changed):
    base = {"stabaudit": "1", "torch": "2.13.0", "processor": "x86_64", "capability": "AVX512", "threads": 1}
    return Machine(**(base | changed))


@pytest.mark.parametrize(
    ("machines", "said"),
    [
        ([None, None, None], None),
        ([machine(), machine(), None], None),
        (
            [machine(), machine(capability="AVX2"), machine()],
            "AVX512 (restarts 0, 2); AVX2 (restart 1). A seed gives other bits on each of them",
        ),
        (
            [machine(), machine(torch="2.12.1", threads=4), None],
            "1 thread, torch 2.13.0 (restart 0); 4 threads, torch 2.12.1 (restart 1)",
        ),
    ],
)
def test_a_mix_of_machines_is_named_by_what_differs(manifest, machines, said):
    asked = manifest()
    restarts = [one.model_copy(update={"trained_on": on}) for one, on in zip(asked.restarts, machines, strict=True)]
    found = mixed_machines(asked.model_copy(update={"restarts": restarts}))
    assert found is None if said is None else said in found
