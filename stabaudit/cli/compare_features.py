"""`stabaudit compare --features A B [C …]`: are the features of dictionaries the same?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stabaudit.cli.output import deliver, message
from stabaudit.defaults import MANY_FEATURES
from stabaudit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stabaudit.comparison.settings import Settings
    from stabaudit.store.imports.foreign_files import Naming

Of = Literal["weights", "activations"]
How = Literal["exact", "greedy", "sinkhorn"]
FeaturesOption = Annotated[
    bool,
    typer.Option(
        "--features",
        help="A, B, … are dictionaries of features, such as of sparse autoencoders: which are the same? Files of "
        f"{MANY_FEATURES:,} dimensions or more are taken for such, unless --scores are named.",
    ),
]
OfOption = Annotated[
    Of | None,
    typer.Option("--of", help="With --features: what files hold; weights in .safetensors, activations in all others by default."),
]
MatchOption = Annotated[How, typer.Option("--match", help="With --features: how features are matched one to one.")]
CandidatesOption = Annotated[
    int, typer.Option(min=1, help="With --features: the most similar features of each that matches are looked for among.")
]
SignedOption = Annotated[bool, typer.Option("--signed", help="With --features: a feature and its opposite are not the same.")]


def taken_for_features(selectors: list[str], naming: "Naming") -> Of | None:
    """What files hold that have so many dimensions that they are taken for dictionaries of features, which is said; else None."""
    from stabaudit.store.imports.dictionary_sizes import size_of

    sizes = [size_of(Path(selector), naming) for selector in selectors] if len(selectors) > 1 else []
    known = [size for size in sizes if size is not None]
    kinds = {kind for kind, _ in known}
    most = max((size for _, size in known), default=0)
    if len(known) < len(selectors) or len(kinds) > 1 or most < MANY_FEATURES:
        return None
    message(f"{most:,} dimensions: taken for dictionaries of features, as by --features; --scores NAMES compares them as latents")
    return kinds.pop()


def require_with_features(features: bool, own: "Mapping[str, object]", others: "Mapping[str, object]", naming: "Naming") -> None:
    """Refuse options that would be without effect.

    Args:
        features: whether dictionaries are compared.
        own: options that then count, by name.
        others: those that then count for nothing, by name.
        naming: how files are named.

    Raises:
        UsageError: naming one.
    """
    unused = [name for name, given in own.items() if given and not features]
    if unused:
        raise UsageError(f"{unused[0]} is of dictionaries of features: give --features too, or leave it out")
    held = {**others, "--obsm": naming.obsm, "--folder": naming.folder}
    spare = [name for name, given in held.items() if given and features]
    if spare:
        raise UsageError(f"{spare[0]} has no meaning for dictionaries of features; leave it out beside --features")


def compare_features(
    paths: list[str],
    settings: "Settings",
    naming: "Naming",
    scores: str | None,
    of: Of | None,
    match: How,
    candidates: int,
    signed: bool,
    form: str,
    output: Path | None,
) -> None:
    """Hold dictionaries of features against each other, and say which scores are left out."""
    from stabaudit.api import features
    from stabaudit.reports.sections.features import features_report

    if form == "html":
        raise UsageError("--features has no page; use --format markdown or json")
    if settings.correlation != "pearson":
        raise UsageError("--features matches by Pearson correlation or cosine; leave --correlation out")
    found = features(
        *paths,
        of=of,
        naming=naming,
        scores=settings.scores if scores is not None else (),
        k=settings.k,
        match=match,
        candidates=candidates,
        floor_draws=settings.floor_draws,
        seed=settings.seed,
        memory=settings.memory,
        signed=signed,
    )
    if scores is None and found.dictionaries[0].of == "activations":
        message("affine and canonical scores are left out, which take d³: --scores NAMES asks for them (stabaudit list scores)")
    for warning in found.warnings:
        message(warning)
    deliver(features_report(found), form, output)
