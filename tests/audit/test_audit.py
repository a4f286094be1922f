"""Audit plans: what they may say, and the runs that they stand for."""

import dataclasses

import pytest

from stabaudit.audit.plan import Plan
from stabaudit.audit.plan_file import built_in, load_plan, parse_plan
from stabaudit.audit.run import check_score, prepare_plan
from stabaudit.comparison.surveys.references import Reference
from stabaudit.errors import BadData, UsageError
from stabaudit.metrics.scores import every_name
from stabaudit.training.recipe import Recipe

DEFAULTS = {"family": "vae", "data": "digits", "latent_dim": 4}


def plan_of(grid=None, **defaults):
    return parse_plan("mine", {"defaults": DEFAULTS | defaults} | ({} if grid is None else {"grid": grid}))


def test_a_plan_without_a_grid_is_one_run():
    assert plan_of(restarts=3) == Plan("mine", "", {"run": Recipe(**DEFAULTS, restarts=3)})


def test_a_grid_is_multiplied_out_in_order():
    plan = plan_of({"family": ["vae", "vade"], "latent_dim": [2, 8]}, steps=7)
    assert plan.recipes == {
        f"family={family},latent_dim={d}": Recipe(family=family, data="digits", latent_dim=d, steps=7)
        for family in ("vae", "vade")
        for d in (2, 8)
    }
    assert plan.families == 2
    assert list(plan.recipes) == [f"family={f},latent_dim={d}" for f in ("vae", "vade") for d in (2, 8)]


def test_settings_can_stand_in_defaults_and_grid():
    """As TOML nests them: settings.dropout and settings.family.prior."""
    defaults = {"dropout": 0.0, "widths": [64, 64], "family": {"prior": "laplace"}}
    plan = plan_of({"settings": {"dropout": [0.1, 0.2], "family": {"prior": ["gaussian"]}}}, settings=defaults)
    assert {label: recipe.settings for label, recipe in plan.recipes.items()} == {
        f"dropout={drop},family.prior=gaussian": {"dropout": drop, "widths": [64, 64], "family.prior": "gaussian"}
        for drop in (0.1, 0.2)
    }
    assert plan_of(settings=defaults).recipes["run"].settings == {
        "dropout": 0.0,
        "widths": [64, 64],
        "family.prior": "laplace",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"default": {}}, r"unknown key of plan mine 'default'; did you mean 'defaults'\?"),
        ({"defaults": 3}, "plan mine: defaults must be a table, not 3"),
        ({"grid": [1]}, r"plan mine: grid must be a table, not \[1\]"),
        ({}, "plan mine, run: family is missing"),
        ({"defaults": {"family": "vae", "latent_dim": 4}}, "plan mine, run: data is missing"),
        ({"defaults": DEFAULTS | {"familly": 1}}, r"unknown key of plan mine, run 'familly'; did you mean 'family'\?"),
        ({"defaults": DEFAULTS | {"restarts": 0}}, "plan mine, run: restarts 0 — Input should be greater than 0"),
        ({"defaults": DEFAULTS | {"latent_dim": "x"}}, "plan mine, run: latent_dim 'x' — .*integer"),
        ({"defaults": DEFAULTS | {"settings": 3}}, "plan mine, run: settings 3 — Input should be a valid dictionary"),
        ({"defaults": DEFAULTS, "grid": {"family": "vae"}}, "plan mine: grid.family must be a list of values, not 'vae'"),
        ({"defaults": DEFAULTS, "grid": {"family": []}}, r"plan mine: grid.family must be a list of values, not \[\]"),
        (
            {"defaults": DEFAULTS, "grid": {"famly": ["vae"]}},
            r"unknown key of plan mine, famly=vae 'famly'; did you mean 'family'",
        ),
        (
            {"defaults": DEFAULTS, "grid": {"family": ["vae", 3]}},
            "plan mine, family=3: family 3 — Input should be a valid string",
        ),
        ({"defaults": DEFAULTS, "grid": {"family": ["vae", "vae"]}}, "plan mine: the grid lists family=vae twice"),
        (
            {"defaults": DEFAULTS, "grid": {"settings": [{"dropout": 0.1}]}},
            r"plan mine: grid.settings must name options, as in settings.dropout = \[0.0, 0.1\]",
        ),
    ],
)
def test_a_plan_that_cannot_be_run_is_refused(content, message):
    with pytest.raises(UsageError, match=f"^{message}") as refused:
        parse_plan("mine", content)
    assert "\n" not in str(refused.value)


GRIDS = {
    "defaults": {"data": "digits", "steps": 50},
    "grid": [{"family": ["vae", "vade"], "latent_dim": [4, 8]}, {"family": ["ivae"], "latent_dim": [8]}],
    "adjust": [
        {"when": {"family": ["vade", "ivae"]}, "set": {"settings": {"widths": [8]}}},
        {"when": {"family": "vade", "latent_dim": 8}, "set": {"steps": 60, "settings": {"components": 5}}},
    ],
    "reference": [
        {
            "score": "strong_mcc",
            "source": "Somebody 2021",
            "columns": ["family", "latent_dim", "value", "remark"],
            "rows": [["vade", 8, 0.63, "read off a figure"], ["vae", 4, 0.5, ""]],
        }
    ],
    "deviations": ["fewer steps"],
    "quick": {"only": {"latent_dim": 8}, "set": {"steps": 3, "restarts": 2}},
}


def test_several_grids_and_what_goes_together():
    recipes = parse_plan("mine", GRIDS).recipes
    assert list(recipes) == [
        f"family={f},latent_dim={d}" for f, d in (("vae", 4), ("vae", 8), ("vade", 4), ("vade", 8), ("ivae", 8))
    ]
    assert [recipe.settings for recipe in recipes.values()] == [
        {},
        {},
        {"widths": [8]},
        {"widths": [8], "components": 5},
        {"widths": [8]},
    ]
    assert [recipe.steps for recipe in recipes.values()] == [50, 50, 50, 60, 50]


def test_references_belong_to_one_run_each():
    assert parse_plan("mine", GRIDS).references == (
        Reference("family=vade,latent_dim=8", "strong_mcc.out", 0.63, "Somebody 2021", "read off a figure"),
        Reference("family=vae,latent_dim=4", "strong_mcc.out", 0.5, "Somebody 2021", ""),
    )


def test_a_part_of_a_plan_keeps_its_references():
    part = parse_plan("mine", GRIDS).only({"latent_dim": ["8"], "family": ["vade", "ivae"]})
    assert list(part.recipes) == ["family=vade,latent_dim=8", "family=ivae,latent_dim=8"]
    assert [reference.value for reference in part.references] == [0.63]
    assert list(parse_plan("mine", GRIDS).only({"dataset": ["digits"], "components": ["5"]}).recipes) == [
        "family=vade,latent_dim=8"
    ]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"latent_dim": ["9"]}, r"unknown latent_dim of plan mine '9'; known: 4, 8"),
        ({"latentdim": ["8"]}, r"unknown key of the runs of plan mine 'latentdim'; did you mean 'latent_dim'\?"),
        ({"latent_dim": ["4"], "family": ["ivae"]}, r"unknown family of plan mine 'ivae'; did you mean 'vae'"),
    ],
)
def test_a_part_that_is_not_there_is_refused(chosen, message):
    with pytest.raises(UsageError, match=message):
        parse_plan("mine", GRIDS).only(chosen)


def test_what_is_changed_is_a_deviation():
    changed = parse_plan("mine", GRIDS).only({"family": ["vae"]}).changed({"epochs": "20", "restarts": 3, "settings.widths": [9]})
    assert {(r.epochs, r.steps, r.restarts, *r.settings["widths"]) for r in changed.recipes.values()} == {(20, None, 3, 9)}
    assert changed.deviations == ("fewer steps", "epochs = 20, steps = 50 in the plan", "restarts = 3", "settings.widths = [9]")


def test_the_quick_form_says_that_it_is_one():
    quick = parse_plan("mine", GRIDS).quickly()
    assert quick.name == "mine-quick"
    assert list(quick.recipes) == ["family=vae,latent_dim=8", "family=vade,latent_dim=8", "family=ivae,latent_dim=8"]
    assert {(recipe.steps, recipe.restarts) for recipe in quick.recipes.values()} == {(3, 2)}
    assert quick.deviations[:2] == ("quick: too little training for its numbers to mean anything", "fewer steps")
    with pytest.raises(UsageError, match="plan mine has no quick form"):
        plan_of().quickly()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"adjust": [{"when": {"family": "vae"}}]}, "adjust 1 must have the tables when and set"),
        ({"deviations": "none"}, "deviations must be a list of texts, not 'none'"),
        ({"quick": {"onyl": {}}}, r"unknown key of plan mine, quick 'onyl'; did you mean 'only'"),
        ({"grid": [3]}, r"grid must be a table, not \[3\]"),
        ({"reference": {"score": "strong_mcc"}}, "reference must have columns, rows, score, source, and nothing else"),
        (
            {"reference": GRIDS["reference"][0] | {"rows": [["vade", 9, 0.6, ""]]}},
            "names 0 runs, and should name one",
        ),
        ({"reference": GRIDS["reference"][0] | {"rows": [["vade", 8]]}}, "has 2 values for 4 columns"),
        ({"reference": GRIDS["reference"][0] | {"rows": [["vade", 8, "x", ""]]}}, "'x' is no number"),
        ({"reference": GRIDS["reference"][0] | {"rows": [["vade", 8, True, ""]]}}, "True is no number"),
        ({"reference": GRIDS["reference"][0] | {"rows": [["vade", 8, float("nan"), ""]]}}, "nan is no number"),
        ({"reference": GRIDS["reference"][0] | {"rows": 3}}, "rows must be a list of lists, not 3"),
        ({"reference": GRIDS["reference"][0] | {"rows": [3]}}, "rows must be a list of lists"),
        ({"reference": GRIDS["reference"][0] | {"columns": 3}}, "columns must be a list of names"),
        ({"reference": GRIDS["reference"][0] | {"columns": [["family"], "value"]}}, "columns must be a list of names"),
        ({"adjust": {"when": {"familly": "vade"}, "set": {"steps": 1}}}, "adjust 1, when 'familly'"),
    ],
)
def test_odd_tables_of_a_plan_are_refused(change, message):
    with pytest.raises(UsageError, match=message):
        parse_plan("mine", GRIDS | change)


def test_built_in_plans_can_be_loaded_and_say_what_they_ask():
    assert "quickstart" in built_in()
    for name in built_in():
        plan = load_plan(name)
        assert plan.name == name
        assert plan.summary
        assert plan.recipes


def test_the_quickstart_compares_three_families_of_five_restarts_on_digits():
    plan = load_plan("quickstart")
    assert plan.families >= 3
    assert all(recipe.restarts >= 5 and recipe.dataset == "digits" for recipe in plan.recipes.values())


def test_a_plan_is_read_from_a_file(tmp_path):
    path = tmp_path / "cells.toml"
    path.write_text('summary = "Which?"\n[defaults]\nfamily = "vae"\ndata = "digits"\n[grid]\nlatent_dim = [2, 3]\n')
    plan = load_plan(str(path))
    assert (plan.name, plan.summary) == ("cells", "Which?")
    assert [recipe.latent_dim for recipe in plan.recipes.values()] == [2, 3]


def test_a_plan_that_is_not_there_offers_the_nearest(tmp_path):
    with pytest.raises(UsageError, match=r"^unknown plan 'quikstart'; did you mean 'quickstart'\?$"):
        load_plan("quikstart")
    (tmp_path / "cells.toml").touch()
    with pytest.raises(BadData, match=r"^plan .*/cels\.toml: no such file or folder; did you mean '.*/cells\.toml'\?$"):
        load_plan(str(tmp_path / "cels.toml"))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"[defaults\n", r"^plan .*p\.toml is not TOML: .*line 1"), (b"\xff\xfe", r"^plan .*p\.toml is not TOML: .*utf-8")],
)
def test_a_file_that_is_not_toml_is_refused(tmp_path, content, message):
    path = tmp_path / "p.toml"
    path.write_bytes(content)
    with pytest.raises(BadData, match=message):
        load_plan(str(path))


def test_a_folder_is_no_plan(tmp_path):
    (tmp_path / "p.toml").mkdir()
    with pytest.raises(BadData, match=r"cannot read plan .*p\.toml: is a directory"):
        load_plan(str(tmp_path / "p.toml"))


def test_runs_of_a_plan_get_folders_and_share_their_data(tmp_path, monkeypatch):
    from stabaudit.audit import run as audit

    loaded = []
    job_of = audit.job_of

    def counting(recipe, folder, **others):
        loaded.append(others["dataset"] is None)
        return job_of(recipe, folder, **others)

    monkeypatch.setattr(audit, "job_of", counting)
    plan = plan_of({"data": ["digits", "pinwheel"], "latent_dim": [2, 3]}, settings={"widths": [8]})
    jobs = prepare_plan(plan, tmp_path)
    assert [job.folder for job in jobs] == [tmp_path / label for label in plan.recipes]
    assert loaded == [True, False, True, False]
    assert jobs[0].prepared.dataset is jobs[1].prepared.dataset
    assert list(tmp_path.iterdir()) == []
    recipes = {"data=a/b": plan.recipes["data=digits,latent_dim=2"]}
    (job,) = prepare_plan(dataclasses.replace(plan, recipes=recipes), tmp_path)
    assert job.folder == tmp_path / "data=a_b"


def test_other_options_of_a_dataset_are_other_data(tmp_path):
    plan = plan_of({"settings": {"samples": [40, 50]}}, data="pinwheel", batch_size=8, settings={"widths": [8]})
    assert [len(job.prepared.dataset.train) for job in prepare_plan(plan, tmp_path)] == [120, 150]


def test_nothing_is_prepared_if_one_run_cannot_be(tmp_path):
    with pytest.raises(UsageError, match=r"unknown family 'vea'; did you mean 'vae'"):
        prepare_plan(plan_of({"family": ["vae", "vea"]}), tmp_path)


@pytest.mark.parametrize("score", ["strong_mcc", "weak_mcc@all.in", "affine_r2", "strong_mcc.adjusted", "source_strong_mcc"])
def test_scores_that_runs_have_are_accepted(score):
    check_score(score)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        ("strong", r"unknown score 'strong'; did you mean 'strong_mcc'"),
        ("auroc", f"unknown score 'auroc'; known: {', '.join(sorted(every_name()))}"),
        ("strong mcc", "cannot read the score 'strong mcc'"),
    ],
)
def test_other_scores_are_refused_before_training(score, message):
    with pytest.raises(UsageError, match=message):
        check_score(score)
