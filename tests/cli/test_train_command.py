"""`stabaudit train --command`: what programs are called with, what becomes of them, and what is recorded."""

import os
import shlex
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from stabaudit.cli.main import _run
from stabaudit.errors import BadRun, UsageError
from stabaudit.external import process as attempt
from stabaudit.external import programs
from stabaudit.external.programs import Call, run_program
from stabaudit.store.run.external_labels import External, Program
from stabaudit.store.run.run_folder import Run
from stabaudit.store.run.verify import leftovers, verify

pytestmark = pytest.mark.slow

PYTHON = shlex.quote(sys.executable)

# Writes z = seed·i and i²; what else it does is told by a file of its mood: "2 status 3" concerns seed 2.
FIT = """
import os, pathlib, random, sys, time
seed, out = int(sys.argv[1]), sys.argv[2]
print("fitting", seed, os.environ["OMP_NUM_THREADS"])
rows = [f"r{i},{random.Random(1000 * seed + i).random()},{seed + i * i}" for i in range(8)]
for line in pathlib.Path("mood").read_text().splitlines() if os.path.exists("mood") else []:
    victim, mood, *argument = line.split()
    if int(victim) != seed:
        continue
    if mood == "status":
        print("something is wrong", file=sys.stderr)
        print(file=sys.stderr)
        sys.exit(int(argument[0]))
    if mood == "kill":
        os.kill(os.getpid(), int(argument[0]))
    if mood == "sleep":
        time.sleep(60)
    if mood == "nothing":
        sys.exit(0)
    if mood == "fewer":
        rows = rows[:-1]
    if mood == "garbage":
        rows = ["a,b,c"] * 8
    if mood == "meet":
        pathlib.Path(f"here{seed}").touch()
        end = time.monotonic() + 20
        while not pathlib.Path(f"here{argument[0]}").exists():
            assert time.monotonic() < end, "nobody came"
            time.sleep(0.01)
pathlib.Path(out).write_text("sample_id,z0,z1\\n" + "\\n".join(rows) + "\\n")
"""


@pytest.fixture(autouse=True)
def _workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("OMP_NUM_THREADS")
    Path("fit.py").write_text(FIT)


@pytest.fixture
def train(capfd):
    def command(*more, program=f"{PYTHON} -S fit.py {{seed}} {{latents}}", restarts=3, out="run"):
        options = ["--latents-format", "csv", "--workers", "2", "--restarts", str(restarts), "--out", out]
        status = _run(["train", "--command", program, *options, *more])
        printed, err = capfd.readouterr()
        assert printed == ""
        return status, err.splitlines()

    return command


def mood(*lines):
    Path("mood").write_text("\n".join(lines))


def test_a_program_is_run_for_every_restart_and_its_latents_make_a_run(train, capfd):
    status, err = train("--seed", "4")
    assert status == 0
    assert sorted(line.partition(" after")[0] for line in err[:3]) == [f"stabaudit: run restart {i} done" for i in range(3)]
    assert err[3:] == ["stabaudit: 3 of 3 restarts are done in run", "stabaudit: next: stabaudit compare run"]
    run = Run.open(Path("run"))
    for index, restart in enumerate(run.manifest.restarts):
        assert (restart.seed, restart.state, set(restart.files)) == (
            4 + index,
            "done",
            {f"latents/restart-00{index}.parquet", f"logs/restart-00{index}.txt"},
        )
        assert run.latents(index).sample_id.tolist() == [f"r{i}" for i in range(8)]
        np.testing.assert_array_equal(run.latents(index).mean[:, 1], 4 + index + np.arange(8) ** 2)
        assert run.latents(index).metadata.seed == 4 + index
        called, said = (run.folder / f"logs/restart-00{index}.txt").read_text().splitlines()
        assert called.startswith(f"$ {PYTHON} -S fit.py {4 + index} {run.folder.resolve()}/.programs/restart-00{index}-")
        assert said == f"fitting {4 + index} {max(1, os.cpu_count() // 2)}"
    assert not (run.folder / ".programs").exists()
    for command in ("verify", "show", "compare"):
        assert _run([command, "run"]) == 0
    assert "a program trained these restarts" in capfd.readouterr().out


def test_the_same_command_does_nothing_more_and_more_restarts_extend_the_run(train):
    train()
    logs = [path.stat().st_mtime_ns for path in sorted(Path("run/logs").iterdir())]
    assert train() == (0, ["stabaudit: 3 of 3 restarts are done in run", "stabaudit: next: stabaudit compare run"])
    status, err = train(restarts=5)
    assert (status, len(err)) == (0, 4)
    assert [path.stat().st_mtime_ns for path in sorted(Path("run/logs").iterdir())][:3] == logs
    assert Run.open(Path("run")).done == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"program": f"{PYTHON} -S fit.py {{seed}} {{latents}} --more"}, "program.command is '"),
        ({"more": ["--seed", "1"]}, "program.seed is 0 there, 1 here"),
        ({"more": ["--dataset", "digits"]}, "dataset is not set there, 'digits' here"),
        ({"restarts": 2}, "restarts is 3 there, 2 here"),
    ],
)
def test_another_command_in_the_same_folder_is_refused(train, asked, told):
    train()
    before = {path: path.read_bytes() for path in Path("run").rglob("*.*") if path.is_file()}
    status, err = train(*asked.pop("more", ()), **asked)
    assert status == 2
    assert err[0].startswith("stabaudit: error: run holds another run: ")
    assert told in err[0]
    assert {path: path.read_bytes() for path in Path("run").rglob("*.*") if path.is_file()} == before


def test_a_trained_run_is_not_taken_for_one(train, make_run):
    folder = make_run("vae")
    status, err = train(out=str(folder))
    assert status == 2
    assert "origin is 'trained' there, 'made by a program' here" in err[0]


@pytest.mark.parametrize(
    ("mishap", "detail"),
    [
        ("status 3", "its program ended with exit status 3 (something is wrong); see run/logs/restart-001.txt"),
        ("kill 9", "its program was killed by SIGKILL ("),
        ("kill 40", "its program was killed by signal 40 ("),
        ("nothing", "its program ended without writing {latents} (fitting 1 "),
        ("garbage", "column 'z0' is string, expected numbers"),
    ],
)
def test_a_program_that_fails_fails_its_restart_alone_and_is_tried_again(train, mishap, detail):
    mood(f"1 {mishap}")
    status, err = train("--quiet")
    assert status == 2
    assert err[0] == "stabaudit: 2 of 3 restarts are done in run"
    assert err[1].startswith("stabaudit: restart 1 failed: ")
    assert detail in err[1]
    run = Run.open(Path("run"))
    assert [restart.state for restart in run.manifest.restarts] == ["done", "failed", "done"]
    assert detail in run.restart(1).detail
    assert verify(run) == []
    kept = list(Path("run/.programs").glob("restart-001-*/latents.csv"))
    assert len(kept) == (mishap == "garbage")  # hours of work, perhaps
    mood()
    done = [run.latents_path(index).stat().st_mtime_ns for index in (0, 2)]
    assert train("--quiet")[0] == 0
    run = Run.open(Path("run"))
    assert run.done == [0, 1, 2]
    assert run.restart(1).detail == ""
    assert [run.latents_path(index).stat().st_mtime_ns for index in (0, 2)] == done
    assert all(path.exists() for path in kept)
    assert Path("run/.programs").exists() == bool(kept)


def test_a_program_that_takes_too_long_is_stopped_and_tried_again(train):
    mood("0 sleep")
    status, err = train("--timeout", "0.25", "--quiet", restarts=1)
    assert status == 2
    assert "restart 0 failed: its program was stopped after 0.25 s, the --timeout" in err[1]
    mood()
    assert train("--timeout", "600", restarts=1)[0] == 0


# Waits to be stopped, and then for the other one to be stopped as well.
STOPPED = """
import pathlib, signal, sys, time
seed = int(sys.argv[1])
def stop(*_):
    pathlib.Path(f"stopping{seed}").touch()
    while not pathlib.Path(f"stopping{1 - seed}").exists():
        time.sleep(0.01)
    pathlib.Path(f"met{seed}").touch()
    sys.exit()
signal.signal(signal.SIGTERM, stop)
pathlib.Path(f"ready{seed}").touch()
while True:
    time.sleep(0.01)
"""


def test_programs_that_take_too_long_are_stopped_together(train, monkeypatch):
    """The clock stands still until both are ready, so that it decides nothing."""
    Path("stopped.py").write_text(STOPPED)
    both = [Path("ready0"), Path("ready1")]
    monkeypatch.setattr(attempt.Attempt, "seconds", property(lambda _: 100.0 if all(path.exists() for path in both) else 0.0))
    status, err = train("--timeout", "7", "--quiet", program=f"{PYTHON} -S stopped.py {{seed}} {{latents}}", restarts=2)
    assert status == 2
    assert [line.count("its program was stopped after 7 s, the --timeout") for line in err] == [0, 1, 1]
    assert Path("met0").exists()
    assert Path("met1").exists()


def test_latents_of_a_program_that_ended_are_taken_in_later(train, monkeypatch):
    """The disk is full when they are to be saved; the program is not called again, as its log shows."""

    def full(*_):
        raise BadRun("cannot write: no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save_latents", full)
        status, err = train("--workers", "1", restarts=2)
    assert (status, err) == (2, ["stabaudit: error: cannot write: no space left on device"])
    mood("0 status 1")
    assert train(restarts=2)[0] == 0
    run = Run.open(Path("run"))
    assert run.done == [0, 1]
    np.testing.assert_array_equal(run.latents(0).mean[:, 1], np.arange(8) ** 2)
    assert set(run.restart(0).files) == {"latents/restart-000.parquet", "logs/restart-000.txt"}
    assert not Path("run/.programs").exists()
    assert verify(run) == []


def test_latents_that_could_not_be_used_are_taken_in_once_they_can(train, monkeypatch):
    """What reads them was not installed; the programs are not called again, for they would fail."""

    def absent(*_):
        raise UsageError("not installed")

    with monkeypatch.context() as patch:
        patch.setattr(programs, "named_rows", absent)
        assert "restart 0 failed: its latents cannot be used: not installed" in train("--quiet", restarts=2)[1][1]
    mood("0 status 1", "1 status 1")
    assert train(restarts=2)[0] == 0
    assert not Path("run/.programs").exists()


def test_latents_of_a_program_that_failed_are_neither_taken_nor_deleted(train):
    program = f"{PYTHON} -S fit.py {{seed}} {{latents}} && test -e good"
    for _ in range(2):
        assert train("--shell", program=program, restarts=1)[0] == 2
    Path("good").touch()
    assert train("--shell", program=program, restarts=1)[0] == 0
    assert len(list(Path("run/.programs").glob("restart-000-*/latents.csv"))) == 2


def test_restarts_must_have_the_same_rows(train):
    mood("2 fewer")
    status, err = train("--workers", "1")
    assert status == 2
    assert "restart 2 has shape (7, 2), restart 0 (8, 2); restarts of one run have the same" in err[-2]
    mood("0 fewer", "1 fewer", "2 status 1")
    assert train("--workers", "1", out="other")[0] == 2
    mood("0 status 1", "1 status 1", "2 status 1")
    train("--workers", "1", out="third")
    mood()
    assert train(out="third")[0] == 0


def test_rows_of_a_first_restart_that_was_lost_bind_nobody(train):
    """Killed between the words on the rows and the record of the restart."""
    mood("0 fewer", "1 status 1", "2 status 1")
    train("--workers", "1")
    Path("run/latents/restart-000.parquet").unlink()
    mood()
    assert train()[0] == 0
    assert Run.open(Path("run")).manifest.dataset.evaluation_rows == 8


def test_programs_run_at_the_same_time(train):
    mood("0 meet 1", "1 meet 0")
    assert train()[0] == 0


def test_a_shell_reads_the_command_only_when_asked(train):
    program = f"{PYTHON} -S fit.py {{seed}} tmp{{restart}} | cat && cp tmp{{restart}} {{latents}}"
    status, err = train(program=program)
    assert (status, err) == (2, ["stabaudit: error: --command: '|' is for a shell, and none reads the command; add --shell"])
    assert train("--shell", program=program, out="a b'c")[0] == 0
    quoted = f'{PYTHON} -S fit.py {{seed}} "{{latents}}" && test -s \'{{latents}}\' && test -s "$(echo "{{latents}}")"'
    assert train("--shell", program=quoted, out="a b'$c\"d")[0] == 0
    status, err = train(program=f"{PYTHON} -S fit.py {{seed}} {{latents}} $(touch hacked) `touch hacked`;touch")
    assert status == 0
    assert not Path("hacked").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--command", "python fit.py {seed}"], "nothing says where latents are to be written; put {latents}"),
        (["--command", "python fit.py {sed} {latents}"], "unknown placeholder {sed}; did you mean {seed}?"),
        (["--command", "nowhere-at-all {seed} {latents}"], "no program 'nowhere-at-all' is found"),
        (["--command", "python 'fit.py {seed} {latents}"], "no closing quotation"),
        (["vae", "--command", "python fit.py {seed} {latents}"], "--command trains instead of a family: leave out 'vae'"),
        ([], "give a model family"),
        (["--command", "python fit.py {seed} {latents}", "--lr", "0.1"], "--lr goes with a model family; leave it out"),
        (["--command", "python fit.py {seed} {latents}", "--set", "k=1"], "--set goes with a model family; leave it out"),
        (["--command", f"{PYTHON} fit.py {{seed}} {{latents}}", "--id-column", "a", "--ids-by-position"], "give one of them"),
        (["--command", f"{PYTHON} fit.py {{seed}} {{latents}}"], ".npy file cannot name its rows; add --ids-by-position if"),
        (
            ["--command", f"{PYTHON} fit.py {{seed}} {{latents}}", "--id-column", "cell"],
            "say --latents-format parquet, csv or npz",
        ),
        (["vae", "--timeout", "3"], "--timeout goes with --command; leave it out"),
        (["vae", "--family", "mine"], "--family goes with --command; leave it out"),
    ],
)
def test_what_cannot_be_called_is_refused_and_nothing_is_written(words, told, capfd):
    assert _run(["train", *words, *(["--out", "run"] if words else [])]) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert told in err
    assert [path.name for path in Path().iterdir()] == ["fit.py"]


def test_a_command_needs_a_folder_and_without_a_seed_it_is_told(train, capfd):
    assert _run(["train", "--command", f"{PYTHON} fit.py {{seed}} {{latents}}", "--ids-by-position"]) == 2
    assert "--command needs a run folder: --out runs/NAME" in capfd.readouterr().err
    status, err = train(program=f"{PYTHON} -S fit.py {{restart}} {{latents}}")
    assert status == 0
    assert err[0] == "stabaudit: the command has no {seed}: its restarts differ only if the program draws seeds of its own"


def test_a_dry_run_says_what_would_be_called(capfd):
    words = [
        "--command",
        "cat {seed} '{latents}' {literal}",
        "--seed",
        "7",
        "-n",
        "2",
        "--out",
        "run",
        "--ids-by-position",
        "--dry-run",
    ]
    assert _run(["train", *words]) == 0
    assert capfd.readouterr().out == "cat 7 latents.npy '{literal}'\ncat 8 latents.npy '{literal}'\n"
    assert not Path("run").exists()


SLOW = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
pathlib.Path(f"started{sys.argv[1]}").write_text(f"{os.getpid()} {child.pid}")
if sys.argv[1] == "1":
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(60)
"""


def alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_stopped_command_leaves_no_process_and_goes_on(number, status):
    """Neither the programs nor what they started; one of them does not listen to SIGTERM."""
    Path("slow.py").write_text(SLOW)
    words = ["train", "--command", f"{PYTHON} -S slow.py {{seed}} {{latents}}", "-n", "3", "--workers", "2", "--ids-by-position"]
    words += ["--out", "run"]
    # In a process of its own, as a terminal has it, which does not wait five seconds for the one that does not listen.
    code = (
        f"import sys; sys.path.insert(0, ''); sys.argv = ['stabaudit'] + {words!r}\n"
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job in the background ignores it
        "from stabaudit.external import process\nprocess.PATIENCE = 0.3\n"
        f"from stabaudit.cli.main import main\nmain({words!r})"
    )
    command = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, start_new_session=True)
    started = [Path("started0"), Path("started1")]
    end = time.monotonic() + 30
    while not all(path.exists() and len(path.read_text().split()) == 2 for path in started):
        assert time.monotonic() < end
        assert command.poll() is None
        time.sleep(0.02)
    processes = [int(word) for path in started for word in path.read_text().split()]
    assert all(map(alive, processes))
    os.killpg(command.pid, number)
    _, err = command.communicate(timeout=30)
    assert command.returncode == status
    assert err == f"stabaudit: interrupted; to go on: {shlex.join(['stabaudit', *words])}\n"
    assert not any(map(alive, processes))
    run = Run.open(Path("run"))
    assert [restart.state for restart in run.manifest.restarts] == ["pending"] * 3
    Path("slow.py").write_text("import sys\nopen(sys.argv[2], 'wb').write(open('z.npy', 'rb').read())")
    np.save("z.npy", np.arange(12.0).reshape(6, 2) ** 2)
    assert not Path("run/.programs").exists()
    assert _run([*words, "--accept-change"]) == 0


KILLED = """
import sys
from stabaudit.external import process
process.PATIENCE = 0.3
from stabaudit.cli.main import main
main(sys.argv[1:])
"""


def killed(words, started):
    """The processes that a command had started when it was killed."""
    command = subprocess.Popen([sys.executable, "-c", KILLED, *words], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while not (started.exists() and started.read_text().count(" ") and list(Path("run/.programs").glob("*/process"))):
        assert time.monotonic() < end
        time.sleep(0.02)
    processes = list(map(int, started.read_text().split()))
    assert all(map(alive, processes))
    command.kill()
    command.wait()
    return processes


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("seed", [0, 1])
def test_programs_end_when_the_command_is_killed(seed):
    """With what they have started, whether they listen to SIGTERM or not, and without a next call."""
    Path("slow.py").write_text(SLOW)
    words = ["train", "--command", f"{PYTHON} -S slow.py {{seed}} {{latents}}", "-n", "1", "--seed", str(seed)]
    processes = killed([*words, "--ids-by-position", "--out", "run"], Path(f"started{seed}"))
    end = time.monotonic() + 10
    while any(map(alive, processes)):
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_programs_that_outlived_a_killed_command_are_ended_by_the_next(monkeypatch):
    """One is waited for by its watcher; the next call does not wait."""
    monkeypatch.setattr(attempt, "PATIENCE", 0.3)
    Path("slow.py").write_text(SLOW)
    words = ["train", "--command", f"{PYTHON} -S slow.py {{seed}} {{latents}}", "-n", "1", "--seed", "1", "--ids-by-position"]
    processes = killed([*words, "--out", "run"], Path("started1"))
    run = Run.open(Path("run"))
    assert leftovers(run)[0].startswith("run/.programs/restart-000-")
    assert run.manifest.external is not None
    assert attempt.kept(run, run.manifest.external.program, 0) == []
    assert not any(map(alive, processes))
    assert list(Path("run/.programs").iterdir()) == []


# Ends well as soon as stabaudit is stopped: nobody is there to see it.
UNSEEN = """
import os, pathlib, sys, time
pathlib.Path("started0").write_text(f"{os.getpid()} {os.getppid()}")
while not pathlib.Path("stopped").exists():
    time.sleep(0.01)
pathlib.Path(sys.argv[2]).write_text("sample_id,z0\\n" + "".join(f"{i},{i * i}\\n" for i in range(8)))
"""


def test_latents_that_a_program_wrote_unseen_are_taken_in_by_the_next_call(train, capfd):
    """The program is not called again: it would fail."""
    Path("unseen.py").write_text(UNSEEN)
    program = f"{PYTHON} -S unseen.py {{seed}} {{latents}}"
    words = ["train", "--command", program, "-n", "1", "--latents-format", "csv", "--out", "run"]
    command = subprocess.Popen([sys.executable, "-m", "stabaudit", *words], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while not Path("started0").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    command.send_signal(signal.SIGSTOP)
    Path("stopped").touch()
    while not list(Path("run/.programs").glob("*/complete")):
        assert time.monotonic() < end
        time.sleep(0.02)
    command.kill()
    command.wait()
    assert _run(["verify", "run"]) == 0
    err = capfd.readouterr().err
    assert "was written by a program whose latents were not taken in" in err
    Path("unseen.py").write_text("import sys; sys.exit(1)")
    assert train("--accept-change", program=program, restarts=1)[0] == 0
    np.testing.assert_array_equal(Run.open(Path("run")).latents(0).mean[:, 0], np.arange(8) ** 2)
    assert not Path("run/.programs").exists()
    assert _run(["verify", "run"]) == 0
    assert capfd.readouterr().err == ""


def test_what_the_system_cannot_call_fails_its_restart(train):
    Path("script").write_text("no program\n")
    Path("script").chmod(0o755)
    status, err = train("--quiet", program="./script {seed} {latents}", restarts=1)
    assert status == 2
    assert "ended with exit status 126 (./script cannot be called: Exec format error)" in err[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_program_is_being_started_orphans_nobody(number, monkeypatch):
    """It comes when the program runs and nobody knows of it yet."""
    started = []
    popen = subprocess.Popen

    def interrupted(*arguments, **options):
        started.append(process := popen(*arguments, **options))
        signal.raise_signal(number)
        return process

    def terminate(*_):
        raise SystemExit(143)

    monkeypatch.setattr(attempt.subprocess, "Popen", interrupted)
    monkeypatch.setattr(attempt, "PATIENCE", 0.3)
    external = External(
        ids_by_position=True, program=Program(command=f"{PYTHON} -S -c 'import time; time.sleep(60)' {{latents}}")
    )
    before = {signal.SIGTERM: terminate, signal.SIGINT: signal.default_int_handler}
    before = {which: signal.signal(which, handler) for which, handler in before.items()}
    try:
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            run_program(Path("run"), external, 2, Call(2), command="")
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
    assert [process.returncode for process in started] == [-signal.SIGTERM]


def test_only_the_end_of_a_log_is_read(tmp_path):
    """A hole of 2 GB before the last line, which takes no space on the disk but would take it in memory."""
    one = attempt.Attempt(tmp_path, Program(command="{latents}"), 0)
    one.log.parent.mkdir()
    with one.log.open("wb") as log:
        log.seek(2 * 10**9)
        log.write(b"\nepoch 1\rthe end\n\n")
    tracemalloc.start()
    try:
        assert one.last_words() == "the end"
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


LOADED = """
import sys
from stabaudit.cli.main import _run
status = _run(sys.argv[1:])
print(status, *{"torch", "sklearn", "rich.progress", "matplotlib"} & sys.modules.keys())
"""


def test_neither_import_nor_a_command_loads_torch():
    fit = ["train", "--command", f"{PYTHON} -S fit.py {{seed}} {{latents}}", "-n", "2", "--latents-format", "csv", "--out", "run"]
    assert _run([*fit, "--quiet"]) == 0
    for words in ([*fit[:-1], "other"], ["import", "run/latents", "--out", "imported"]):
        done = subprocess.run([sys.executable, "-c", LOADED, *words], capture_output=True, text=True, check=False)
        assert done.stdout == "0\n", done.stderr
