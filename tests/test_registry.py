"""Names: the built-in ones, those of outside packages, and those that nobody knows."""

import sys

import pytest

from stabaudit.cli.main import _run
from stabaudit.errors import UsageError
from stabaudit.families.base import Family
from stabaudit.registry import NO_FAMILY, broken, contested, known, resolve, unknown

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


# ---------------------------------------------------------------------------------------------------- plug-ins that are broken


BROKEN = {
    "gone": ("nowhere_at_all:Mine", "cannot import 'nowhere_at_all:Mine' (ModuleNotFoundError"),
    "raises": ("raising:Mine", "cannot import 'raising:Mine' (ZeroDivisionError: division by zero)"),
    "leaves": ("leaving:Mine", "cannot import 'leaving:Mine' (SystemExit: 1)"),
    "nothing": ("outside:Missing", "has no attribute 'Missing'"),
    "number": ("outside:NUMBER", "'outside:NUMBER' is 3, expected a class or a function"),
    "function": ("outside:load", NO_FAMILY.format("function")),
    "malformed": ("not an object reference", "cannot import 'not an object reference'"),
}


@pytest.fixture
def broken_package(package, tmp_path):
    (tmp_path / "raising.py").write_text("1 / 0\n")
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(1)\n")
    code = "from stabaudit.families.vae import VAE\nclass Mine(VAE): pass\nNUMBER = 3\ndef load(): pass\n"
    targets = {name: target for name, (target, _) in BROKEN.items()}
    package("outside", code, {"family": {"mine": "outside:Mine", "vae": "outside:Mine"} | targets})


def test_listing_tells_of_plug_ins_that_are_broken_and_lists_the_rest(broken_package, capfd):
    assert _run(["list", "families"]) == 0
    out, err = capfd.readouterr()
    assert {"vae", "mine", "vade"} <= {line.split()[0] for line in out.splitlines() if line.strip()}
    lines = err.splitlines()
    assert lines[0] == "stabaudit: family 'vae' is that of stabaudit; outside-models claims the name too and is ignored"
    assert len(lines) == 1 + len(BROKEN)
    for name, (_, told) in BROKEN.items():
        (line,) = [line for line in lines if f"family {name!r}" in line]
        assert told in line
        assert line.endswith("; update or uninstall outside-models")


@pytest.mark.slow
def test_broken_plug_ins_do_not_concern_who_does_not_use_them(broken_package, capfd):
    assert resolve("family", "vae").__module__ == "stabaudit.families.vae"
    assert resolve("family", "mine").__module__ == "outside"
    for words in (["list", "datasets"], ["train", "mine", "--dry-run", "-d", "2"]):
        assert _run(words) == 0
    assert capfd.readouterr().err == ""
    for name, (_, told) in BROKEN.items():
        assert _run(["train", name, "--dry-run"]) == 2
        err = capfd.readouterr().err
        assert err.count("\n") == 1
        assert told in err


def test_who_uses_a_name_that_two_claim_is_told_whose_it_is(broken_package, capfd):
    assert _run(["train", "vae", "--dry-run", "-d", "2"]) == 0
    assert capfd.readouterr().err == (
        "stabaudit: family 'vae' is that of stabaudit; outside-models claims the name too and is ignored\n"
    )


def test_of_two_packages_one_gets_the_name(package, tmp_path):
    package("first", "class Mine: pass\n", {"family": {"mine": "first:Mine"}})
    package("second", "class Mine: pass\n", {"family": {"mine": "second:Mine"}})
    owner = known("family")["mine"].summary.removeprefix("from ")
    (line,) = contested("family", "mine")
    (other,) = {"first-models", "second-models"} - {owner}
    assert line == f"family 'mine' is that of {owner}; {other} claims the name too and is ignored"
    assert contested("family", "vae") == []
    assert broken("family") == []


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("entry_points.txt", b"[stabaudit.families]\nno equals sign\n"),
        ("entry_points.txt", b"\xff\xfe\x00"),
        ("entry_points.txt", b"mine = without:a_section\n"),
        ("METADATA", b"\xff\xfe\x00"),
        ("METADATA", None),
    ],
)
def test_a_damaged_package_hides_no_other(package, tmp_path, file, content):
    package("good", "class Mine: pass\n", {"family": {"mine": "good:Mine"}})
    package("bad", "class Mine: pass\n", {"family": {"other": "bad:Mine"}})
    damaged = tmp_path / "bad-1.0.dist-info" / file
    damaged.unlink() if content is None else damaged.write_bytes(content)
    assert known("family")["mine"].summary == "from good-models"
    assert resolve("family", "mine").__module__ == "good"
    assert resolve("family", "vae").__module__ == "stabaudit.families.vae"
