"""The section "Any model, any latents" of README.md: a folder of files, a program and a module, each from nothing to a report."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from stabaudit.cli.main import _run
from stabaudit.store.run.run_folder import Run

pytestmark = pytest.mark.slow

README = Path(__file__).parents[1] / "README.md"
SECTION = re.search(r"^## Any model, any latents\n(.*?)^## ", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)[1]
PARTS = dict(zip(*[iter(re.split(r"^### (.*)\n", SECTION, flags=re.MULTILINE)[1:])] * 2, strict=True))


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("own", None)


@pytest.mark.parametrize("part", PARTS)
def test_from_nothing_to_a_report_by_the_commands_of_the_readme(part, workplace, capfd):
    """Trained for fewer steps; comparisons with what another part has made are left out."""
    for kind, block in re.findall(r"^```(\w*)\n(.*?)^```", PARTS[part], re.DOTALL | re.MULTILINE):
        if kind == "python":
            (workplace / re.match(r"# (\w+\.py)", block)[1]).write_text(block, "utf-8")
            continue
        for line in block.splitlines():
            quick = line.replace("--steps 2000", "--steps 50")
            program, *words = shlex.split(quick.replace("python fit", f"{sys.executable} fit"))
            if program == "python":
                subprocess.run([sys.executable, *words], check=True)
            elif words[0] != "compare":
                assert _run(words) == 0, line
    (folder,) = Path("runs").iterdir()
    assert len(Run.open(folder).done) == (10 if part == "A folder of files" else 5)
    out = capfd.readouterr().out
    header, _, row = out.splitlines()[1:4]
    assert re.search(r"axes +strong MCC \[95%\]", header)
    assert re.search(r"\d+ of \d+ +\d\.\d\d \[\d\.\d\d, \d\.\d\d\]", row)
    assert re.search(r"\(affine R² -?\d\.\d\d \[", " ".join(out.split()))
