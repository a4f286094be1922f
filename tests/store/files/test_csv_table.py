"""One reader: the same layout is the same table as training data, as latents and as scores."""

import warnings

import numpy as np
import pandas as pd
import pytest

from stabaudit.comparison.surveys.score_table import read_score_table
from stabaudit.data.formats.tables import Columns, read_table
from stabaudit.errors import BadData, Guessed, Noticed
from stabaudit.store.files.csv_table import read_csv
from stabaudit.store.run.latents import read_latents

VALUES = np.random.default_rng(0).normal(size=(6, 3))
FRAME = pd.DataFrame(VALUES, columns=["a", "b", "c"])
SCORES = pd.DataFrame(
    {
        "architecture": "mlp",
        "dataset": [f"00{i}" for i in range(6)],
        "latent_dim": 5,
        "family": "vae",
        "mcc": np.round(0.5 + 0.01 * np.arange(6), 2),
    }
)


def as_data(path):
    return read_table(path, Columns())["x"]


def as_latents(path):
    return read_latents(path).mean


def as_scores(path):
    table, _, _ = read_score_table(path)
    return np.array([[float(cell.dataset), values["vae"]] for cell, values in table.items()], dtype=np.float32)


# What each reader is given, and what it must make of it.
USERS = {
    "data": (as_data, FRAME, VALUES.astype(np.float32)),
    "latents": (as_latents, FRAME, VALUES.astype(np.float32)),
    "scores": (as_scores, SCORES, SCORES[["dataset", "mcc"]].to_numpy(np.float32)),
}

LAYOUTS = {
    "plain": (lambda frame: frame.to_csv(index=False), None),
    "index": (lambda frame: frame.to_csv(), None),
    "index from 1": (lambda frame: frame.set_index(frame.index + 1).to_csv(), None),
    "Unnamed: 0": (lambda frame: frame.rename_axis("Unnamed: 0").to_csv(), None),
    "two of them": (lambda frame: frame.rename_axis("Unnamed: 0").reset_index().to_csv(), None),
    "reset_index": (lambda frame: frame.reset_index().to_csv(index=False), "'index', counts the rows and is left out"),
    "byte order mark": (lambda frame: "\ufeff" + frame.to_csv(index=False), None),
    "quotes": (lambda frame: frame.to_csv(index=False, quoting=1), None),
    "line ends of Windows": (lambda frame: frame.to_csv(index=False, lineterminator="\r\n"), None),
    "semicolons": (lambda frame: frame.to_csv(index=False, sep=";"), "separated by semicolons"),
    "decimal commas": (lambda frame: frame.to_csv(index=False, sep=";", decimal=","), "separated by semicolons, its numbers"),
    "index and semicolons": (lambda frame: frame.to_csv(sep=";", decimal=","), "as having decimal commas"),
    "tabs": (lambda frame: frame.to_csv(index=False, sep="\t"), "separated by tabs"),
}


def read_by(user, path, said=None):
    """What a reader makes of a file; it must say `said`, or nothing."""
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always")
        found = USERS[user][0](path)
    assert len(noticed) == (said is not None)
    for warning in noticed:
        assert issubclass(warning.category, Noticed)
        assert str(warning.message).startswith(f"{path}: ")
        assert said in str(warning.message)
    return found


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_the_same_table_to_all(layout, user, tmp_path):
    write, said = LAYOUTS[layout]
    _, frame, expected = USERS[user]
    (path := tmp_path / "table.csv").write_bytes(write(frame).encode())
    np.testing.assert_array_equal(read_by(user, path, said), expected)


@pytest.mark.parametrize("user", USERS)
def test_tabs_are_what_the_ending_tsv_says(user, tmp_path):
    _, frame, expected = USERS[user]
    frame.to_csv(tmp_path / "table.tsv", sep="\t", index=False)
    np.testing.assert_array_equal(read_by(user, tmp_path / "table.tsv"), expected)


@pytest.mark.parametrize("user", ["data", "latents"])
@pytest.mark.parametrize(("first", "said"), [(0, None), (1, "its first line, 1 to 3, counts the columns")])
def test_a_first_line_that_counts_the_columns_names_them(first, said, user, tmp_path):
    path = tmp_path / "table.csv"
    FRAME.set_axis(range(first, first + 3), axis=1).to_csv(path, index=False)
    np.testing.assert_array_equal(read_by(user, path, said), USERS[user][2])


WRONG = {
    "empty": (lambda _: "", "the file is empty"),
    "blank": (lambda _: "\n\n", "the file is empty"),
    "no rows": (lambda text: text.splitlines()[0] + "\n", "no rows|expected numbers|at least 1"),
    "short row": (lambda text: text + "1,2\n", "another number of fields than the first line, 2 and not"),
    "long row": (lambda text: text + "1,2,3,4,5,6,7\n", "another number of fields than the first line, 7 and not"),
    "a name twice": (lambda text: text.replace(text.split(",")[0], text.split(",")[1], 1), "several columns are called '"),
    "an index that does not count": (lambda text: unnamed(text, [7, 9, 8, 1, 2, 3]), "column 1 has no name; call it sample_id"),
    "names without a name": (lambda text: unnamed(text, list("uvwxyz")), "column 1 has no name; call it sample_id"),
    "open quote": (lambda text: text + 'x,"y,1\n', "not a comma-separated table"),
    "Latin-1": (lambda text: text.replace("\n", ",\xe9\n", 1).encode("latin-1"), "not UTF-8 text"),
    "Latin-1 below": (lambda text: (text * 2000).encode() + "é,é,é,é,é\n".encode("latin-1"), "not UTF-8|number of fields"),
    "UTF-16": (lambda text: text.encode("utf-16"), "not UTF-8 text"),
}


def unnamed(text, index):
    first, *rows = text.splitlines()
    return "\n".join([f",{first}", *(f"{name},{row}" for name, row in zip(index, rows, strict=True))])


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_table_is_refused_by_all_in_one_line(wrong, user, tmp_path):
    spoil, message = WRONG[wrong]
    read, frame, _ = USERS[user]
    content = spoil(frame.to_csv(index=False))
    (path := tmp_path / "table.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadData, match=message) as refused:
        read(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_column_that_is_asked_for_is_no_index(tmp_path):
    path = tmp_path / "table.csv"
    FRAME.reset_index().to_csv(path, index=False)
    assert read_csv(path, wanted=["index"]).columns.column_names == ["index", "a", "b", "c"]
    assert read_csv(path, ids="index").columns.column_names == ["index", "a", "b", "c"]


@pytest.mark.parametrize("index", [[7, 9, 8, 1, 2, 3], list("uvwxyz")])
def test_a_column_called_index_that_does_not_count_is_an_ordinary_one(index, tmp_path):
    path = tmp_path / "table.csv"
    FRAME.assign(index=index)[["index", "a"]].to_csv(path, index=False)
    assert read_csv(path).columns.column_names == ["index", "a"]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("a;b,c\n1,2\n", ["a;b", "c"]),  # a comma outside of numbers
        ("a;b\n1\n2\n", ["a;b"]),  # the second line has no semicolon
        ('"a;b"\n1\n', ["a;b"]),
    ],
)
def test_semicolons_in_names_separate_nothing(content, names, tmp_path):
    (path := tmp_path / "table.csv").write_text(content)
    assert read_csv(path).columns.column_names == names


def test_numbers_with_decimal_commas_may_lack_names(tmp_path):
    (path := tmp_path / "table.csv").write_text("1,5;2,5\n0,5;1e-1\n3;4\n")
    with (
        pytest.warns(Noticed, match="semicolons, its numbers as having decimal commas"),
        pytest.warns(Guessed, match="first line"),
    ):
        table = read_csv(path)
    assert not table.headed
    assert [column.to_pylist() for column in table.columns.columns] == [[1.5, 0.5, 3.0], [2.5, 0.1, 4.0]]


def test_fields_in_quotes_hold_separators_and_line_ends(tmp_path):
    (path := tmp_path / "table.csv").write_text('name,"a,b"\n"one\ntwo",1\n"say ""x""",2\n')
    table = read_csv(path).columns
    assert table.to_pydict() == {"name": ["one\ntwo", 'say "x"'], "a,b": [1, 2]}


@pytest.mark.slow
def test_a_header_may_be_long(tmp_path):
    names = [f"gene{k}" for k in range(20_000)]
    (path := tmp_path / "table.csv").write_text(",".join(names) + "\n" + ",".join("0" * len(names)) + "\n")
    assert read_csv(path).columns.column_names == names


def test_a_table_of_scores_without_names_is_refused_in_one_line(tmp_path):
    (path := tmp_path / "scores.csv").write_text("2;1,5\n4;2,5\n")
    with pytest.warns(Guessed), pytest.raises(BadData, match=r"scores\.csv: no column 'architecture' among 'f0', 'f1'"):
        read_score_table(path)


def test_fields_of_lines_without_names_are_left_as_text_where_that_is_asked_for(tmp_path):
    (path := tmp_path / "table.csv").write_text("007,1.50\n008,2\n")
    with pytest.warns(Guessed, match="first line"):
        assert read_csv(path, text=True).columns.to_pydict() == {"f0": ["007", "008"], "f1": ["1.50", "2"]}
