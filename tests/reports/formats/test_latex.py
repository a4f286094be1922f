"""LaTeX: tables whose rows have as many cells as columns, numbers that siunitx takes, and text that prints as it was.

`latex_reader` reads it by rules of its own; where pdfLaTeX and siunitx are installed, it is typeset too.
"""

import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from stabaudit.cli.main import _run
from stabaudit.reports.formats.latex import write
from stabaudit.reports.formats.latex_text import _KNOWN, _NOTHING, escaped
from stabaudit.reports.formats.plain_text import plain
from stabaudit.reports.report import Report, Section

sys.path.insert(0, str(Path(__file__).parent))
from latex_reader import printed, tables

NAMES = [
    r"a_b & c% #1 $x$ {y} \input{z} ~ ^ <t> | `q` 'r' \"s\"",
    "[first]",
    "*first",
    "\\\\",
    "R² of μ ≥ ∞, −0.5 ± 2·10⁻³, x₁₂",
    "é à ü ñ ç š ő Å ø ß Łódź",
    "use --format, ---, ?`, !`, ``, '', ,, <<>>",
    "{}",
    "%",
    "x" * 300,
    "“quoted” – dashed — … ‘s’",
]


def as_printed(text):
    """Ligatures and signs that print otherwise than they are typed in plain text."""
    return "".join({"'": "’", "〈": "⟨"}.get(character, character) for character in text)


@pytest.mark.parametrize("text", NAMES)
def test_text_prints_as_it_was(text):
    shown = printed(escaped(text))
    expected = as_printed(plain(text).strip())
    powers = unicodedata.normalize("NFKD", expected) if any(c in expected for c in "²⁻³₁₂") else expected
    shown = shown.replace("^", "").replace("_", "") if powers != expected else shown
    assert shown.replace("−", "-") == powers.replace("−", "-")


def test_every_character_that_is_known_prints_as_itself():
    other = {"'": "’", "\u202f": "\u2009", "\u2010": "-", "\ufffd": "?", "°": "^∘", "\u2044": "/", _NOTHING: ""}
    for character, written in _KNOWN.items():
        assert printed(written) == other.get(character, character)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-0.5", "$-$0.5"),
        ("[-0.5, -0.1]", "{[}$-$0.5, $-$0.1]"),
        ("from -1 to 2", "from $-$1 to 2"),
        ("2020-01-05", "2020-01-05"),
        ("z-1", "z-1"),
        ("R²", "R$^{2}$"),
        ("10⁻³", "10$^{-}$$^{3}$"),
        ("--k 5", "-{}-k 5"),
        ("中", "{[}U+4E2D]"),
        ("ﬁ ＝ ½", "fi = 1/2"),
    ],
)
def test_numbers_and_signs(text, expected):
    assert escaped(text) == expected


ROWS = [
    ["a_b", "1,200", "0.627 [0.600, 0.650]", "0.05/0.40", "-0.04", "<0.001", "3 of 4"],
    ["[c]", "7", "–", "–", "–", "0.025", "–"],
    ["*d", "", "-0.100 [no interval]", "0.05/–", "12.5", "–", "1 of 4"],
]
HEADER = ["run", "N", "strong MCC [95%]", "floors", "axis", "p", "kept"]


def test_columns_are_what_they_hold():
    (table,) = tables(write(Report([Section("R² of a_b", HEADER, ROWS, ["said of 5%."])])))
    assert table.columns == [
        "l",
        "S[table-format=4]",
        "S[table-format=-1.3]",
        "l",
        "r",
        "S[table-format=-2.2]",
        "S[table-format=1.3]",
        "r",
    ]
    assert printed(table.caption) == "R^2 of a_b"
    assert [printed(head) for head in table.heads] == HEADER
    assert [[printed(cell) for cell in row] for row in table.rows] == [
        ["a_b", "1200", "0.627", "[0.600, 0.650]", "0.05/0.40", "-0.04", "<0.001", "3 of 4"],
        ["[c]", "7", "–", "", "–", "–", "0.025", "–"],
        ["*d", "", "-0.100", "[no interval]", "0.05/–", "12.5", "–", "1 of 4"],
    ]
    assert r"said of 5\%.\par" in table.notes
    assert "N: restarts that are done" in table.notes  # heads that do not say it themselves


def test_a_long_table_goes_over_pages_and_keeps_its_notes():
    rows = [[f"dimension {k}", f"{k}.25"] for k in range(41)]
    sections = [Section("long", ["dimension", "share"], rows, ["said."]), Section("words", words=["alone_"])]
    text = write(Report(sections, {"warnings": [{"warning": "few rows & 5%"}]}))
    (table,) = tables(text)
    assert len(table.rows) == 41
    assert "said." in table.notes
    assert r"\endhead" in text
    assert text.endswith("\\paragraph{words}\nalone\\_\\par\n\n\\paragraph{Warnings}\nfew rows \\& 5\\%\\par\n")
    assert text.startswith(r"% Needed in the preamble: \usepackage{array,booktabs,longtable,siunitx}")


def test_text_that_is_long_is_broken_over_lines():
    (table,) = tables(write(Report([Section("t", ["a", "b", "n"], [["x" * 50, "y", "1"], ["x", "y " * 40, "2"]], left=2)])))
    assert table.columns == ["p", "p", "S[table-format=1]"]


def test_a_column_without_any_number_is_text():
    (table,) = tables(write(Report([Section("t", ["a", "n", "m"], [["x", "–", "<0.001"], ["y", "", "–"]])])))
    assert table.columns == ["l", "r", "r"]


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["list", "scores"],
        ["list", "families"],
        ["compare", "a.npz", "b.npz"],
        ["compare", "a.npz", "b.npz", "--scores", "all"],
    ],
    ids=" ".join,
)
def test_commands_write_tables_that_can_be_read(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    base = np.random.default_rng(0).laplace(size=(120, 3))
    for name in "ab":
        z = base + np.random.default_rng(ord(name)).normal(size=base.shape)
        np.savez(f"{name}.npz", z=z, sample_id=np.arange(len(z)))
    quick = ["--floor-draws", "1", "--rotations", "1"] if words[0] == "compare" else []
    assert _run([*words, *quick, "--output", "out.tex"]) == 0
    capsys.readouterr()
    text = (tmp_path / "out.tex").read_text("ascii")
    found = tables(text)
    assert found
    for table in found:
        for cell in [table.caption, *table.heads, *(cell for row in table.rows for cell in row)]:
            printed(cell)
    typeset(text, tmp_path)


def test_hostile_names_are_typeset(tmp_path):
    rows = [[name, name, f"{k}.5", f"-{k}.25 [-0.1, 0.3]"] for k, name in enumerate(NAMES)]
    known = "".join(character for character in _KNOWN if character != _NOTHING)
    sections = [Section(name, [name, "[b]", name, "out [95%]"], rows, [*NAMES, known], left=2) for name in NAMES[:9]]
    text = write(
        Report([*sections, Section("long", ["(a", "b"], [["[x]", "1"]] * 60)], {"warnings": [{"warning": n} for n in NAMES]})
    )
    assert len(tables(text)) == 10
    typeset(text, tmp_path)


def typeset(text, folder):
    """Compile, where there is an engine with siunitx."""
    found = shutil.which("kpsewhich") and subprocess.run(["kpsewhich", "siunitx.sty"], check=False, capture_output=True).stdout
    if not found or not shutil.which("pdflatex"):
        return
    before = "\\documentclass{article}\\usepackage{array,booktabs,longtable,siunitx}\\begin{document}\n"
    (folder / "paper.tex").write_text(f"{before}{text}\\end{{document}}\n", encoding="ascii")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "paper.tex"]
    done = subprocess.run(words, cwd=folder, check=False, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, [line for line in done.stdout.splitlines() if line.startswith("!")]
