"""Steps on a GPU as one launch: kernels are recorded once and replayed (CUDA graphs, NVIDIA CUDA Programming Guide, §4.2).

A step of a small network is hundreds of kernels of a few microseconds, and to launch one from Python takes longer than to run it.
A graph reads its inputs from the places that it was recorded with, so each step's are copied there first. The first steps run
kernel by kernel, as libraries choose their kernels and take their memory in them; all of them are steps of the training.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from stabaudit.training.step.trace import Inputs

KERNEL_BY_KERNEL = 3  # steps before one is recorded
RECORDINGS = 2  # at most: in an aggressive phase steps of two kinds take turns


class Replayed:
    """A step that is recorded on the GPU and replayed from then on, and recorded anew where it has changed.

    Args:
        step: from inputs on the GPU to loss terms; it updates what it trains in place.
        version: what the kernels depend on besides their inputs, hashable; one that is not known makes a new recording.
    """

    def __init__(self, step: Callable[[Inputs], Tensor], version: Callable[[], object]) -> None:
        self._step, self._version = step, version
        self._before = KERNEL_BY_KERNEL
        self._recorded: dict[object, tuple[torch.cuda.CUDAGraph, list[Tensor], Tensor]] = {}

    def __call__(self, inputs: Inputs) -> Tensor:
        """Do the step; the loss terms, which the next step overwrites."""
        if self._before:
            self._before -= 1
            return self._step(inputs)
        version = self._version()
        if version not in self._recorded:
            if len(self._recorded) == RECORDINGS:
                del self._recorded[next(iter(self._recorded))]
            self._recorded[version] = self._record(inputs)
        graph, places, terms = self._recorded[version]
        for place, given in zip(places, inputs.flat(), strict=True):
            if place is not given:
                place.copy_(given)
        graph.replay()
        return terms

    def _record(self, inputs: Inputs) -> tuple[torch.cuda.CUDAGraph, list[Tensor], Tensor]:
        """Record a step without doing it."""
        x, u, noise, progress = (inputs.x.clone(), inputs.u.clone(), [one.clone() for one in inputs.noise], inputs.progress)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            terms = self._step(Inputs(x, u, noise, progress))
        return graph, [x, u, *noise, progress], terms
