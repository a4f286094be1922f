"""The README's table of scores is that of the table of scores."""

from pathlib import Path

from stabaudit.cli.main import _run

README = Path(__file__).parents[1] / "README.md"


def test_the_table_of_scores_is_what_the_command_prints(capsys):
    assert _run(["list", "scores", "--format", "markdown"]) == 0
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    _, _, after = README.read_text("utf-8").partition("<!-- scores -->\n")
    shown, _, _ = after.partition("\n<!-- end of scores -->")
    assert shown.splitlines() == printed
