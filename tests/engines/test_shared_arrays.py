"""Copies of datasets among temporary files: those of calls that were killed are deleted by the next."""

import tempfile
from contextlib import ExitStack

import pytest

from stabaudit.engines.shared_arrays import PREFIX, claim, sweep


@pytest.fixture(autouse=True)
def _temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_what_nobody_claims_any_more_is_deleted(tmp_path):
    names = [f"{PREFIX}{name}" for name in ("alive", "killed", "beginning")]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.npy").touch()
    (tmp_path / names[1] / ".claim").touch()  # a file without a lock, as a killed process leaves it
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / ".claim").touch()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "outside")
    with ExitStack() as stack:
        claim(tmp_path / names[0], stack)
        sweep()
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([names[0], names[2], f"{PREFIX}link", "outside"])
        assert (tmp_path / "outside" / ".claim").exists()
    sweep()
    assert not (tmp_path / names[0]).exists()
