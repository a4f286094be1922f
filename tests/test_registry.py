"""Names: the built-in ones, those of outside packages, and those that nobody knows."""

import sys

import pytest

from stabaudit.errors import UsageError
from stabaudit.families.base import Family
from stabaudit.registry import known, resolve, unknown

KINDS = {"family": "families", "dataset": "datasets", "architecture": "architectures"}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a package of one module: `package("outside", code, {"family": {"mine": "outside:Mine"}})`."""

    def install(module, code, points=None):
        (tmp_path / f"{module}.py").write_text(code)
        if points:
            info = tmp_path / f"{module}-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}-models\nVersion: 1.0\n")
            groups = [
                "\n".join([f"[stabaudit.{KINDS[kind]}]", *(f"{name} = {target}" for name, target in names.items())])
                for kind, names in points.items()
            ]
            (info / "entry_points.txt").write_text("\n".join(groups) + "\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, module, raising=False)

    yield install
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(file.stem, None)


@pytest.mark.parametrize("kind", KINDS)
def test_every_built_in_name_can_be_resolved_and_says_what_it_is(kind):
    entries = known(kind)
    assert entries
    for name, entry in entries.items():
        assert callable(resolve(kind, name))
        assert entry.summary
        assert "\n" not in entry.summary


def test_families_are_families():
    assert all(issubclass(resolve("family", name), Family) for name in known("family"))


def test_outside_packages_add_names_that_are_imported_only_when_used(package):
    code = "class Mine: pass\ndef load(): pass\n"
    package("outside", code, {"family": {"mine": "outside:Mine"}, "dataset": {"made": "outside:load"}})
    assert known("family")["mine"].summary == "from outside-models"
    assert "mine" not in known("dataset")
    assert "outside" not in sys.modules
    assert resolve("family", "mine").__name__ == "Mine"
    assert resolve("dataset", "made").__name__ == "load"
    with pytest.raises(UsageError, match="did you mean 'mine'"):
        resolve("family", "mien")


def test_an_outside_package_cannot_take_a_built_in_name(package):
    package("outside", "class Mine: pass\n", {"family": {"vae": "outside:Mine"}})
    assert resolve("family", "vae").__module__ == "stabaudit.families.vae"


def test_an_entry_point_that_is_broken_is_named(package):
    package("outside", "", {"family": {"mine": "outside:Mine"}})
    with pytest.raises(UsageError, match=r"family 'mine': cannot import 'outside:Mine' .*has no attribute 'Mine'"):
        resolve("family", "mine")


def test_a_class_of_the_user_is_named_by_module_and_class(package):
    package("own", "class Mine: pass\n")
    assert resolve("family", "own:Mine").__name__ == "Mine"


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [
        ("", "nowhere_at_all:Mine", r"cannot import 'nowhere_at_all:Mine' \(ModuleNotFoundError: No module"),
        ("", "own:Mine", "cannot import 'own:Mine' .*has no attribute 'Mine'"),
        ("", "own:", "cannot import 'own:'"),
        ("", ":Mine", "cannot import ':Mine'"),
        ("class Mine(: pass\n", "own:Mine", r"cannot import 'own:Mine' \(SyntaxError: invalid syntax"),
        ("1 / 0\n", "own:Mine", r"cannot import 'own:Mine' \(ZeroDivisionError: division by zero"),
        ("Mine = 3\n", "own:Mine", "'own:Mine' is 3, expected a class or a function"),
    ],
)
def test_what_cannot_be_imported_is_one_line(package, code, name, message):
    package("own", code)
    with pytest.raises(UsageError, match=f"^architecture {name!r}: .*{message}") as refused:
        resolve("architecture", name)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ivea", "unknown family 'ivea'; did you mean 'ivae'?"),
        ("bvae", "unknown family 'bvae'; did you mean 'vae' or 'vade'?"),
        ("zzz", "unknown family 'zzz'; known: ivae, vade, vae"),
        ("", "unknown family ''; known: ivae, vade, vae"),
    ],
)
def test_unknown_names_offer_the_nearest_or_all(name, message):
    assert str(unknown("family", name, ["vae", "ivae", "vade"])) == message
