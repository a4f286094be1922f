"""Where the parameters of restarts lie in memory: one flat buffer, which an optimiser call updates as a whole."""

from collections.abc import Mapping

import torch
from torch import Tensor

from stabaudit.training.step.trace import Tensors

ALIGNMENT = 16  # float32 numbers in a cache line: no two weights share one
IMAGE_WEIGHT = 4  # dimensions of a convolution's weight: out, in, height, width


class ParameterLayout:
    """Where the parameters of R restarts lie in one flat buffer: all restarts of one parameter beside each other.

    Weights of convolutions of a lone restart lie channels last, which is what makes their layers run so.
    """

    def __init__(self, tensors: Mapping[str, Tensor], restarts: int) -> None:
        self.restarts = restarts
        self.shapes = {name: tensor.shape for name, tensor in tensors.items()}
        self.offsets: dict[str, int] = {}
        self.size = 0
        for name, shape in self.shapes.items():
            self.offsets[name] = self.size
            self.size += -(-restarts * shape.numel() // ALIGNMENT) * ALIGNMENT

    def views(self, flat: Tensor) -> Tensors:
        """Views of a buffer of shape (size,): a tensor of shape (R, *shape) per name."""
        return {name: self._view(flat[start:], self.shapes[name]) for name, start in self.offsets.items()}

    def _view(self, flat: Tensor, shape: torch.Size) -> Tensor:
        block = flat[: self.restarts * shape.numel()]
        if self.restarts == 1 and len(shape) == IMAGE_WEIGHT:
            out, into, height, width = shape
            return block.view(1, out, height, width, into).permute(0, 1, 4, 2, 3)
        return block.view(self.restarts, *shape)
