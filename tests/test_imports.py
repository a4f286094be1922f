"""The order of imports: ground ← store ← each wing ← audit ← cli, and what commands must not load."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stabaudit.cli.main import _COMMANDS

pytestmark = pytest.mark.slow

PACKAGE = Path(__file__).parents[1] / "stabaudit"

# What each part of the package may import besides itself; the wings know nothing of each other.
GROUND = {"", "errors", "defaults", "registry", "config", "steps"}
STORE = GROUND | {"store"}
ALLOWED = {
    "": {"api", "errors", "comparison", "store"},  # stabaudit/__init__.py, which loads them when they are asked for
    "errors": set(),
    "steps": set(),
    "registry": {"errors"},
    "defaults": set(),
    "config": {"errors", "defaults", "registry"},
    "store": GROUND,
    "data": STORE,
    "nets": STORE,
    "families": STORE | {"data", "nets"},
    "theory": GROUND,
    "training": STORE | {"data", "nets", "families", "engines", "theory"},
    "engines": STORE,
    "external": STORE | {"engines"},
    "metrics": STORE | {"engines"},
    "statistics": STORE,
    "comparison": STORE | {"engines", "metrics", "statistics"},
    "reports": STORE | {"metrics", "statistics", "comparison", "theory"},
    "plans": set(),
    "published": set(),
    "topics": GROUND,
}
WINGS = set(ALLOWED)
ALLOWED |= {
    "likelihood": WINGS,
    "json_schema": WINGS | {"likelihood"},
    "audit": WINGS,
    "api": WINGS | {"audit"},
    "cli": WINGS | {"audit", "api", "likelihood", "json_schema"},
    "__main__": {"cli"},
}
ALLOWED |= {"pytest_plugin": WINGS | {"api"}}


def part_of(module):
    """The part of the package that a module belongs to: stabaudit.store.run.run_folder → store."""
    return module.partition(".")[2].partition(".")[0]


def files():
    return sorted(PACKAGE.rglob("*.py"))


def imported_by(path):
    """Modules of stabaudit that a file imports anywhere, functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            # `from stabaudit import x` imports a part; `from stabaudit import __version__` does not.
            names = (
                [f"stabaudit.{a.name}" if is_part(a.name) else "stabaudit" for a in node.names]
                if node.module == "stabaudit"
                else [node.module]
            )
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "stabaudit")


def is_part(name):
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_follow_the_order(path):
    relative = path.relative_to(PACKAGE)
    own = "" if relative.name == "__init__.py" and len(relative.parts) == 1 else relative.parts[0].removesuffix(".py")
    wrong = {name for name in imported_by(path) if part_of(name) not in ALLOWED[own] | {own}}
    assert not wrong, f"{relative} may not import {', '.join(sorted(wrong))}"


def test_the_order_would_notice(tmp_path):
    (tmp_path / "bad.py").write_text(
        "def f():\n    from stabaudit.training.fit import fit\n    import stabaudit.cli.main\n    from stabaudit import audit\n"
    )
    assert {part_of(name) for name in imported_by(tmp_path / "bad.py")} - ALLOWED["comparison"] >= {"training", "cli"}


def loaded_by(*command_lines):
    """Top-level packages, and scipy.stats, that command lines load, one after the other, in one process of its own."""
    script = (
        "import json, sys\n"
        "from stabaudit.cli.main import main\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    try:\n        main(words)\n"
        "    except SystemExit as stop:\n        code = stop.code\n"
        "    print()\n    print(json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules}),"
        " 'scipy.stats' in sys.modules]))\n"
    )
    lines = json.dumps([[str(word) for word in words] for words in command_lines])
    done = subprocess.run([sys.executable, "-c", script, lines], capture_output=True, text=True, check=True)
    ended = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[0, [")]
    assert len(ended) == len(command_lines), done.stderr
    return [{*modules, *(["scipy.stats"] if stats else [])} for _, modules, stats in ended]


HEAVY = {"torch", "pandas", "sklearn", "scipy", "numpy", "pyarrow", "matplotlib", "jinja2"}


def test_help_loads_nothing_heavy():
    for loaded in loaded_by(["--help"], ["--version"]):
        assert not loaded & (HEAVY | {"pydantic"})


def modules_after(script):
    """Top-level packages that a script loads, in a process of its own."""
    script += "\nimport json, sys\nprint(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    return set(json.loads(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout))


def test_the_library_loads_what_it_is_asked_for():
    assert not modules_after("import stabaudit") & (HEAVY | {"pydantic"})
    loaded = modules_after("import stabaudit\nstabaudit.compare")
    assert "numpy" in loaded
    assert not loaded & {"torch", "pandas", "sklearn", "matplotlib", "jinja2"}


def test_help_on_a_command_loads_nothing_heavy():
    loaded = loaded_by(*([command, "--help"] for command in _COMMANDS))
    wrong = {command: modules & HEAVY for command, modules in zip(_COMMANDS, loaded, strict=True)}
    assert not any(wrong.values()), wrong  # by the first command and all after it; typer itself reads arguments by pydantic


def test_the_east_wing_never_loads_torch(make_run):
    folder = make_run("vae")
    heavy = {"torch", "pandas", "sklearn", "matplotlib", "jinja2"}
    lines = (
        ["show", folder],
        ["verify", folder],
        ["compare", folder, "--floor-draws", "1"],
        ["check", folder, "--require", "strong_mcc>=0.1", "--floor-draws", "1"],
        ["report", "--wilcoxon", folder, "--floor-draws", "1"],
        ["report", PACKAGE.parent / "fixtures" / "willetts2021-mcc.csv"],
    )
    for line, loaded in zip(lines, loaded_by(*lines), strict=True):
        assert not loaded & heavy, line
        assert "scipy.stats" not in loaded or line[0] == "report", "it takes longer to load than most comparisons"


@pytest.mark.parametrize("path", sorted((PACKAGE / "families").glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_families_are_written_for_one_restart(path):
    """Only the contract, in `base`, says that they do not know of others."""
    said = re.findall(r"(?i)\b(?:restarts?|shards?|sharded|batching|stacked|workers?)\b", path.read_text(encoding="utf-8"))
    assert not said or path.stem == "base"


def test_pages_need_no_matplotlib_and_svg_figures_no_jinja2(make_run, tmp_path):
    folder = make_run("vae")
    heavy = {"torch", "pandas", "sklearn", "matplotlib"}
    figure = ["plot", "latents", folder, "--output", tmp_path / "figure.svg"]
    page = ["report", folder, "--format", "html", "--output", tmp_path / "page.html", "--floor-draws", "1"]
    after_figure, after_page = loaded_by(figure, page)
    assert not after_figure & (heavy | {"jinja2"})
    assert "jinja2" in after_page
    assert not after_page & heavy
