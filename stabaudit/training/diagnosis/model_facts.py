"""All that `stabaudit.theory` asks of a stored restart: its prior, the noise of x, its decoder over the aggregate posterior."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stabaudit.errors import UsageError
from stabaudit.families.base import Family, Mixture, PriorKind, gaussian_log_density
from stabaudit.nets.base import Posterior
from stabaudit.nets.likelihoods import Bernoulli, DiscretisedLogistic, Gaussian
from stabaudit.store.run.run_folder import Run
from stabaudit.theory import wang
from stabaudit.theory.facts import Components, DecoderFacts, ModelFacts, Noise
from stabaudit.training.diagnosis.decoder_at_points import Decoder, decoder_of
from stabaudit.training.diagnosis.layers import NEGLIGIBLE, layers_of, proof
from stabaudit.training.diagnosis.second_preimages import search
from stabaudit.training.diagnosis.stored_model import stored_model

Array = NDArray[Any]
SEGMENT = 1e-4  # half the length of one along which the second difference is taken, in standard deviations
WEIGHTY = 0.01  # part of the posterior that a second preimage must have to be seen
Density = Callable[[Tensor], Tensor]
SAME = 1e-6  # of two Jacobians, as a part of the largest entry
FAR = 100.0  # standard deviations: where an f that is affine over the data alone shows it
_SEED = 310


def model_facts(run: Run, index: int) -> ModelFacts:
    """Measure a restart.

    Raises:
        UsageError: a run without weights, or a decoder that cannot be called in double precision.
        BadRun: a restart that is not done, or whose weights do not fit its family.
        BadData: a damaged file.
    """
    family = stored_model(run, index)
    rows = run.manifest.dataset.train_rows
    noise, precision = noise_of(family)
    prior = family.prior_kind()
    evaluation = run.evaluation()
    u = None if evaluation is None else evaluation.u
    facets = tuple(_components(mixture, rows) for mixture in family.facet_priors()) if prior == "mixture" else ()
    conditional = _conditional(family, u, rows) if prior == "conditional" else None
    density = log_prior(prior, facets, conditional)
    try:
        found = decoder_of(family, run.latents(index))
        measured = None if found is None else _measured(family, *found, precision, density)
    except RuntimeError as error:  # what a user's module says of double precision
        said = f"the decoder of family {type(family).__name__} cannot be measured in double precision"
        raise UsageError(f"{said}: {str(error).splitlines()[0]}") from error
    decoder, slopes, information = measured or (None, None, None)
    lost = () if slopes is None else wang.collapsed(slopes, information)
    dimensions = run.latents(index).mean.shape[1]
    if lost:
        facets = _without(facets, lost)
        conditional = None if conditional is None else _kept(conditional, lost, 0)
    return ModelFacts(
        dimensions=dimensions,
        prior=prior,
        noise=noise,
        exact=family.exact_likelihood,
        decoder=decoder,
        slopes=slopes,
        information=information,
        facets=facets,
        conditional=conditional,
        zero_mean=conditional is not None and not conditional.mean.any(),
    )


def noise_of(family: Family) -> tuple[Noise, "Precision | None"]:
    """What the noise of x is, and the Fisher information of an element of x about the decoder's output there; None if unknown."""
    likelihood = getattr(family, "likelihood", None)
    if isinstance(likelihood, Gaussian):
        inverse = math.exp(-float(likelihood.log_var.detach()))
        return ("learned" if isinstance(likelihood.log_var, torch.nn.Parameter) else "known"), Precision(constant=inverse)
    if isinstance(likelihood, Bernoulli):
        return "other", Precision(constant=None)
    if isinstance(likelihood, DiscretisedLogistic):
        return "other", Precision(constant=math.exp(-2 * float(likelihood.log_scale.detach())) / 3)
    return "other", None


class Precision:
    """Fisher information of one element of x about the decoder's output.

    Args:
        constant: 1/σ² of a Gaussian, 1/(3 s²) of a logistic distribution; None for a Bernoulli, p (1 − p).
    """

    def __init__(self, constant: float | None) -> None:
        self.constant = constant

    def __call__(self, output: Tensor) -> Tensor:
        """At decoder outputs, same shape."""
        if self.constant is not None:
            return torch.full_like(output, self.constant)
        p = output.sigmoid()
        return p * (1 - p)


def _measured(
    family: Family, decoder: Decoder, y: Tensor, precision: Precision | None, density: Density | None
) -> tuple[DecoderFacts | None, Array, Array | None]:
    """The decoder in the dimensions that are not collapsed; slopes and information of all of them."""
    jacobian = decoder.jacobian(y)
    slopes = jacobian.square().sum(1).mean(0).sqrt()
    fisher = None if precision is None else _fisher(jacobian, precision(decoder(y)))
    information = None if fisher is None else (0.5 * torch.log1p(fisher.diagonal().clamp(min=0))).numpy()
    lost = wang.collapsed(slopes.numpy(), information)
    kept = [k for k in range(y.shape[1]) if k not in lost]
    if not kept:
        return None, slopes.numpy(), information
    if lost:
        decoder, y = decoder.keeping(kept), y[:, kept]
        jacobian = decoder.jacobian(y)
        fisher = None if precision is None else _fisher(jacobian, precision(decoder(y)))
    return _decoder_facts(family, decoder, y, jacobian, fisher, precision, density), slopes.numpy(), information


def _fisher(jacobian: Tensor, precision: Tensor) -> Tensor:
    """Mean Fisher information of x about y, shape (d, d)."""
    return (jacobian.mT @ (precision.unsqueeze(2) * jacobian)).mean(0)


def _decoder_facts(  # noqa: PLR0917
    family: Family,
    decoder: Decoder,
    y: Tensor,
    jacobian: Tensor,
    fisher: Tensor | None,
    precision: Precision | None,
    density: Density | None,
) -> DecoderFacts:
    d, outputs = y.shape[1], jacobian.shape[1]
    values = torch.linalg.svdvals(jacobian)
    counted = (values > NEGLIGIBLE * values[:, 0].median()).sum(1)
    condition = values[:, 0] / values[:, d - 1] if outputs >= d else values.new_full((len(y),), math.inf)
    generator = torch.Generator().manual_seed(_SEED)
    curvature, pieces = _curvature(decoder, y, generator), _pieces(decoder, y, jacobian, generator)
    rank = int(counted.max())
    why = f"f is affine, of rank {d} of {d}" if pieces == 1 and rank == d else proof(family, decoder.kept)
    found = None if why is not None or rank < d or outputs < d else search(decoder, y)
    closest = None
    if found is not None and found.closest is not None and precision is not None and precision.constant is not None:
        closest = found.closest * math.sqrt(precision.constant)
    weight = None if found is None or density is None else posterior_share(decoder, found.pairs, density)
    shown = None
    if found is not None and len(found.pairs):
        shown = decoder.latents(found.pairs[0 if weight is None else int(weight.argmax())]).numpy()
    return DecoderFacts(
        dimensions=d,
        outputs=outputs,
        points=len(y),
        curvature=curvature,
        pieces=pieces,
        rank=rank,
        singular=float((counted < d).double().mean()),
        condition=float(condition.nan_to_num(posinf=math.inf).median()),
        targets=0 if found is None else found.targets,
        doubled=0 if found is None else int(found.doubled.sum()),
        weighty=None if found is None or weight is None else len(found.number[weight >= WEIGHTY].unique()),
        example=shown,
        closest=closest,
        proof=why,
        layers=layers_of(family),
        directions=None if fisher is None else (0.5 * torch.log1p(torch.linalg.eigvalsh(fisher).clamp(min=0))).numpy(),
    )


def posterior_share(decoder: Decoder, pairs: Tensor, density: Density) -> Tensor:
    """The part of the posterior at the lesser of two preimages of x, p(z)/√det JᵀJ of both compared, in [0, ½], shape (pairs,).

    Args:
        decoder: g.
        pairs: y and y′ with the same image, shape (pairs, 2, d).
        density: log p(z).
    """
    if not len(pairs):
        return pairs.new_zeros(0)
    y = pairs.flatten(0, 1)
    volume = torch.linalg.svdvals(decoder.jacobian(y)).log().sum(1)
    logits = (density(decoder.latents(y)) - volume).unflatten(0, (len(pairs), 2))
    lesser: Tensor = logits.softmax(1).amin(1).nan_to_num(0.5)
    return lesser


def log_prior(prior: PriorKind | None, facets: tuple[Components, ...], conditional: Components | None) -> Density | None:
    """Log p(z) of z, shape (batch, d), up to a constant; summed over the values of u; None where it is not known."""
    if prior == "gaussian":
        return lambda z: -0.5 * z.square().sum(1)
    if prior == "laplace":
        return lambda z: -z.abs().sum(1)
    mixtures = facets or (() if conditional is None else (conditional,))
    if not mixtures:
        return None

    def density(z: Tensor) -> Tensor:
        parts = z.split([mixture.mean.shape[1] for mixture in mixtures], 1)
        return torch.stack([_log_mixture(mixture, part) for mixture, part in zip(mixtures, parts, strict=True)]).sum(0)

    return density


def _log_mixture(mixture: Components, z: Tensor) -> Tensor:
    mean, log_var = torch.from_numpy(mixture.mean), torch.from_numpy(mixture.log_var)
    components = gaussian_log_density(z.unsqueeze(1), mean, log_var)
    return torch.logsumexp(components + torch.from_numpy(mixture.weight).log(), 1)


def _curvature(decoder: Decoder, y: Tensor, generator: torch.Generator) -> float:
    """The lower quartile of the second difference along short segments, as a part of the first: kinks seldom lie on one."""
    direction = torch.randn(y.shape, generator=generator, dtype=y.dtype)
    step = SEGMENT * direction / direction.norm(dim=1, keepdim=True)
    before, here, after = decoder(y - step), decoder(y), decoder(y + step)
    first = (after - before).norm(dim=1) / 2
    moved = first > 0
    if not moved.any():
        return 0.0
    return float(((after - 2 * here + before).norm(dim=1)[moved] / first[moved]).quantile(0.25))


def _pieces(decoder: Decoder, y: Tensor, jacobian: Tensor, generator: torch.Generator) -> int:
    """How many different Jacobians there are at the points and far beyond them."""
    far = FAR * torch.randn(y.shape, generator=generator, dtype=y.dtype)
    every = torch.cat([jacobian, decoder.jacobian(far)])
    scale = float(every.abs().max())
    if scale == 0 or float((every - every[0]).abs().max()) <= SAME * scale:
        return 1
    weights = torch.randn(jacobian.shape[1:], generator=generator, dtype=y.dtype)
    along = (jacobian * weights).sum((1, 2)).sort().values
    return max(2, 1 + int((along.diff() > SAME * scale).sum()))


def _components(mixture: Mixture, rows: int) -> Components:
    log_weights, (mean, log_var) = mixture
    return Components(_array(log_weights.exp()), _array(mean), _array(log_var), rows)


def _conditional(family: Family, u: Array | None, rows: int) -> Components | None:
    """P(z|u) at the values that u takes in the evaluation rows, or at all that the family has where it makes its own u."""
    priors = family.conditional_priors()
    if priors is None or (family.needs_u and u is None):
        return None
    mean, log_var = (_array(value) for value in Posterior(*priors))
    share = np.full(len(mean), 1 / len(mean)) if u is None or not family.needs_u else u.sum(axis=0, dtype=float) / len(u)
    seen = share > 0
    return Components(share[seen], mean[seen], log_var[seen], rows)


def _without(facets: tuple[Components, ...], lost: tuple[int, ...]) -> tuple[Components, ...]:
    """Mixtures in the dimensions that are left; one of which none is left is gone."""
    found, first = [], 0
    for facet in facets:
        left = _kept(facet, lost, first)
        first += facet.mean.shape[1]
        if left.mean.shape[1]:
            found.append(left)
    return tuple(found)


def _kept(mixture: Components, lost: tuple[int, ...], first: int) -> Components:
    kept = [k for k in range(mixture.mean.shape[1]) if first + k not in lost]
    return Components(mixture.weight, mixture.mean[:, kept], mixture.log_var[:, kept], mixture.rows)


def _array(values: Tensor) -> Array:
    return values.detach().double().numpy()
