"""One entry point: registered names, the user's modules and the user's files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stabaudit.config import options_of, parse_options
from stabaudit.data.load import load_dataset, loader_of
from stabaudit.data.published_files import DataFolder
from stabaudit.errors import BadData, UsageError
from stabaudit.registry import known


def test_options_reach_the_loader_as_text_or_typed() -> None:
    as_text = load_dataset("pinwheel", {"clusters": "5", "samples": "7"})
    typed = load_dataset("pinwheel", {"clusters": 5, "samples": 7})
    assert as_text.fingerprint == typed.fingerprint
    assert len(as_text.train) == 35


@pytest.mark.parametrize("name", known("dataset"))
def test_checked_options_check_to_themselves(name: str) -> None:
    loader = loader_of(name)
    options = parse_options(loader, {}, f"dataset {name}")
    assert parse_options(loader, options, f"dataset {name}") == options
    assert set(options) == set(options_of(loader))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mnst", {}, "unknown dataset 'mnst'; did you mean 'mnist'"),
        ("tcl", {"segment": "3"}, "unknown option of dataset tcl 'segment'; did you mean 'segments'"),
        ("tcl", {"segments": "-1"}, "greater than 0"),
        ("tcl", {"samples": "0"}, "greater than 0"),
        ("tcl", {"scale_low": "nan"}, "finite number"),
        ("tcl", {"mean_bound": "-1"}, "greater than or equal to 0"),
        ("tcl", {"scale": "sdd"}, "'sd' or 'variance'"),
        ("pinwheel", {"radial_sd": "0"}, "greater than 0"),
        ("digits", {"split_seed": "-1"}, "greater than or equal to 0"),
        ("data.npz", {"holdout": "1"}, "less than 1"),
        ("data.npz", {"holdout": "-0.1"}, "greater than or equal to 0"),
    ],
)
def test_bad_names_and_options_are_usage_errors(name: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_dataset(name, options)


def test_published_files_come_from_the_data_folder(
    tmp_path: Path, write_mnist: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mnist(tmp_path / "here" / "mnist")
    write_mnist(tmp_path / "there", seed=1)
    monkeypatch.setenv("STABAUDIT_DATA", str(tmp_path / "there"))
    here = load_dataset("mnist", {}, DataFolder(tmp_path / "here", unchecked=True))
    there = load_dataset("mnist", {}, DataFolder.locate(unchecked=True))
    assert here.fingerprint != there.fingerprint
    monkeypatch.delenv("STABAUDIT_DATA")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadData, match="in data/mnist or data; get them with --download"):
        load_dataset("mnist", {}, DataFolder.locate(unchecked=True))


def test_a_path_is_the_users_file_but_a_registered_name_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("mine.npy", np.arange(20.0).reshape(10, 2))
    Path("pinwheel").touch()
    assert load_dataset("mine.npy", {"holdout": "0.5", "scale": "none"}).train.x.shape == (5, 2)
    assert load_dataset("pinwheel", {}).name == "pinwheel"
    Path("notes").touch()
    with pytest.raises(BadData, match=r"notes: expected a \.npz"):
        load_dataset("notes", {})
    with pytest.raises(BadData, match=r"absent\.parquet: no such file"):
        load_dataset("absent.parquet", {})


def test_a_users_module_is_a_dataset_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_data.py").write_text(
        "import numpy as np\n"
        "from stabaudit.data.dataset import Dataset, Split\n"
        "def made(*, rows: int = 4):\n"
        "    split = Split(np.zeros((rows, 2), np.float32), np.arange(rows))\n"
        "    return Dataset('made', split, split, 'gaussian')\n"
        "def found(files, *, rows: int = 4):\n"
        "    assert (files.path / 'marker').is_file()\n"
        "    return made(rows=rows)\n"
    )
    (tmp_path / "marker").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert len(load_dataset("own_data:made", {}).train) == 4
    assert len(load_dataset("own_data:found", {"rows": "6"}, DataFolder(tmp_path, unchecked=True)).train) == 6
