"""The source of a user's own model or program is part of a run's identity."""

import re
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from stabaudit.api import compare
from stabaudit.cli.main import _run
from stabaudit.store.run.own_source import source_of_command, source_of_modules
from stabaudit.store.run.run_folder import Run


@pytest.fixture(autouse=True)
def _there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))


def written(path, text):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def digest(path):
    return sha256(Path(path).read_bytes()).hexdigest()


def test_a_module_and_all_that_it_imports_beside_it():
    """However an import is written, and through what is imported; neither installed packages nor files that nobody imports."""
    written("own_model.py", "import numpy, own_blocks\nfrom own_parts import a\ndef f():\n    import own_late\n")
    written("own_blocks.py", "from own_parts.deep import b")
    written("own_late.py", "import own_model  # in a circle")
    written("own_parts/__init__.py", "")
    written("own_parts/a.py", "from . import c\nfrom .deep.b import x")
    written("own_parts/c.py", "")
    written("own_parts/deep/__init__.py", "")
    written("own_parts/deep/b.py", "this is no Python (")
    written("own_parts/nobody.py", "")
    written("numpy_helpers.py", "")
    expected = {
        *("own_model.py", "own_blocks.py", "own_late.py", "own_parts/__init__.py", "own_parts/a.py", "own_parts/c.py"),
        *("own_parts/deep/__init__.py", "own_parts/deep/b.py"),
    }
    assert source_of_modules(["own_model:VAE", "vae"]) == {path: digest(path) for path in expected}
    assert set(source_of_modules(["own_parts.a:VAE"])) == {path for path in expected if path.startswith("own_parts")}


@pytest.mark.slow
def test_of_an_installed_package_only_its_own_files():
    found = source_of_modules(["rich.text:Text"])
    assert "rich/text.py" in found
    assert all(path.startswith("rich/") for path in found)


def test_scripts_of_a_command_and_what_they_import_but_not_what_they_read_or_write():
    written("sub/fit.py", "import helper, numpy\n")
    written("sub/helper.py", "")
    written("run.sh", "")
    written("log.txt", "")
    np.save("data.npy", np.zeros(2))
    words = ["python", "sub/fit.py", "--data", "data.npy", "--log", "log.txt", "run.sh", "--seed", "{seed}", "absent.py"]
    assert source_of_command(words) == {
        "sub/fit.py": digest("sub/fit.py"),
        "helper.py": digest("sub/helper.py"),
        "run.sh": digest("run.sh"),
    }


FIT = """
import sys
import numpy as np
from amount import NOISE
rng = np.random.default_rng(int(sys.argv[1]))
np.save(sys.argv[2], np.random.default_rng(0).normal(size=(60, 2)) + NOISE * rng.normal(size=(60, 2)))
"""


@pytest.mark.slow
def test_a_program_that_has_changed_is_refused_and_recorded_where_the_user_insists(capfd):
    written("fit.py", FIT)
    written("amount.py", "NOISE = 0.1")
    words = [
        "train",
        "--command",
        f"{sys.executable} fit.py {{seed}} {{latents}}",
        "--ids-by-position",
        "--out",
        "run",
        "--quiet",
    ]
    assert _run([*words, "-n", "3"]) == 0
    assert _run([*words, "-n", "3"]) == 0  # nothing has changed
    before = Run.open(Path("run")).manifest
    assert before.source == {"fit.py": digest("fit.py"), "amount.py": digest("amount.py")}
    written("amount.py", "NOISE = 0.5")
    capfd.readouterr()
    for count in ("3", "4"):
        assert _run([*words, "-n", count]) == 2
        assert capfd.readouterr().err == (
            "stabaudit: error: run was trained before amount.py was changed. Name another folder, or go on with --accept-change, "
            "which records it\n"
        )
        assert Run.open(Path("run")).manifest == before
    assert _run([*words, "-n", "4", "--accept-change"]) == 0
    manifest = Run.open(Path("run")).manifest
    (change,) = manifest.changes
    assert (change.what, change.restarts) == (["amount.py was changed"], [0, 1, 2])
    assert manifest.source["amount.py"] == digest("amount.py")
    warned = [line for line in compare("run", floor_draws=2, rotations=19).warnings if "not of one model" in line]
    assert warned == ["run: amount.py was changed after restarts 0, 1, 2: its restarts are not of one model"]
    assert _run([*words, "-n", "4"]) == 0  # once is enough


MINE = """
from stabaudit.families.vae import VAE
class Mine(VAE):
    extra = {extra}
"""


@pytest.mark.slow
def test_a_model_that_has_changed_is_refused(capfd):
    np.savez("small.npz", x=np.random.default_rng(0).normal(size=(160, 5)))
    written("changing_model.py", MINE.format(extra=1))
    words = ["train", "changing_model:Mine", "--data", "small.npz", "--scale", "none", "-d", "2", "-n", "2", "--steps", "4"]
    words += ["--batch-size", "32", "--set", "widths=8", "--out", "run", "--quiet", "--workers", "1"]
    assert _run(words) == 0
    shapes = Run.open(Path("run")).manifest.weights.values()
    assert [8, 5] in shapes  # from the data to the first layer
    written("changing_model.py", MINE.format(extra=2))
    capfd.readouterr()
    assert _run(words) == 2
    refused = capfd.readouterr().err
    assert re.fullmatch(r"stabaudit: error: run was trained before changing_model\.py was changed\. Name another .*\n", refused)
    assert _run([*words, "--accept-change"]) == 0
    assert Run.open(Path("run")).manifest.changes[0].restarts == [0, 1]
