"""`stabaudit likelihood` as users see it."""

import csv
import io
import json
import xml.etree.ElementTree as ET

import pytest

from stabaudit.cli import likelihood
from stabaudit.cli.main import _run

pytestmark = pytest.mark.slow

SMALL = ["--simulations", "2", "--components", "1", "--hidden", "1", "--rows", "40"]


def refuse(number):
    raise ValueError(f"no {number}")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "start"), [("f.svg", b"<svg"), ("f.png", b"\x89PNG")])
def test_json_and_a_figure(tmp_path, capfd, name, start):
    output = tmp_path / "found.json"
    assert _run(["likelihood", *SMALL, "--figure", str(tmp_path / name), "--format", "json", "--output", str(output)]) == 0
    assert capfd.readouterr() == ("", "")
    found = json.loads(output.read_text("utf-8"), parse_constant=refuse)
    assert [(one["simulation"], one["components"], one["fitted"]) for one in found["simulations"]] == [
        (0, 1, 1),
        (0, 1, 2),
        (1, 1, 1),
        (1, 1, 2),
    ]
    right = [one for one in found["profiles"] if one["fitted"] == 1]
    assert {one["simulation"] for one in found["profiles"]} == {0}
    assert [one["parameter"] for one in right] == ["weight", "bias", "out", "offset", "mixture_mean", "mixture_log_var"]
    for one in right:
        assert one["truth"] in one["values"]
        assert one["minimiser"] == one["values"][one["loss"].index(min(one["loss"]))]
    assert sum(one["simulations"] for one in found["tallies"]) == len(found["simulations"])
    assert found["remark"][0]["same_data"] is True
    drawn = tmp_path / name
    assert drawn.read_bytes().startswith(start)
    if name == "f.svg":
        assert len(ET.parse(drawn).getroot().findall("{http://www.w3.org/2000/svg}svg")) == len(right)


def test_a_table_says_how_many_and_names_the_remark(capfd):
    assert _run(["likelihood", *SMALL]) == 0
    out = capfd.readouterr().out
    assert out.startswith("likelihood profiles: 2 simulations of 40 rows\n")
    assert "of 2 simulations, share" in out
    assert "means -2, -1, 3 and -2, 1, 3 give, by f(z) = |z|, the same distribution of x" in out


def test_csv_lists_simulations(capfd):
    assert _run(["likelihood", *SMALL, "--format", "csv"]) == 0
    found = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
    assert [row["fitted"] for row in found] == ["1", "2", "1", "2"]
    assert all(int(row["profiles"]) > 5 for row in found)


def test_progress_is_a_line_now_and_then(capfd, monkeypatch):
    monkeypatch.setattr(likelihood, "LINE_SECONDS", 0)
    assert list(likelihood._watched(iter("ab"), 2)) == ["a", "b"]
    assert capfd.readouterr().err.splitlines() == ["stabaudit: 1 of 2 simulations", "stabaudit: 2 of 2 simulations"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--simulations", "0"], "--simulations"),
        (["--components", "9"], "--components"),
        (["--rows", "1"], "--rows"),
        (["--noise", "0"], "--noise 0: expected a standard deviation above 0"),
        (["--noise", "nan"], "--noise nan: expected a standard deviation above 0"),
        (["--figure", "f.jpg"], "--figure f.jpg: expected a name that ends in .svg, .png or .pdf"),
        (["--figure", "none/f.svg"], "--figure none/f.svg: no folder none"),
        (["--output", "none/f.json"], "no folder none"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path, monkeypatch, capfd, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert _run(["likelihood", *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("stabaudit: error: ")
    assert err.count("\n") == 1
    assert said in err
    assert not list(tmp_path.iterdir())
