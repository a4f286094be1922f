"""The JSON Schema (draft 2020-12) of what `--format json` writes, made from the records themselves.

A document is an object with `schema_version` and lists of flat records; which lists, depends on the command. A record holds every
field of a dataclass and no other; what the docstring says of a field is its description.
"""

import inspect
import re
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from stabaudit import __version__
from stabaudit.comparison.records import Score
from stabaudit.json_schema.documents import DOCUMENTS, Document, RestartRow
from stabaudit.metrics.scores import registered
from stabaudit.reports.formats.json_format import SCHEMA_VERSION

Schema = dict[str, Any]

_ARGUMENT = re.compile(r"^    (\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", re.MULTILINE)
_SAID = {  # of fields whose class describes all of them in one sentence
    "run": "the run",
    "row": "row of the grid, from 0",
    "column": "column of the grid, from 0",
    "difference": "the score within run a minus the same within run b",
    "p_welch": "of Welch's t on jackknife pseudo-values; null where it cannot be had",
    "p_permutation": "of permuting the pseudo-values, studentised; null where a run has fewer than three restarts",
    "p_smallest": "the smallest p that permuting so many restarts can give",
    "p_holm": "p_welch, adjusted over all scores and pairs of runs (Holm 1979); null where there is none",
    "restart": "the restart: vade#3",
    "dimension": "its number, from 0",
    "variance": "of its posterior mean",
    "active": "whether the variance is at least 0.01, or the divergence 0.05 nats; null where posteriors are not known",
    "kl": "its divergence in nats per row; null where it is not known",
}


def json_schema() -> Schema:
    """The schema of all documents, strict: no field may be missing, and none be there that is not described."""
    every = [kind for found in DOCUMENTS.values() for kind in (found.always | found.maybe).values()]
    records = {kind.__name__: kind for kind in every if is_dataclass(kind)}
    _, generated = TypeAdapter.json_schemas(
        [(name, "serialization", TypeAdapter(kind)) for name, kind in records.items()], ref_template="#/$defs/{model}"
    )
    described = {name: _strict(generated["$defs"][name], kind) for name, kind in records.items()}
    described[RestartRow.__name__]["additionalProperties"] = {"type": ["number", "null"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"stabaudit {__version__}: what --format json writes",
        "description": "Numbers are finite; what is none is null.",
        "anyOf": [{"$ref": f"#/$defs/{name}"} for name in DOCUMENTS],
        "$defs": {name: _document(document) for name, document in DOCUMENTS.items()} | described,
    }


def _document(document: Document) -> Schema:
    lists = {
        name: {"type": "array", "items": {"$ref": f"#/$defs/{kind.__name__}"} if is_dataclass(kind) else _FACTS}
        for name, kind in (document.always | document.maybe).items()
    }
    return {
        "description": f"stabaudit {document.command} --format json",
        "type": "object",
        "properties": {"schema_version": {"const": SCHEMA_VERSION}} | lists,
        "required": ["schema_version", *document.always],
        "additionalProperties": False,
    }


_FACTS = {"description": "facts as text, by name", "type": "object", "additionalProperties": {"type": "string"}}


def _strict(schema: Schema, kind: type) -> Schema:
    """The schema of a record without pydantic's titles and defaults, with every field required and described."""
    said = (
        _SAID | described_fields(Score) | described_fields(kind)
        if kind.__module__ == Score.__module__
        else described_fields(kind)
    )
    properties = {
        name: {"description": said[name] + (_names_of_scores() if name in {"metric", "score"} else "")}
        | {key: value for key, value in found.items() if key not in {"title", "default"}}
        for name, found in schema["properties"].items()
    }
    first, _, _ = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")
    return {
        "description": " ".join(first.split()),
        "type": "object",
        "properties": properties,
        "required": [field.name for field in fields(kind)],
        "additionalProperties": False,
    }


@cache
def _names_of_scores() -> str:
    """What the names of scores stand for."""
    return "; known: " + "; ".join(f"{one.name}: {one.meaning}" for one in registered())


def described_fields(kind: type) -> dict[str, str]:
    """What the docstring of a dataclass says of each field, under "Args:".

    >>> from stabaudit.statistics.families import Friedman
    >>> described_fields(Friedman)["n"]
    'configurations that every family has'
    """
    _, _, arguments = inspect.cleandoc(kind.__doc__ or "").partition("Args:\n")
    return {
        name: re.sub(r"\bNone\b", "null", " ".join(text.split()).rstrip("."))
        for names, text in _ARGUMENT.findall(arguments)
        for name in names.split(", ")
    }
