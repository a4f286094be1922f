"""Every column head of a table is explained, or is a word that needs no explanation."""

import ast
from pathlib import Path

import stabaudit
from stabaudit.reports.column_heads import HEADS, footer, meaning
from stabaudit.reports.report import Section

PACKAGE = Path(stabaudit.__file__).parent
PLAIN = {
    *("run", "score", "restarts", "rows", "family", "architecture", "dataset", "source", "name", "what", "state", "found"),
    *("file", "files", "key", "restart", "seed", "steps", "seconds", "makes", "command", "folder", "created", "seeds", "summary"),
    *("range", "floors", "computed", "reference", "what it is", "what it says", "restarts done", "dataset fingerprint"),
    *("not done", "parts", "", "score [95%]", "sample", "label", "row", "cost"),
}


def heads():
    """Every text in a list that is the header of a section, read from the source."""
    for path in [
        *(PACKAGE / "reports" / "sections").glob("*.py"),
        *(PACKAGE / "cli").glob("*.py"),
        PACKAGE / "likelihood/tables.py",
    ]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            lists = []
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Section" and len(node.args) > 1:
                lists = [node.args[1]]
            elif isinstance(node, (ast.Assign, ast.AugAssign)):
                names = [node.target] if isinstance(node, ast.AugAssign) else node.targets
                lists = [node.value] if any("header" in getattr(name, "id", "").lower() for name in names) else []
            for one in lists:
                yield from (
                    (path.name, text.value)
                    for part in ast.walk(one)
                    if isinstance(part, (ast.List, ast.Tuple))
                    for text in part.elts
                    if isinstance(text, ast.Constant) and isinstance(text.value, str)
                )


def test_every_head_is_explained_or_plain():
    found = list(heads())
    assert len(found) > 60
    assert [one for one in found if meaning(one[1]) is None and one[1] not in PLAIN] == []


def test_no_head_is_explained_that_no_table_has():
    used = {head.removesuffix(" [95%]") for _, head in heads()}
    computed = {"floors", "floor", "correlations", "best matched dimensions", "canonical pairs"}
    assert sorted(set(HEADS) - used - computed) == []


def test_a_score_is_explained_by_its_meaning():
    assert (
        meaning("weak MCC@20 [95%]")
        == meaning("weak MCC@all")
        == "is the space the same, up to a linear map? mean of the first k canonical correlations"
    )
    assert meaning("a column of one's own") is None


def test_the_footer_explains_what_is_shown_once():
    one = Section("a", ["run", "chance", "adj."], [["x", "0", "0"]])
    said = footer([one, one, Section("b", ["p (Welch)"])])
    assert said.count("chance: ") == 1
    assert "adj.: 0 at chance" in said
    assert "Welch" not in said  # no rows, no table
    assert footer([Section("c", ["run"], [["x"]])]) == ""
