"""`--help`: panels by question, and no Python types."""

import re

import pytest

from stabaudit.cli.main import _COMMANDS, _run
from stabaudit.cli.train import _PANELS, train


@pytest.mark.parametrize("command", [None, *_COMMANDS])
def test_help_shows_no_python_types(command, capsys):
    assert _run([*([command] if command else []), "--help"]) == 0
    assert re.findall(r"<(?:bool|str|int|float|path|list)[ >\[]", capsys.readouterr().out) == []


def test_every_option_of_train_stands_in_one_panel():
    names = [name for names in _PANELS.values() for name in names]
    assert sorted(names) == sorted(set(train.__annotations__) - {"context", "family", "return"})


def test_panels_are_printed_in_the_help_of_train(capsys):
    assert _run(["train", "--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"─ {title} ─" in out for title in _PANELS)
    assert "─ Options ─" not in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["vae", "--dataset", "mnist"], "here it is --data mnist"),
        (["vae", "--architecture", "conv"], "here it is --arch conv"),
        (["--family", "vae"], "a family is named without it: stabaudit train vae"),
        (["vae", "--family", "vae"], "leave it out, as 'vae' is the family"),
    ],
)
def test_an_option_in_the_wrong_place_names_the_right_one(arguments, said, capsys):
    assert _run(["train", *arguments]) == 2
    assert said in capsys.readouterr().err
