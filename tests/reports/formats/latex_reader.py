"""A reader of the LaTeX that reports are written in: the second opinion where no LaTeX engine is installed.

It knows the commands that may stand there and nothing else, so that whatever else LaTeX would act on is found.
"""

import re
import unicodedata
from dataclasses import dataclass

SYMBOLS = {  # what is printed
    "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<", "textgreater": ">", "textbar": "|",
    "textasciigrave": "\1", "ldots": "…", "S": "§", "textbullet": "•", "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ",
    "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "i": "ı", "par": "\n", ",": "\u2009",
    "times": "×", "cdot": "·", "pm": "±", "leq": "≤", "geq": "≥", "neq": "≠", "approx": "≈", "infty": "∞", "surd": "√",
    "sum": "∑",
    "prod": "∏", "in": "∈", "notin": "∉", "sim": "∼", "propto": "∝", "rightarrow": "→", "leftarrow": "←", "leftrightarrow": "↔",
    "Rightarrow": "⇒", "partial": "∂", "nabla": "∇", "Vert": "‖", "langle": "⟨", "rangle": "⟩", "epsilon": "ϵ", "phi": "ϕ",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "varepsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ", "iota": "ι",
    "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "upsilon": "υ",
    "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ",
    "Pi": "Π", "Sigma": "Σ", "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "circ": "∘",
}  # fmt: skip
_MARKS = "\u0300\u0301\u0302\u0303\u0304\u0307\u0308\u0306\u030a\u030b\u030c\u0323\u0327"
ACCENTS = dict(zip("`'^~=.\"urHvdc", _MARKS, strict=True))
ACCENTED = re.compile(r"\\([`'^~=.\"urHvdc])\{([A-Za-z])\}")
TOKEN = re.compile(r"\\([A-Za-z]+|.)|([{}$&#%_^~])|(.)", re.DOTALL)
SPECIAL = set("{}$&#%_")


@dataclass
class Table:
    """A table as it is read: what each column is, its caption, the spans of the heads and the cells of the rows, as LaTeX."""

    caption: str
    columns: list[str]
    heads: list[str]
    rows: list[list[str]]
    notes: str


def printed(text: str) -> str:
    """What LaTeX prints for some text; an assertion fails on anything that it would act on."""
    assert text.isascii()
    text = ACCENTED.sub(lambda found: unicodedata.normalize("NFC", found[2] + ACCENTS[found[1]]), text)
    shown, maths, depth = "", False, 0
    for command, special, character in TOKEN.findall(text.replace(r"\char34{}", '"').replace(r"\mbox{-}", "\u2011")):
        if command:
            assert command in SPECIAL or command in SYMBOLS, f"\\{command}"
            shown += command if command in SPECIAL else SYMBOLS[command]
        elif special in {"{", "}"}:
            depth += 1 if special == "{" else -1
            assert depth >= 0
            shown += "\0"  # a group ends a ligature
        elif special:
            assert special in "$~" or (maths and special in "^_"), f"{special!r} in {text!r}"
            maths ^= special == "$"
            shown += {"$": "", "~": "\u00a0"}.get(special, special)
        else:
            shown += "−" if maths and character == "-" else character
    assert not maths
    assert depth == 0
    for typed, ligature in (("---", "—"), ("--", "–"), ("``", "“"), ("''", "”"), (",,", "„"), ("`", "‘"), ("'", "’")):
        shown = shown.replace(typed, ligature)
    return shown.replace("\0", "").replace("\1", "`")


def tables(text: str) -> list[Table]:
    """The tables of a document, each with as many cells in every row as it has columns."""
    environments = re.compile(
        r"\\begin\{table\}(?P<float>.*?)\\end\{table\}|\\begin\{longtable\}(?P<long>.*?)\\end\{longtable\}(?P<after>.*?)(?=\\begin\{(?:long)?table\}|\\paragraph|\Z)",
        re.DOTALL,
    )
    return [_table(found["float"] or found["long"], found["after"]) for found in environments.finditer(text)]


def _table(content: str, after: str | None) -> Table:
    caption, _ = _group(content, content.index(r"\caption{") + len(r"\caption"))
    start = content.index(r"\begin{tabular}") + len(r"\begin{tabular}") if after is None else content.index("{")
    kinds, _ = _group(content, start)
    columns = _columns(kinds)
    lines = [line for line in content.splitlines() if line.endswith(r" \\") and not line.startswith(r"\caption")]
    spans = [_spans(cell) for cell in _cells(lines[0])]
    assert sum(span for span, _ in spans) == len(columns), lines[0]
    if after is not None:
        assert lines[1] == lines[0]  # the head of every further page
    rows = [_cells(line) for line in lines[1 if after is None else 2 :]]
    for row in rows:
        assert len(row) == len(columns), row
        for kind, cell in zip(columns, row, strict=True):
            if kind.startswith("S"):
                assert _fits(kind, cell), (kind, cell)
    rules = [content.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")]
    assert rules == ([1, 1, 1] if after is None else [2, 2, 1])
    notes = content.partition(r"\end{tabular}")[2] if after is None else after
    return Table(caption, columns, [head for _, head in spans], rows, notes)


def _columns(kinds: str) -> list[str]:
    found, place = [], 0
    while place < len(kinds):
        letter = kinds[place]
        place += 1
        if letter in "@>":
            _, place = _group(kinds, place)
        elif letter == "p":
            _, place = _group(kinds, place)
            found.append("p")
        elif letter == "S":
            end = kinds.index("]", place)
            found.append(f"S{kinds[place : end + 1]}")
            place = end + 1
        elif letter != " ":
            assert letter in "lr", letter
            found.append(letter)
    return found


def _fits(kind: str, cell: str) -> bool:
    """Whether siunitx takes a cell: braced, or a number with no more digits than the column has room for."""
    if cell.startswith("{") and _group(cell, 0)[1] == len(cell):
        return True
    sign, whole, decimals = re.fullmatch(r"S\[table-format=([-+]?)(\d+)(?:\.(\d+))?\]", kind).groups()
    number = re.fullmatch(r"([-+]?)(\d+)(?:\.(\d+))?", cell)
    assert number is not None, cell
    room = len(number[2]) <= int(whole) and len(number[3] or "") <= int(decimals or 0)
    return room and (not number[1] or bool(sign))


def _spans(head: str) -> tuple[int, str]:
    many = re.match(r"\\multicolumn\{(\d)\}\{c\}", head)
    return (int(many[1]), _group(head, many.end())[0]) if many else (1, head)


def _cells(line: str) -> list[str]:
    """Cells of a row, split where an ampersand stands outside groups."""
    cells, depth, start = [], 0, 0
    body = line.removesuffix(r" \\")
    for found in re.finditer(r"\\.|[{}&]", body):
        match found[0]:
            case "{":
                depth += 1
            case "}":
                depth -= 1
            case "&" if depth == 0:
                cells.append(body[start : found.start()].strip())
                start = found.end()
    assert depth == 0
    cells = [*cells, body[start:].strip()]
    assert not cells[0].startswith(("[", "*"))  # an option of the line end or rule before it
    return cells


def _group(text: str, place: int) -> tuple[str, int]:
    """What stands in the braces that begin at a place, and where they end."""
    assert text[place] == "{", text[place : place + 20]
    depth = 0
    for found in re.finditer(r"\\.|[{}]", text[place:]):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return text[place + 1 : place + found.start()], place + found.end()
    raise AssertionError(text)
