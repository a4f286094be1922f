"""Training steps operation by operation, for a loss that cannot be traced; and why it cannot.

Tracing (see `graph`) runs a loss once and keeps the operations: it needs a loss that does the same operations at every step. One
that looks at values (`.item()`, `if loss > 3`), counts its calls, draws random numbers by itself (`nn.Dropout`, `torch.randn`) or
has derivatives of its own cannot be kept. It trains all the same, one restart at a time: torch's global generator is seeded from
the restart's own before every step, so that the restart still depends on its seed alone.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.func import functional_call
from torch.fx import GraphModule

from stabaudit.errors import UsageError
from stabaudit.families.base import Batch, Family
from stabaudit.training.step.noise import Fresh
from stabaudit.training.step.trace import Inputs, Tensors, Update

_SEEDS = 2**62


class EagerStep:
    """A training step of a lone restart, run as the family is written.

    Args:
        family: any instance of the family; its own parameters are not used.
        terms: names of the loss terms in the order of the result.
        parameters: by name; updated.
        buffers: by name; changed as the loss changes them.
        generator: of the restart, from which all chance comes.
        update: updates the parameters of given numbers from their gradients.
    """

    def __init__(  # noqa: PLR0917
        self,
        family: Family,
        terms: Sequence[str],
        parameters: Tensors,
        buffers: Tensors,
        generator: torch.Generator,
        update: Update,
    ) -> None:
        self._family = family
        self._terms = tuple(terms)
        self._parameters = parameters
        self._buffers = buffers
        self._generator = generator
        self._update = update

    def __call__(self, inputs: Inputs) -> Tensor:
        """Do the step; the loss terms, shape (terms,)."""
        self._family.train()
        with torch.inference_mode(mode=False), torch.enable_grad(), seeded_by(self._generator):
            leaves = {name: value.detach().requires_grad_() for name, value in self._parameters.items()}
            # Tensors made in inference mode cannot be saved for the gradient; copies can.
            batch = Batch(inputs.x.clone(), inputs.u.clone(), Fresh(self._generator), inputs.progress.clone())
            values = functional_call(self._family, (leaves, self._buffers), (batch,))
            gradients = torch.autograd.grad(values["loss"], list(leaves.values()), allow_unused=True)
            found = torch.stack([torch.as_tensor(values[name]).detach().to(values["loss"]) for name in self._terms])
        filled = [
            torch.zeros_like(leaf) if gradient is None else gradient
            for leaf, gradient in zip(leaves.values(), gradients, strict=True)
        ]
        self._update(range(len(filled)), filled)
        return found


@contextmanager
def seeded_by(generator: torch.Generator) -> Iterator[None]:
    """Let what is drawn from torch's global generator inside come from this one."""
    seed = int(torch.randint(_SEEDS, (), generator=generator, device=generator.device))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def why_not(trace: Callable[[], GraphModule]) -> str | None:
    """Why a step cannot be traced, in one line; None where it can.

    Args:
        trace: traces it from the same arguments; called twice, for a loss that counts its calls gives two graphs.
    """
    try:
        first, second = trace(), trace()
    except UsageError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 -- tracing runs the user's code under transforms that can make it raise anything
        text = next((line for line in str(error).splitlines() if line.strip()), "")
        if "aten._local_scalar_dense" in text:
            return "its loss looks at values, as .item() does"
        return f"{type(error).__name__}: {text.strip()[:160]}"
    if first.code != second.code or not _same_constants(first, second):
        return "its loss changes from call to call; what should change with time can look at batch.progress"
    return None


def _same_constants(first: GraphModule, second: GraphModule) -> bool:
    """Whether two graphs hold equal tensors beside their operations."""
    pairs = [
        (getattr(first, str(one.target)), getattr(second, str(other.target)))
        for one, other in zip(first.graph.find_nodes(op="get_attr"), second.graph.find_nodes(op="get_attr"), strict=True)
    ]
    return all(torch.equal(a, b) for a, b in pairs)
