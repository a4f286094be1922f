"""Options that say how files of latents are meant: every command that reads such files has them, and they do the same."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from stabaudit.cli.latents_options import with_naming
from stabaudit.cli.main import _run
from stabaudit.store.imports.foreign_files import Naming

N, D = 240, 3
READERS = {
    "compare": ["compare", "latents"],
    "dimensions": ["dimensions", "latents"],
    "align": ["align", "latents", "--out", "aligned"],
    "restarts": ["restarts", "latents"],
    "import": ["import", "latents", "--out", "run"],
    "plot": ["plot", "box", "latents", "-o", "box.svg"],
    "plot consensus": ["plot", "consensus", "latents", "-o", "consensus.svg"],
    "plot latents": ["plot", "latents", "latents/0.npy", "-o", "latents.svg"],
}


@pytest.fixture(autouse=True)
def _there(tmp_path, monkeypatch):
    """Four restarts whose rows have no names, written dimensions first."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    base = rng.laplace(size=(N, D))
    (tmp_path / "latents").mkdir()
    for i in range(4):
        np.save(f"latents/{i}.npy", (base + 0.3 * rng.normal(size=base.shape)).T)


@pytest.mark.parametrize("words", READERS.values(), ids=READERS)
def test_dimensions_can_come_first_and_rows_have_no_names(words, capsys):
    assert _run([*words, "--ids-by-position", "--dimensions-first"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("words", [READERS["compare"], READERS["dimensions"], READERS["restarts"]])
def test_a_table_that_looks_transposed_is_refused_with_what_to_type(words, capsys):
    assert _run([*words, "--ids-by-position"]) == 2
    assert "looks transposed: --dimensions-first" in capsys.readouterr().err


def test_strict_holds_for_true_sources_too(capsys):
    rows = np.random.default_rng(1).laplace(size=(N, D))
    lines = ["cell_id,a,b,c", *(f"{i},{a},{b},{c}" for i, (a, b, c) in enumerate(rows.tolist()))]
    Path("truth.csv").write_text("\n".join(lines), encoding="utf-8")
    for i in range(4):
        np.savez(f"named{i}.npz", z=np.load(f"latents/{i}.npy").T, sample_id=np.arange(N))
    words = ["compare", *(f"named{i}.npz" for i in range(4)), "--sources", "truth.csv", "--floor-draws", "1", "--rotations", "1"]
    assert _run(words) == 0
    assert "its rows are named by its column 'cell_id'" in capsys.readouterr().err
    assert _run([*words, "--strict"]) == 2
    assert "write --id-column 'cell_id'" in capsys.readouterr().err


def test_the_options_stand_where_the_parameter_stood():
    @with_naming
    def command(first: int, *, naming: Naming, last: int = 0) -> None:
        found.append((first, naming, last))

    found = []
    parameters = inspect.signature(command).parameters
    assert next(iter(parameters)) == "first"
    assert list(parameters)[-1] == "last"
    assert "naming" not in parameters
    given = {name: one.default for name, one in parameters.items() if one.default is not one.empty}
    command(**given | {"first": 1, "obsm": "X"})
    assert found == [(1, Naming(obsm="X"), 0)]
