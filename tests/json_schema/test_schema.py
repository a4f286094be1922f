"""The published schema: what commands print keeps it, and what lacks a field, has another or one of another type does not."""

import copy
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from stabaudit.cli.main import main
from stabaudit.json_schema.schema import json_schema

WILLETTS = Path(__file__).parents[2] / "fixtures" / "willetts2021-mcc.csv"
FEW = ("--floor-draws", "1")


@pytest.fixture
def printed(capsys):
    def invoke(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([*map(str, arguments)])
        assert stop.value.code in {0, 1, 3}
        return json.loads(capsys.readouterr().out)

    return invoke


@pytest.fixture(scope="module")
def schema():
    found = json_schema()
    Draft202012Validator.check_schema(found)
    return found


def kind_of(schema, document):
    """The only kind of document that this is."""
    kinds = [kind["$ref"].removeprefix("#/$defs/") for kind in schema["anyOf"]]
    (found,) = [k for k in kinds if Draft202012Validator({**schema, "anyOf": [{"$ref": f"#/$defs/{k}"}]}).is_valid(document)]
    return found


@pytest.fixture
def runs(make_run):
    for d in (2, 3):
        make_run(f"vae-d{d}", "unrelated", 3, d=d, family="vae", losses=[1.0, 2.0, 3.0])
        folder = make_run(f"ivae-d{d}", "aligned", 3, d=d, family="ivae", sources=True, log_var=-1.0, lost=("NaN",))
    make_run("vade-d2", "aligned", 3, d=2, family="vade")
    return folder.parent


@pytest.mark.slow
def test_every_command_keeps_it(printed, schema, runs):
    a, b = runs / "vae-d2", runs / "ivae-d2"
    found = {
        name: printed(*arguments, "--format", "json")
        for name, arguments in {
            "compare": ("compare", a, b, *FEW),
            "report": ("report", runs, *FEW),
            "wilcoxon": ("report", runs, "--wilcoxon", *FEW),
            "table": ("report", "--wilcoxon", WILLETTS),
            "check": ("check", runs, "--require", "strong_mcc>=0.1", "--require", "wilcoxon(ivae,vae).p<0.05", *FEW),
            "show": ("show", b),
            "list": ("list",),
            "verify": ("verify", runs),
            "likelihood": ("likelihood", "--simulations", "1", "--components", "1", "--hidden", "1", "--rows", "30"),
        }.items()
    }
    for document in found.values():
        Draft202012Validator(schema).validate(document)
    assert {name: kind_of(schema, document) for name, document in found.items()} == {
        "compare": "Comparison",
        "report": "Survey",
        "wilcoxon": "Survey",
        "table": "Families",
        "check": "Gates",
        "show": "Run",
        "list": "Names",
        "verify": "Integrity",
        "likelihood": "Likelihood",
    }
    lists = ("scores", "differences", "curves", "collapse", "pairs", "dimensions", "warnings")
    assert all(found["compare"][name] for name in lists)  # there was something to hold against the schema
    assert found["wilcoxon"]["unmatched"]
    assert found["table"]["friedman"]


def test_it_is_strict(printed, schema, runs):
    document = printed("check", runs / "vae-d2", "--require", "strong_mcc>=0.1", *FEW, "--format", "json")
    valid = Draft202012Validator(schema).is_valid
    assert valid(document)
    for change in (
        lambda d: d["gates"][0].pop("value"),
        lambda d: d["gates"][0].update(extra=1),
        lambda d: d["gates"][0].update(value="0.5"),
        lambda d: d["gates"][0].update(verdict="passed"),
        lambda d: d.update(schema_version=2),
        lambda d: d.update(other=[]),
        lambda d: d.pop("warnings"),
    ):
        changed = copy.deepcopy(document)
        change(changed)
        assert not valid(changed)


def test_every_field_is_described(schema):
    for name, record in schema["$defs"].items():
        assert record["description"], name
        for field, found in record["properties"].items():
            assert found.get("description") or field == "schema_version" or "items" in found, (name, field)


def test_the_command_prints_it(printed, schema, tmp_path):
    assert printed("schema") == schema
    with pytest.raises(SystemExit):
        main(["schema", "--output", str(tmp_path / "schema.json")])
    assert json.loads((tmp_path / "schema.json").read_text()) == schema
