"""Progress, driven by made-up events: bars on a terminal, lines elsewhere, nothing when quiet."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from stabaudit.cli import progress
from stabaudit.cli.progress import watch
from stabaudit.config import Choice, RunConfig, Training
from stabaudit.store.run.manifest import Restart
from stabaudit.training.shards.messages import Failed, Finished, Progress, Shard

TOTAL = 100


def config_of(restarts):
    named = {part: Choice(name="x") for part in ("family", "dataset", "architecture", "likelihood")}
    return RunConfig(**named, latent_dim=2, restarts=restarts, training=Training(steps=TOTAL))


def job(name, restarts=3):
    return SimpleNamespace(folder=Path("runs") / name, prepared=SimpleNamespace(config=config_of(restarts)))


def shard(name, *restarts, number=0, of=3):
    return Shard(Path("runs") / name, number, restarts, config_of(of))


def finished(part, **states):
    """`states` of other restarts than "done", as `r1="diverged"`."""
    return Finished(part, [Restart(index=i, seed=i, state=states.get(f"r{i}", "done")) for i in part.restarts])


@pytest.fixture
def clock(monkeypatch):
    time = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: time.now))
    return time


@pytest.fixture
def told(capsys):
    """Lines told since the last call."""

    def lines():
        return capsys.readouterr().err.splitlines()

    return lines


# ------------------------------------------------------------------------------------------------------------------------ lines


def test_a_line_for_every_shard_that_ends(clock, told):
    with watch([job("a")], quiet=False) as (on_event, on_tick):
        first, second = shard("a", 0, 1), shard("a", 2, number=1)
        on_event(Progress(first, 50, TOTAL))
        on_tick()
        assert told() == []
        clock.now += 7
        on_event(finished(first))
        assert told() == ["stabaudit: a restarts 0, 1 done after 7 s"]
        on_event(Failed(second, "ValueError: no"))
        assert told() == ["stabaudit: a restart 2 failed: ValueError: no"]


def test_what_became_of_each_restart_is_told(clock, told):
    with watch([job("a")], quiet=False) as (on_event, _):
        on_event(finished(shard("a", 0, 1, 2), r1="diverged"))
    assert told() == ["stabaudit: a restarts 0, 2 done after 0 s", "stabaudit: a restart 1 diverged after 0 s"]


def test_every_half_minute_a_line_for_what_is_under_way(clock, told):
    with watch([job("a")], quiet=False) as (on_event, on_tick):
        first, second = shard("a", 0, 1), shard("a", 2, number=1)
        on_event(Progress(first, 10, TOTAL))
        clock.now += 20
        on_event(Progress(first, 30, TOTAL))
        on_event(Progress(second, 90, TOTAL))  # it went on from a checkpoint, late
        on_tick()
        assert told() == []
        clock.now += 10
        on_event(Progress(second, 95, TOTAL))
        on_tick()
        # 20 steps in 30 s and 70 to go; 5 steps in 10 s and 5 to go
        assert told() == [
            "stabaudit: a restarts 0, 1: step 30 of 100, 0.667/s, about 105 s left",
            "stabaudit: a restart 2: step 95 of 100, 0.5/s, about 10 s left",
        ]
        clock.now += 29
        on_tick()
        assert told() == []
        on_event(finished(second))
        clock.now += 1
        on_tick()
        assert told() == [
            "stabaudit: a restart 2 done after 59 s",
            "stabaudit: a restarts 0, 1: step 30 of 100, 0.333/s, about 210 s left",
        ]


def test_no_guess_before_there_is_anything_to_guess_from(clock, told):
    with watch([job("a")], quiet=False) as (on_event, on_tick):
        on_event(Progress(shard("a", 0), 40, TOTAL))
        clock.now += 30
        on_tick()
    assert told() == ["stabaudit: a restart 0: step 40 of 100"]


def test_quiet_is_quiet(clock, told):
    with watch([job("a")], quiet=True) as (on_event, on_tick):
        on_event(Progress(shard("a", 0), 40, TOTAL))
        clock.now += 60
        on_tick()
        on_event(Failed(shard("a", 0), "no"))
    assert told() == []


@pytest.mark.parametrize("quiet", [False, True])
@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_an_interruption_says_how_to_go_on(told, monkeypatch, stop, quiet):
    monkeypatch.setattr("sys.argv", ["/usr/bin/stabaudit", "train", "vae", "--out", "two words"])

    def interrupted():
        with watch([job("a")], quiet=quiet):
            raise stop

    with pytest.raises(stop):
        interrupted()
    assert told() == ["stabaudit: interrupted; to go on: stabaudit train vae --out 'two words'"]


def test_an_error_is_no_interruption(told):
    def failing():
        with watch([job("a")], quiet=False):
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        failing()
    assert told() == []


# ------------------------------------------------------------------------------------------------------------------------- bars


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 100 columns to draw bars on."""
    screen = io.StringIO()
    monkeypatch.setattr(progress, "_Roomy", lambda **_: Console(file=screen, force_terminal=True, width=100))
    return screen


def tasks(bars):
    return [(task.description, task.completed, task.total, task.fields["loss"]) for task in bars.progress.tasks]


@pytest.mark.usefixtures("terminal")
def test_a_bar_for_every_restart():
    bars = progress._Bars([job("a", 2), job("[b]", 1)])
    assert [description for description, *_ in tasks(bars)] == ["a #0", "a #1", r"\[b] #0"]  # brackets are no markup
    both, lone = shard("a", 0, 1), shard("[b]", 0)
    bars.on_event(Progress(both, 10, TOTAL))
    bars.on_event(Progress(lone, 60, TOTAL))  # went on from a checkpoint
    bars.on_event(Progress(both, 40, TOTAL, (1.5, 2.25)))
    assert tasks(bars) == [
        ("a #0", 40, TOTAL, "loss 1.5"),
        ("a #1", 40, TOTAL, "loss 2.25"),
        (r"\[b] #0", 60, TOTAL, ""),
    ]
    bars.on_event(Progress(both, TOTAL, TOTAL, (1.0, float("nan"))))
    bars.on_event(finished(both, r1="diverged"))
    bars.on_event(Failed(lone, "no"))
    assert tasks(bars) == [
        ("a #0", TOTAL, TOTAL, "loss 1"),
        ("a #1", TOTAL, TOTAL, "[red]diverged[/red]"),
        (r"\[b] #0", 60, TOTAL, "[red]failed[/red]"),
    ]


@pytest.mark.usefixtures("terminal")
def test_a_shard_that_was_partly_done_before_ends_too():
    """Restarts that were done already are not in what a shard reports at its end."""
    bars = progress._Bars([job("a")])
    part = shard("a", 0, 1, 2)
    bars.on_event(Progress(part, TOTAL, TOTAL, (1.0, 2.0, 3.0)))
    bars.on_event(Finished(part, [Restart(index=1, seed=1, state="diverged")]))
    assert [loss for *_, loss in tasks(bars)] == ["loss 1", "[red]diverged[/red]", "loss 3"]


@pytest.mark.usefixtures("terminal")
def test_one_bar_for_every_run_where_there_are_many_restarts():
    bars = progress._Bars([job("a", 10), job("b", 10)])
    assert [description for description, *_ in tasks(bars)] == ["a", "b"]
    halves = [shard("a", *range(5), of=10), shard("a", *range(5, 10), number=1, of=10)]
    bars.on_event(Progress(halves[0], 20, TOTAL))
    bars.on_event(Progress(halves[1], 40, TOTAL, tuple(map(float, range(5)))))
    assert tasks(bars)[0] == ("a", 5 * 20 + 5 * 40, 10 * TOTAL, "loss 4")
    for half in halves:
        bars.on_event(Progress(half, TOTAL, TOTAL))
        bars.on_event(finished(half))
    (_, completed, total, _), (_, untouched, _, _) = tasks(bars)
    assert (completed, total, untouched) == (10 * TOTAL, 10 * TOTAL, 0)


def test_bars_are_drawn_on_a_terminal_and_left_when_interrupted(terminal, monkeypatch, capsys):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)

    def interrupted():
        with watch([job("a", 1)], quiet=False) as (on_event, on_tick):
            on_event(Progress(shard("a", 0), 25, TOTAL, (3.25,)))
            on_tick()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    drawn = terminal.getvalue()
    assert "a #0" in drawn
    assert " 25/100" in drawn
    assert "loss 3.25" in drawn
    assert drawn.rstrip().endswith("\x1b[?25h")  # the cursor is shown again
    assert "interrupted; to go on: stabaudit" in capsys.readouterr().err


@pytest.mark.usefixtures("terminal")
def test_restarts_of_an_earlier_call_are_drawn_as_they_ended(monkeypatch):
    ended = [Restart(index=0, seed=0, state="done", steps=TOTAL), Restart(index=1, seed=1, state="diverged", steps=7)]
    monkeypatch.setattr(progress, "_ended", lambda _: ended)
    bars = progress._Bars([job("a")])
    bars.on_event(Progress(shard("a", 0, 1, 2), 10, TOTAL, (1.0, 1.0, 1.0)))  # a shard that is trained again for restart 2 alone
    assert [(task.completed, task.total) for task in bars.progress.tasks] == [(TOTAL, TOTAL), (7, 7), (10, TOTAL)]
    assert "diverged" in bars.progress.tasks[1].fields["loss"]


def test_lines_leave_room_for_what_a_terminal_echoes():
    assert progress._Roomy(width=80, height=20).width == 77
