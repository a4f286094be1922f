r"""Text as LaTeX prints it: every character that LaTeX would act on is escaped, and those beyond ASCII become commands.

What comes out is ASCII, so that it compiles the same with pdfLaTeX, XeLaTeX and LuaLaTeX, whatever the font encoding, and in a
document in which babel makes quotation marks active. Letters with accents become accents (`\'{e}`), symbols their commands
(`R$^{2}$`, `$\geq$`). A character that has none, such as one of Chinese, is written as its number, `[U+4E2D]`.
"""

import re
import unicodedata

from stabaudit.reports.formats.plain_text import plain

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': r"\char34{}",
}
_GREEK_NAMES = (
    "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon varphi chi psi omega "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
_GREEK = dict(zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", _GREEK_NAMES.split(), strict=True))
_MATHS = {character: rf"$\{name}$" for character, name in _GREEK.items()} | {
    character: f"${command}$"
    for character, command in {
        "−": "-",
        "×": r"\times",
        "·": r"\cdot",
        "±": r"\pm",
        "≤": r"\leq",
        "≥": r"\geq",
        "≠": r"\neq",
        "≈": r"\approx",
        "∞": r"\infty",
        "√": r"\surd",
        "∑": r"\sum",
        "∏": r"\prod",
        "∈": r"\in",
        "∉": r"\notin",
        "∼": r"\sim",
        "∝": r"\propto",
        "→": r"\rightarrow",
        "←": r"\leftarrow",
        "↔": r"\leftrightarrow",
        "⇒": r"\Rightarrow",
        "∂": r"\partial",
        "∇": r"\nabla",
        "‖": r"\Vert",
        "⟨": r"\langle",
        "⟩": r"\rangle",
        "°": r"^{\circ}",
        "ϵ": r"\epsilon",
        "ϕ": r"\phi",
    }.items()
}
_WORDS = {
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "„": ",,",
    "…": r"\ldots{}",
    "\u00a0": "~",
    "\u2009": r"\,",
    "\u202f": r"\,",
    "\u2010": "-",
    "\u2044": "/",
    "\u2011": r"\mbox{-}",
    "§": r"\S{}",
    "•": r"\textbullet{}",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "\ufffd": "?",
}
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0323": "d",
    "\u0327": "c",
}
_OPTIONS = ("[", "*", "(")  # after a line end or a rule of a table they would begin an option
_NOTHING = "\ue000"  # stands for an empty group; text that is shown never holds it
_KNOWN = _ESCAPES | _MATHS | _WORDS | {_NOTHING: "{}"}
_MINUS = re.compile(r"(?<![\w.)\]/-])-(?=[\d.∞])")  # a sign, not the hyphen of a word, a date or an option
_LIGATURES = re.compile(r"(?<=-)-|(?<=')'|(?<=,),|(?<=[!?])`")  # of ASCII letters, as typed: "--format" keeps both hyphens


def escaped(text: str) -> str:
    r"""Text that LaTeX prints as it is, on one line.

    >>> print(escaped("R² of z_1 & 95%: −0.5 to ∞"))
    R$^{2}$ of z\_1 \& 95\%: $-$0.5 to $\infty$
    >>> print(escaped("use --format; é, 中"))
    use -{}-format; \'{e}, [U+4E2D]
    """
    line = _LIGATURES.sub(rf"{_NOTHING}\g<0>", plain(text).strip())
    written = "".join(map(_one, _MINUS.sub("−", line)))
    return f"{{{written[0]}}}{written[1:]}" if written.startswith(_OPTIONS) else written


def _one(character: str) -> str:
    """One character."""
    if character in _KNOWN:
        return _KNOWN[character]
    if character.isascii():
        return character
    parts = unicodedata.normalize("NFKD", character)
    if (kind := unicodedata.decomposition(character)).startswith(("<super>", "<sub>")) and parts.replace("−", "-").isascii():
        return f"${'^' if kind.startswith('<super>') else '_'}{{{parts.replace('−', '-')}}}$"
    if len(parts) == 2 and parts[0].isascii() and parts[1] in _ACCENTS:
        return rf"\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    if parts != character and all(part.isascii() or part in _KNOWN for part in parts):
        return "".join(map(_one, parts))
    return f"[U+{ord(character):04X}]"
