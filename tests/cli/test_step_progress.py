"""What takes longer than two seconds says how far it is: a bar on a terminal, a line now and then elsewhere."""

import io
import re

import pytest

from stabaudit.cli import step_progress
from stabaudit.cli.step_progress import steps_shown
from stabaudit.steps import steps


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(step_progress, "time", clock)
    return clock


def work(clock, count, seconds, what="pairs scored"):
    for _ in steps(range(count), what):
        clock.now += seconds


def test_without_a_terminal_a_line_every_half_minute(clock, capsys):
    with steps_shown(["compare"]):
        work(clock, 100, 1.0)
        work(clock, 10, 1.0, "floors drawn")
    assert capsys.readouterr().err.splitlines() == [
        "stabaudit: pairs scored: 30 of 100, about 70 s left",
        "stabaudit: pairs scored: 60 of 100, about 40 s left",
        "stabaudit: pairs scored: 90 of 100, about 10 s left",
    ]


@pytest.mark.parametrize("quiet", ["--quiet", "-q"])
def test_quiet_is_quiet(clock, capsys, quiet):
    with steps_shown(["audit", quiet]):
        work(clock, 100, 1.0)
    assert capsys.readouterr().err == ""


def test_what_is_over_in_two_seconds_shows_nothing(clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with steps_shown(["compare"]):
        work(clock, 19, 0.1)
    assert terminal.getvalue() == ""


def test_on_a_terminal_a_bar_that_goes_away(clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")

    def fails_at_15():
        with steps_shown(["compare"]):
            for step in steps(range(20), "pairs scored"):
                clock.now += 0.5
                _ = 1 / (15 - step)

    with pytest.raises(ZeroDivisionError):
        fails_at_15()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert "pairs scored" in plain
    assert re.search(r"10/20 about 5 s left", plain)
    assert terminal.getvalue().rstrip("\r\n").endswith("\x1b[2K")  # the line is cleared
    assert "\x1b[?25h" in terminal.getvalue()  # and the cursor is back


def test_the_command_line_counts_its_steps(make_run, monkeypatch, capfd):
    from stabaudit.cli.main import _run

    monkeypatch.setattr(step_progress, "PATIENCE", -1.0)
    monkeypatch.setattr(step_progress, "LINE_SECONDS", -1.0)
    assert _run(["compare", str(make_run("vae")), "--floor-draws", "2"]) == 0
    err = capfd.readouterr().err
    for what in ("restarts read: 1 of", "restarts followed", "rounds of floors|restarts turned"):
        assert re.search(rf"stabaudit: (?:{what})", err), what
