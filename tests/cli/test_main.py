"""One way out: every error is one line on stderr, and none looks like a failed gate."""

import os
import signal
import subprocess
import sys

import pytest
import typer

from stabaudit import __version__
from stabaudit.cli import main as cli
from stabaudit.errors import BadData


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    out, err = capsys.readouterr()
    return stop.value.code, out, err


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """Options leave their mark on the environment; take it away again."""
    monkeypatch.setattr(os, "environ", {name: value for name, value in os.environ.items() if not name.endswith("_COLOR")})
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in previous.items():
        signal.signal(number, handler)


@pytest.fixture
def failing(monkeypatch):
    """Make the command line raise what it is given."""

    def fail_with(error):
        def app(*_args, **_kwargs):
            raise error

        monkeypatch.setattr(cli, "app", app)

    return fail_with


def test_version(capsys):
    assert run(capsys, "--version") == (0, f"stabaudit {__version__}\n", "")


def test_help_lists_every_command(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert all(f" {name} " in out for name in ("train", "compare", "report", "check", "list", "show", "verify"))


def test_no_command_is_bad_usage_that_shows_the_help(capsys):
    code, out, _ = run(capsys)
    assert code == 2
    assert "Commands" in out


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["comparee"], "'compare'"),
        (["compare", "--formt", "json", "a"], "--format"),
        (["list", "familie"], "families"),
        (["compare", "--k", "0", "a"], "'--k': Input should be greater than or equal to 1"),
        (["compare", "--floor-draws", "-3", "a"], "greater than or equal to 1"),
        (["compare"], "A [B …]"),
    ],
)
def test_bad_usage_is_one_line_with_the_nearest_known(capsys, arguments, near):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("stabaudit: error: ")
    assert err.count("\n") == 1
    assert near in err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (BadData("a.parquet: z7 holds\n12 NaN"), "stabaudit: error: a.parquet: z7 holds 12 NaN\n"),
        (PermissionError(13, "Permission denied", "runs"), "stabaudit: error: runs: Permission denied\n"),
        (
            KeyError("x"),
            "stabaudit: error: internal error, KeyError: 'x'; run again with 'stabaudit --debug …' and report it\n",
        ),
    ],
)
def test_errors_are_one_line_and_never_a_failed_gate(capsys, failing, error, line):
    failing(error)
    assert run(capsys, "list") == (2, "", line)


def test_debug_shows_where_it_happened(capsys, failing, monkeypatch):
    monkeypatch.setitem(os.environ, "STABAUDIT_DEBUG", "1")
    failing(ZeroDivisionError("division by zero"))
    code, _, err = run(capsys, "list")
    assert code == 2
    assert err.startswith("Traceback (most recent call last)")


def test_exit_codes_of_commands_pass_through(capsys, monkeypatch):
    other = typer.Typer()

    @other.command()
    def gate():
        raise typer.Exit(3)

    monkeypatch.setattr(cli, "app", other)
    assert run(capsys)[0] == 3


def test_interrupting_gives_130(capsys, monkeypatch):
    other = typer.Typer()

    @other.command()
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", other)
    assert run(capsys)[0] == 130


@pytest.mark.slow
def test_terminating_gives_143():
    script = (
        "import time, typer\n"
        "from stabaudit.cli import main as cli\n"
        "cli.app = typer.Typer()\n"
        "@cli.app.command()\n"
        "def wait():\n"
        "    try:\n"
        "        print('ready', flush=True); time.sleep(60)\n"
        "    finally:\n"
        "        print('cleaned up', flush=True)\n"
        "cli.main([])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    assert process.communicate(timeout=20)[0] == "cleaned up\n"
    assert process.returncode == 143


@pytest.mark.slow
def test_a_closed_pipe_is_quiet():
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(0.3); from stabaudit.cli.main import main; main(['list'])"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=20) == 141


def test_no_color_wins(capsys, monkeypatch):
    monkeypatch.setitem(os.environ, "FORCE_COLOR", "1")
    assert "\x1b[" in run(capsys, "list", "plans")[1]
    assert "\x1b[" not in run(capsys, "--no-color", "list", "plans")[1]
    assert "\x1b[" in run(capsys, "--color", "list", "plans")[1]


@pytest.mark.parametrize(("value", "traceback"), [("1", True), ("yes", True), ("0", False), ("", False), ("false", False)])
def test_debugging_can_be_switched_off_by_its_variable(failing, capsys, monkeypatch, value, traceback):
    failing(BadData("bad"))
    monkeypatch.setitem(os.environ, "STABAUDIT_DEBUG", value)
    _, _, err = run(capsys, "list")
    assert ("Traceback" in err) == traceback


@pytest.mark.parametrize("value", ["abc", "", "9" * 30, "1.5"])
def test_a_time_that_libraries_could_not_read_is_refused(capsys, monkeypatch, value):
    monkeypatch.setitem(os.environ, "SOURCE_DATE_EPOCH", value)
    code, out, err = run(capsys, "list", "families")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"stabaudit: error: SOURCE_DATE_EPOCH={value!r}: expected a time in seconds since 1970")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "not enough memory (the system gave none)"),
        (MemoryError("Unable to allocate 7 TiB"), "not enough memory (Unable to allocate 7 TiB)"),
        (RuntimeError("can't start new thread"), "not enough memory (can't start new thread)"),
        (ImportError("lib.so: failed to map segment from shared object"), "not enough memory (lib.so: failed to map"),
        (OSError("10 requested and 5 written"), "10 requested and 5 written\n"),
    ],
)
def test_what_the_machine_lacks_is_no_internal_error(failing, capsys, error, said):
    failing(error)
    code, _, err = run(capsys, "list")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith(f"stabaudit: error: {said}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("closed", "words", "status"), [(1, "list families", 0), (2, "show nowhere", 2), (0, "list families", 0)]
)
def test_a_stream_that_is_closed_is_no_error(closed, words, status):
    command = f'exec "$0" -m stabaudit {words} {closed}>&-'
    done = subprocess.run(["/bin/sh", "-c", command, sys.executable], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert "internal error" not in done.stderr


def test_ctrl_c_while_modules_are_imported_leaves_no_traceback():
    code = (
        "import os, signal, sys, runpy\n"
        "class Struck:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'stabaudit.cli.main':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Struck())\n"
        "runpy.run_module('stabaudit', run_name='__main__', alter_sys=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, "list"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")  # which a shell calls 130


@pytest.mark.parametrize(("number", "status"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143)])
def test_a_terminal_that_is_gone_stops_as_sigterm_does(monkeypatch, capsys, number, status):
    monkeypatch.setattr(cli, "app", lambda *_, **__: signal.raise_signal(number))
    assert run(capsys, "list") == (status, "", "")
