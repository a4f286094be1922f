"""What the surroundings of a command can be like: encodings, pipes, names, folders that move, other writers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stabaudit.audit.plan_file import load_plan
from stabaudit.audit.run import prepare_plan
from stabaudit.cli.main import _run
from stabaudit.errors import StabauditError
from stabaudit.store.run.manifest import read_manifest
from stabaudit.store.run.run_folder import Run
from stabaudit.store.run.verify import verify

pytestmark = pytest.mark.slow

TRAIN = ["train", "vae", *"-d 3 -n 1 --steps 4 --set widths=8 --workers 1 --quiet --exact --dry-run".split()]  # noqa: SIM905


def stabaudit(*arguments, **named):
    """The command in a process of its own."""
    return subprocess.run([sys.executable, "-m", "stabaudit", *arguments], capture_output=True, check=False, **named)


@pytest.fixture(scope="module")
def latents(tmp_path_factory):
    """Two files of latents, a rotated copy of each other."""
    folder = tmp_path_factory.mktemp("latents")
    z = np.random.default_rng(0).normal(size=(300, 3))
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    for name, values in {"größe": z, "b": z @ turn}.items():
        np.savez(folder / f"{name}.npz", z=values, sample_id=np.arange(300))
    return folder


# ------------------------------------------------------------------------------------------------------------ encodings and pipes


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "koi8-r", "utf-8"])
def test_results_can_be_read_in_any_encoding(latents, encoding):
    surroundings = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": encoding}
    words = ["compare", "größe.npz", "b.npz", "--floor-draws", "2"]
    both = (
        "import sys\n"
        "from stabaudit.cli.main import main\n"
        "for form in ('table', 'json'):\n"
        "    try:\n        main([*sys.argv[1:], '--format', form])\n"
        "    except SystemExit as stop:\n        assert stop.code == 0\n"
    )
    done = subprocess.run([sys.executable, "-c", both, *words], capture_output=True, check=False, cwd=latents, env=surroundings)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr + done.stdout
    said = done.stdout.decode("utf-8" if encoding == "ascii" else encoding)  # what only claims to be ASCII is written as UTF-8
    table, brace, document = said.partition("\n{")
    assert "strong MCC" in table
    assert "strong_mcc" in json.dumps(json.loads(brace + document))


def test_a_pipe_that_is_closed_early_is_no_error(latents):
    writing, reading = os.pipe()[::-1]
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "stabaudit", "compare", "b.npz", "größe.npz", "--floor-draws", "2", "--format", "json"],
        cwd=latents,
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert done.returncode == 128 + signal.SIGPIPE
    assert b"Traceback" not in done.stderr


# -------------------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["größe", "日本語", "two words", "-x", "a#3", "100%", "{curly}", "'quoted\"", "🦜"])
def test_any_name_is_a_name(tmp_path, manifest, victims, name, capfd):
    victims.write(tmp_path / name, manifest.model_copy(update={"name": name}))
    assert _run(["verify", str(tmp_path / name)]) == 0
    assert _run(["compare", str(tmp_path / name), "--floor-draws", "2", "--format", "json"]) == 0
    assert _run(["show", str(tmp_path / name)]) == 0
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("..", "is not a run folder and not empty"),
        ("x/../..", "is not a run folder and not empty"),
        ("/", "is not a run folder and not empty"),
        ("two\nlines", "control characters"),
        ("two\nlines/run", "control characters"),
        ("nul\0", "embedded null byte"),
        ("x" * 300, "file name too long"),
        ("語" * 86, "file name too long"),
        ("/dev/null/run", "not a directory"),
    ],
)
def test_names_that_no_run_can_have_are_refused_before_training(tmp_path, monkeypatch, capfd, name, said):
    (tmp_path / "here" / "x").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("stabaudit.engines.local.LocalEngine.run", lambda *_: pytest.fail("trained"))
    assert _run([*TRAIN[:-1], "--out", name]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("stabaudit: error: ")
    assert said in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["here", "x"]


def test_the_current_folder_can_be_a_run(tmp_path, monkeypatch, capfd):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    monkeypatch.setattr("stabaudit.engines.local.LocalEngine.run", lambda *_: None)
    _run([*TRAIN[:-1], "--out", "."])
    assert read_manifest(tmp_path / "mine").name == "mine"


@pytest.mark.parametrize("where", ["..", "../data", "{folder}/data"])
def test_a_plan_writes_nowhere_but_in_its_folder(tmp_path, monkeypatch, where):
    (tmp_path / "here").mkdir()
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    data = Path(where.format(folder=tmp_path)) / "größe.npz"
    np.savez(data, x=np.random.default_rng(0).normal(size=(100, 3)))
    (tmp_path / "plan.toml").write_text(
        f'[grid]\nfamily = ["vae"]\ndata = ["{data}"]\nsettings.scale = ["none"]\n', encoding="utf-8"
    )
    (job,) = prepare_plan(load_plan(str(tmp_path / "plan.toml")), tmp_path / "runs")
    assert job.folder.parent == tmp_path / "runs"
    assert "größe.npz" in job.folder.name


@pytest.mark.parametrize("value", ["a\\u0000b", "a\\nb", "x" * 300, ""])
@pytest.mark.parametrize("key", ["data", "family", "arch"])
def test_a_plan_with_impossible_names_is_refused_in_one_line(tmp_path, monkeypatch, capfd, value, key):
    monkeypatch.chdir(tmp_path)
    Path("plan.toml").write_text(f'[defaults]\ndata = "digits"\nfamily = "vae"\n[grid]\n{key} = ["{value}.npz"]\n')
    assert _run(["audit", "plan.toml", "--dry-run"]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("stabaudit: error: ")
    assert "internal error" not in err


# --------------------------------------------------------------------------------------------------------- other times and places


def test_a_run_that_is_moved_is_the_same_run(tmp_path, manifest, victims):
    victims.write(tmp_path / "old", manifest)
    shutil.copytree(tmp_path / "old", tmp_path / "far" / "away")
    shutil.rmtree(tmp_path / "old")
    moved = Run.open(tmp_path / "far" / "away")
    assert verify(moved) == []
    moved.latents_path(1).unlink()
    assert f"stabaudit train x --out {tmp_path / 'far' / 'away'}" in verify(moved)[0].remedy
    victims.write(tmp_path / "far" / "away", manifest)
    assert verify(Run.open(tmp_path / "far" / "away")) == []


def older(manifest):
    """A manifest as version 1 wrote it: without its own SHA-256, and without keys that came later."""
    content = json.loads(manifest)
    del content["sha256"], content["grid"], content["posterior"]
    del content["environment"]["products"], content["environment"]["threads_per_worker"]
    return json.dumps(content | {"schema_version": 1}, indent=2)


def test_an_older_manifest_is_read_and_gone_on_with(tmp_path, manifest, victims):
    victims.write(tmp_path / "run", manifest)
    path, new = tmp_path / "run" / "run.json", Run.open(tmp_path / "run").manifest
    path.write_text(older(path.read_text()))
    assert Run.open(tmp_path / "run").manifest == new
    victims.write(tmp_path / "run", manifest)
    assert json.loads(path.read_text())["schema_version"] == 2
    assert verify(Run.open(tmp_path / "run")) == []


@pytest.mark.parametrize("command", ["verify", "show", "compare", "report"])
def test_a_newer_manifest_is_refused_with_both_versions(tmp_path, manifest, victims, capfd, command):
    victims.write(tmp_path / "run", manifest)
    path = tmp_path / "run" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 9, "new": "key"}))
    assert _run([command, str(tmp_path / "run")]) == 2
    err = capfd.readouterr().err
    assert "has schema version 9, this stabaudit reads up to 2" in err
    assert err.count("\n") == 1


def test_of_two_writers_one_writes_and_the_other_is_told(tmp_path, manifest, victims, capfd, monkeypatch):
    monkeypatch.setattr("stabaudit.engines.local.LocalEngine.run", lambda *_: pytest.fail("trained"))
    folder = tmp_path / "run"
    assert _run([*TRAIN, "--out", str(folder)]) == 0
    with Run.prepare(folder, manifest):
        before = victims.content(folder)
        assert _run([*TRAIN[:-1], "--out", str(tmp_path / "run")]) == 2
        assert victims.content(folder) == before
        ends = []
        others = [threading.Thread(target=lambda: ends.append(refusal(folder, manifest, victims))) for _ in range(4)]
        for other in others:
            other.start()
        for other in others:
            other.join()
    assert ends == [f"{folder} is being written by process {os.getpid()}"] * 4
    assert not (folder / ".writer.json").exists()


def refusal(folder, manifest, victims):
    try:
        victims.write(folder, manifest)
    except StabauditError as error:
        return str(error).partition(" on ")[0]
    return None


def test_a_lock_that_a_killed_process_left_behind_is_none(tmp_path, manifest, victims):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".lock").touch()
    (folder / ".writer.json").write_text('{"process":1,"host":"elsewhere","since":"2001-01-01T00:00:00Z"}')
    victims.write(folder, manifest)
    assert verify(Run.open(folder)) == []


# ----------------------------------------------------------------------------------------------------------- restarts as they are


def test_restarts_that_are_the_same_are_told_of_since_they_inflate_stability(make_run, capfd):
    rng = np.random.default_rng(0)
    z = [rng.normal(size=(600, 4)) for _ in range(3)]
    folder = make_run("doubled", latents=[*z, z[1]])
    assert _run(["compare", str(folder), "--floor-draws", "2"]) == 0
    assert "doubled#1 and doubled#3 hold the same latents" in capfd.readouterr().err


def test_a_diverged_restart_among_healthy_ones_is_counted_and_no_score_is_nan(make_run, capfd):
    folder = make_run("moody", restarts=3, lost=["the loss left the finite numbers by step 40"])
    assert _run(["compare", str(folder), "--floor-draws", "2", "--format", "json"]) == 0
    out, err = capfd.readouterr()
    document = json.loads(out, parse_constant=pytest.fail)
    assert document["runs"][0]["restarts"] == 3
    assert document["runs"][0]["trained"] == 4
    assert "moody: 3 of 4 restarts" in err
    assert "the loss left the finite numbers by step 40" in err


def test_nan_in_latents_from_elsewhere_is_refused_with_its_file_and_column(tmp_path, capfd):
    z = np.random.default_rng(0).normal(size=(3, 100, 2))
    z[1, 7, 1] = np.nan
    for name, values in zip("abc", z, strict=True):
        np.save(tmp_path / f"{name}.npy", values)
    assert _run(["compare", *(str(tmp_path / f"{name}.npy") for name in "abc")]) == 2
    assert f"{tmp_path / 'b.npy'}: z1 holds 1 NaN or infinite value" in capfd.readouterr().err


# --------------------------------------------------------------------------------------------- variables, digits and metadata


def test_a_backend_that_matplotlib_does_not_know_is_named_where_it_is_needed(make_run, tmp_path):
    folder = make_run("run", restarts=3)
    strange = os.environ | {"MPLBACKEND": "nonsense"}
    done = stabaudit("plot", "match", str(folder), "--output", str(tmp_path / "a.svg"), env=strange)
    assert done.returncode == 0, done.stderr
    done = stabaudit("plot", "match", str(folder), "--output", str(tmp_path / "a.png"), env=strange, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("stabaudit: error: matplotlib cannot be used: ")
    assert done.stderr.endswith("; unset MPLBACKEND\n")
    assert not (tmp_path / "a.png").exists()


NINES = "9" * 5000  # more than Python turns into a number
PLACES_OF_DIGITS = {
    "restarts": ["train", "vae", "--dry-run", "-n", NINES],
    "seed": ["train", "vae", "--dry-run", "--seed", NINES],
    "setting": ["train", "vae", "--dry-run", "--set", f"widths={NINES}"],
    "memory": ["compare", "a.npy", "b.npy", "--memory", f"{NINES}GB"],
    "memory of import": ["import", "a.npy", "--memory", NINES, "--out", "new"],
    "requirement": ["check", "run", "--require", f"strong_mcc>={NINES}"],
    "restart": ["compare", f"run#{NINES}"],
    "until": ["train", "vae", "--until", f"strong_mcc±{NINES}"],
    "baseline": ["check", "run", "--baseline", "baseline.json"],
    "plan": ["audit", "plan.toml", "--dry-run"],
    "manifest": ["show", "damaged"],
    "table": ["report", "--wilcoxon", "scores.csv"],
    "latents": ["compare", "digits.csv", "digits.csv#"],
    "width": ["plot", "match", "run", "--width", NINES, "--output", "a.svg"],
    "half-width": ["restarts", "run", "--half-width", NINES],
}


@pytest.mark.parametrize("place", PLACES_OF_DIGITS)
def test_digits_without_end_are_one_line(place, make_run, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stabaudit.engines.local.LocalEngine.run", lambda *_: pytest.fail("trained"))
    monkeypatch.setattr("stabaudit.engines.local.warm_up", lambda: None)
    make_run("run", restarts=3)
    shutil.copytree("run", "damaged")
    Path("damaged/run.json").write_text(Path("run/run.json").read_text().replace('"seed": 1', f'"seed": {NINES}', 1))
    for name in "ab":
        np.save(f"{name}.npy", np.eye(3))
    Path("baseline.json").write_text(f'{{"schema_version": {NINES}, "scores": []}}')
    Path("plan.toml").write_text(f'[defaults]\ndata = "digits"\nfamily = "vae"\nrestarts = {NINES}\n[grid]\nlatent_dim = [2]\n')
    Path("scores.csv").write_text(f"configuration,vae,vade\na,{NINES},1\nb,0.2,0.3\n")
    Path("digits.csv").write_text(f"sample_id,z0\na,{NINES}\nb,2\n")
    assert _run(PLACES_OF_DIGITS[place]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "internal error" not in err


@pytest.mark.parametrize(
    "noted", ["[1, 2]", '"text"', "{", "[" * 100_000, '{"index_columns": {"a": 1}}', f'{{"columns": {NINES}}}']
)
@pytest.mark.parametrize("words", ["train vae --dry-run -n 1 --data a.parquet", "import a.parquet --ids-by-position --out run"])
def test_metadata_of_pandas_can_be_anything(noted, words, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    z = np.random.default_rng(0).normal(size=(2, 100))
    table = pa.table(dict(zip("ab", z, strict=True))).replace_schema_metadata({"pandas": noted})
    pq.write_table(table, "a.parquet")
    status = _run(words.split())
    err = capfd.readouterr().err
    assert "internal error" not in err
    assert (status, err.count("\n")) in {(0, err.count("\n")), (2, 1)}
