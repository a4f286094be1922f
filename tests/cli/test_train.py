"""`stabaudit train` as users see it: streams, exit codes, what is written and what is not."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stabaudit import defaults
from stabaudit.cli.main import _run
from stabaudit.engines.local import default_workers
from stabaudit.errors import UsageError
from stabaudit.registry import resolve
from stabaudit.store.run.run_folder import Run

MOODY = Path(__file__).parents[1] / "training" / "shards"  # a family that misbehaves on demand


@pytest.fixture(autouse=True)
def _workplace(tmp_path, monkeypatch):
    """An empty working directory beside the data."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.syspath_prepend(MOODY)
    monkeypatch.setenv("COLUMNS", "80")
    rng = np.random.default_rng(0)
    classes = np.arange(160) % 4
    np.savez(tmp_path / "small.npz", x=rng.normal(size=(160, 5)) * (1 + classes[:, None]), labels=classes)
    np.savez(tmp_path / "with_u.npz", x=rng.normal(size=(160, 5)), u=classes.astype(str))


@pytest.fixture
def train(capfd):
    """Run the command on small data and return its status, its stdout and the lines of its stderr."""

    def command(*arguments, data="../small.npz"):
        small = ["-d", "2", "-n", "3", "--batch-size", "32", "--set", "widths=8", "--data", data, "--scale", "none"]
        status = _run(["train", *small, *arguments])
        out, err = capfd.readouterr()
        return status, out, err.splitlines()

    return command


def written():
    return sorted(path.name for path in Path().rglob("*"))


@pytest.mark.slow
def test_a_run_is_trained_and_said_to_be_done(train):
    status, out, err = train("vae", "--steps", "12", "--workers", "1", "--shard-size", "3")
    assert (status, out) == (0, "")
    assert re.fullmatch(r"stabaudit: vae-mlp-small-d2 restarts 0, 1, 2 done after \d+ s", err[0])
    assert err[1:] == [
        "stabaudit: 3 of 3 restarts are done in runs/vae-mlp-small-d2",
        "stabaudit: next: stabaudit compare runs/vae-mlp-small-d2",
    ]
    run = Run.open(Path("runs/vae-mlp-small-d2"))
    assert run.done == [0, 1, 2]
    assert run.manifest.config.training.steps == 12
    again = train("vae", "--steps", "12", "--workers", "1")
    assert again == (0, "", err[1:])
    status, out, err = train("vae", "--steps", "13")
    assert (status, out) == (2, "")
    (refused,) = err
    assert refused.startswith("stabaudit: error: runs/vae-mlp-small-d2 holds another run: training.steps is 12 there, 13 here.")


@pytest.mark.slow
def test_the_rank_of_the_priors_matrix_is_followed_and_kept_with_prior_and_collapse_scores(train):
    assert train("vade", "--set", "components=4", "--steps", "12", "--workers", "1", "--quiet")[0] == 0
    run = Run.open(Path("runs/vade-mlp-small-d2"))
    history, restart = run.history(0), run.manifest.restarts[0]
    assert history["prior_rank"].shape == history["loss"].shape
    assert history["prior_rank"][-1] == restart.scores["prior_rank"] == 3  # of four clusters three differences
    assert np.isinf(history["prior_condition"]).all()  # k·d is 4
    assert {"log_likelihood", "clusters", "dead_clusters", "cluster_accuracy", "cluster_nmi"} <= set(restart.scores)
    prior = run.prior(0)
    assert prior["weight"].sum() == pytest.approx(1)
    assert set(prior) == {"weight", "mean0", "mean1", "log_var0", "log_var1"}
    assert run.divergence(0) is None
    assert train("vae", "--steps", "12", "--workers", "1", "--quiet")[0] == 0
    assert Run.open(Path("runs/vae-mlp-small-d2")).divergence(0)["kl"].shape == (2,)


@pytest.mark.slow
def test_one_diverged_restart_is_told_and_is_no_failure(train):
    status, out, err = train("moody:Moody", "--steps", "40", "--set", "mood=diverge", "--out", "run", "--quiet", "--workers", "1")
    assert (status, out) == (0, "")
    assert err[0] == "stabaudit: 2 of 3 restarts are done in run"
    assert re.fullmatch(r"stabaudit: restart 1 diverged: .* by step 28; a lower --lr may help", err[1])
    assert err[2] == "stabaudit: next: stabaudit compare run"


@pytest.mark.slow
def test_a_restart_that_failed_is_a_failure(train):
    asked = ["--steps", "40", "--set", "mood=raise", "--exact", "--out", "run", "--quiet", "--workers", "1"]
    status, out, err = train("moody:Moody", *asked)
    assert (status, out) == (2, "")
    assert err == [
        "stabaudit: 2 of 3 restarts are done in run",
        "stabaudit: restart 1 failed: ArithmeticError: not today",
        "stabaudit: next: stabaudit compare run",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mood", "detail"),
    [("diverge", "diverged: the loss or the latents left the finite numbers"), ("raise", "failed: ArithmeticError: not today")],
)
def test_no_restart_that_is_done_is_a_failure(train, mood, detail):
    asked = ["--steps", "40", "--set", f"mood={mood}", "--set", "victim=-1", "--out", "run", "--quiet", "-n", "2"]
    status, out, err = train("moody:Moody", *asked, "--workers", "1")
    assert (status, out) == (2, "")
    assert err[0] == "stabaudit: 0 of 2 restarts are done in run"
    assert [line[: len(detail) + 21] for line in err[1:]] == [f"stabaudit: restart {i} {detail}" for i in (0, 1)]


@pytest.mark.slow
def test_one_restart_cannot_be_compared(train):
    assert train("vae", "--steps", "4", "-n", "1", "--out", "run", "--quiet") == (
        0,
        "",
        ["stabaudit: 1 of 1 restart is done in run"],
    )


def test_a_dry_run_says_what_would_be_trained_and_writes_nothing(train, monkeypatch):
    monkeypatch.setattr("stabaudit.engines.local.warm_up", lambda: pytest.fail("no process is needed"))
    status, out, err = train("ivae", "--dry-run", "-d", "4", "--epochs", "3", data="../with_u.npz")
    assert status == 0
    assert err == ["stabaudit: u takes 4 values; identifiability of 4 dimensions needs 5 (k·d + 1)"]
    lines = {line[:13].strip(): line[13:] for line in out.splitlines()}
    assert lines["folder"] == "runs/ivae-mlp-with_u-d4"
    assert lines["steps"] == "12 of 32 rows, 4 an epoch"
    assert f"on {default_workers()} workers" in lines["shards"]
    assert written() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vea"], "unknown family 'vea'; did you mean 'vae'"),
        (["vae", "--set", "prior"], "--set 'prior': expected key=value"),
        (["vae", "--set", "=laplace"], "--set '=laplace': expected key=value"),
        (["vae", "--set", "prior=laplace", "--set", "prior=gaussian"], "--set prior is given twice"),
        (["vae", "--set", "prior=lapl"], "option 'prior' of family vae: 'lapl' — Input should be 'gaussian' or 'laplace'"),
        (["vae", "--restarts", "0"], "'--restarts' / '-n': Input should be greater than or equal to 1"),
        (["vae", "--latent-dim", "-3"], "'--latent-dim' / '-d': Input should be greater than or equal to 1"),
        (["vae", "--steps", "0"], "'--steps': Input should be greater than or equal to 1"),
        (["vae", "--epochs", "-1"], "'--epochs': Input should be greater than or equal to 1"),
        (["vae", "--batch-size", "0"], "'--batch-size': Input should be greater than or equal to 1"),
        (["vae", "--seed", "-1"], "'--seed': Input should be greater than or equal to 0"),
        (["vae", "--workers", "0"], "'--workers': Input should be greater than or equal to 1"),
        (["vae", "--lr", "0"], "train: lr 0.0 — Input should be greater than 0"),
        (["vae", "--epochs", "1", "--steps", "1"], "--epochs and --steps: give one of them"),
        (["vae", "--batch-size", "129"], "a batch of 129 is more than the 128 training rows of ../small.npz"),
        (["vae", "--likelihood", "bernoulli"], "the Bernoulli likelihood needs values in [0, 1]"),
        (["ivae"], "family 'ivae' needs an auxiliary variable u, and ../small.npz has none"),
        (["vae", "--out", "../small.npz"], "../small.npz"),
        (["vae", "--out", "../small.npz/run"], "../small.npz/run"),
        (["vae", "--data", "digits"], "--scale is for a file of your own in --data, not for 'digits'"),
        (["vae", "--u-columns", "a"], "--u-columns, --label-column and --id-column are for tables"),
        (["vae", "--set", "holdout=2"], "option 'holdout' of dataset ../small.npz: '2' — Input should be less than 1"),
    ],
)
def test_bad_usage_is_one_line_and_nothing_is_written(train, arguments, message):
    status, out, err = train(*arguments)
    assert (status, out, written()) == (2, "", [])
    (line,) = err
    assert line.startswith("stabaudit: error: ")
    assert message in line


def test_data_that_are_not_there_are_named(train):
    assert train("vae", data="../smal.npz") == (2, "", ["stabaudit: error: ../smal.npz: no such file"])
    assert written() == []


@pytest.mark.slow
def test_a_family_in_the_working_directory_is_found_by_the_console_script():
    """Which, unlike `python -m`, does not look there by itself."""
    Path("mine.py").write_text("from stabaudit.families.vae import VAE\nclass Mine(VAE): pass\n")
    arguments = ["train", "mine:Mine", "--data", "../small.npz", "--scale", "none", "--dry-run"]
    program = [sys.executable, "-P", "-m", "stabaudit", *arguments]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "runs/mine.Mine-mlp-small-d10" in done.stdout


def options_of(command, capsys):
    """The options of a command by name, and its printed help on one line without frames."""
    import inspect

    from stabaudit.cli import audit, train

    assert _run([command, "--help"]) == 0
    text = " ".join(re.sub("[│╭╮╰╯─]", " ", capsys.readouterr().out).split())
    parameters = inspect.signature({"train": train.train, "audit": audit.audit}[command]).parameters
    return {name: p for name, p in parameters.items() if p.default is not p.empty}, text


NAMED = {"settings": "--set", "form": "--format", "family_label": "--family"}


@pytest.mark.parametrize("command", ["train", "audit"])
def test_the_help_names_every_option_and_its_default(command, capsys):
    options, text = options_of(command, capsys)
    assert len(options) > 10
    for name, parameter in options.items():
        flag = NAMED.get(name, "--" + name.replace("_", "-"))
        assert f"{flag} " in text
        own = re.split(r" --\S+ (?:-. )?<", text.partition(f" {flag} ")[2])[0]  # up to the next option
        if parameter.default not in {None, False}:
            assert f"[default: {parameter.default}]" in own


def test_defaults_that_are_decided_later_are_told(capsys):
    _, text = options_of("train", capsys)
    assert f"Training steps; {defaults.STEPS:,} by default." in text
    assert "How many work at a time; one per core, or as many as the engine has room for." in text
    assert "runs/FAMILY-ARCH-DATA-dD by default." in text
    _, text = options_of("audit", capsys)
    assert "audits/PLAN by default." in text


def test_a_failed_command_does_not_look_like_an_interrupted_one(train, monkeypatch):
    def full(*_arguments, **_others):
        raise OSError(28, "No space left on device", "/tmp/arrays")

    monkeypatch.setattr("stabaudit.engines.local.share", full)
    assert train("vae", "--out", "run") == (2, "", ["stabaudit: error: /tmp/arrays: No space left on device"])
    assert Run.open(Path("run")).unfinished == [0, 1, 2]


def test_the_working_directory_is_looked_at_for_what_a_user_named_alone(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("def measure(a, b):\n    return 1.0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    before = list(sys.path)
    assert resolve("score", "mine:measure")([], []) == 1.0
    assert sys.path == before
    with pytest.raises(UsageError, match="cannot import"):
        resolve("score", "nowhere:measure")
    assert sys.path == before


PLANTED = ("cython", "org", "pandas_stubs", "h5py", "IPython", "ipywidgets", "dill", "cloudpickle", "ipykernel", "sitecustomize")
ONE_BY_ONE = """
import sys, json
lines = json.loads(sys.argv[1])
from stabaudit.cli.main import main
for sys.argv[1:] in lines:
    try:
        main()
    except SystemExit as stop:
        assert stop.code == 0, sys.argv
"""
TRIPWIRE = "open('planted', 'a').write(__name__ + ' ')\n"


@pytest.mark.slow
@pytest.mark.parametrize("module", [False, True], ids=["console script", "python -m"])
def test_commands_that_only_read_run_nothing_from_the_working_directory(make_run, tmp_path, monkeypatch, module):
    """Modules of every name that an import tries and misses, and an entry point, lie in the working directory."""
    folder = make_run("vae")
    monkeypatch.chdir(tmp_path)
    missed = missed_imports(
        [sys.executable, "-P", "-c", ONE_BY_ONE, json.dumps([["compare", str(folder), "--floor-draws", "1"]])]
    )
    for name in {*PLANTED, *missed}:
        Path(f"{name}.py").write_text(TRIPWIRE)
    info = Path("planted-1.0.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[stabaudit.scores]\nplanted = cython:f\n[stabaudit.families]\nplanted = cython:F\n")
    read = [["list"], ["show", str(folder)], ["verify", str(folder)], ["compare", str(folder)], ["report", str(folder)]]
    if module:  # which of its own accord puts the working directory first, whatever is run
        commands = [[sys.executable, "-m", "stabaudit", *words] for words in read[-2:]]
    else:
        commands = [[sys.executable, "-P", "-c", ONE_BY_ONE, json.dumps(read)]]
    for words in commands:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert not Path("planted").exists(), (words, Path("planted").read_text())


@pytest.mark.slow
def test_training_takes_no_module_of_pythons_own_from_the_working_directory(tmp_path, monkeypatch):
    """Worker processes begin as `python -c`, which puts the working directory first."""
    monkeypatch.chdir(tmp_path)
    for name in ("multiprocessing", "signal", "socket", "selectors", "pickle", "cython"):
        Path(f"{name}.py").write_text(TRIPWIRE)
    words = "train vae -d 2 -n 1 --steps 2 --set widths=4 --workers 1 --quiet --out run".split()  # noqa: SIM905
    done = subprocess.run([sys.executable, "-m", "stabaudit", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not Path("planted").exists(), Path("planted").read_text()


def missed_imports(command):
    """Top-level modules that a command tries to import and does not find."""
    probe = (
        "import sys, atexit\nmissed = set()\n"
        "class Probe:\n    def find_spec(self, name, path=None, target=None):\n"
        "        missed.add(name) if path is None else None\n"
        "sys.meta_path.append(Probe())\natexit.register(lambda: print(*missed, file=open('missed.txt', 'w')))\n"
    )
    code = probe + command[3]
    subprocess.run([*command[:3], code, *command[4:]], capture_output=True, check=False)
    return {name for name in Path("missed.txt").read_text().split() if name.isidentifier()}


def test_columns_of_a_table_are_named_by_options(train):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(1e6, 1e5, (160, 3)), columns=list("abc"))
    table.assign(name=[f"r{i}" for i in range(160)], kind=list("pq") * 80, u1=rng.random(160)).to_csv("own.csv", index=False)
    named = ["--id-column", "name", "--label-column", "kind", "--u-columns", "u1"]
    status, out, err = train("ivae", *named, "--scale", "standardise", "--strict", "--dry-run", data="own.csv")
    assert (status, err) == (0, [])
    assert "prior_network=mlp" in out
    assert "u_columns=['u1'] label_column=kind id_column=name scale=standardise" in out


def test_strict_guesses_nothing_of_data(capfd):
    np.savez("own.npz", x=np.random.default_rng(0).normal(5, 3, (90, 4)))
    assert _run(["train", "vae", "--data", "own.npz", "--dry-run", "--strict"]) == 2
    assert "which --strict does not guess; write --scale standardise, minmax or none" in capfd.readouterr().err
    assert written() == ["own.npz"]
