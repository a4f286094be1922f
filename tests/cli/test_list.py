"""`stabaudit list` as users see it."""

import csv
import io

import pytest

from stabaudit.cli.main import _run
from stabaudit.registry import known

KINDS = {"families": "family", "datasets": "dataset", "architectures": "architecture"}


@pytest.mark.parametrize("plural", KINDS)
def test_every_name_has_one_line_of_eighty_columns(plural, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert _run(["list", plural]) == 0
    title, header, rule, *lines = capfd.readouterr().out.rstrip().splitlines()
    assert title == plural
    assert header.split() == ["name", "what", "it", "is"]
    assert [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines] == [
        (name, entry.summary) for name, entry in known(KINDS[plural]).items()
    ]
    assert max(map(len, [rule, *lines])) <= 80


def test_all_kinds_are_one_list_for_programs(capfd):
    assert _run(["list", "--format", "csv"]) == 0
    found = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
    assert {row["kind"] for row in found} == {*KINDS, "scores", "engines", "plans", "reproductions"}
    assert [row["name"] for row in found if row["kind"] == "families"] == list(known("family"))
