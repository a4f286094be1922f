"""LIDSVAE: a sequential VAE whose words depend injectively on z, so that it cannot collapse (Wang et al. 2021, Example 2).

    p(x_i | x_{<i}, z) = Categorical(softmax([g₂(βᵀ g₁([z, f(x_{<i})])), 0]))

with gradients g of input-convex networks (see `nets.convex`), the embedding βᵀ of R^{d+H} into R^{K−1}, and f the layers of an
LSTM over the words before, which do not see z. Logits that differ by a constant are the same distribution; so the last of the K
outcomes has logit 0, and the other K − 1 are natural parameters that identify it, as the theorem needs. Objective: that of SVAE.
"""

from stabaudit.config import PositiveFloat
from stabaudit.errors import UsageError
from stabaudit.families.annealing import Share
from stabaudit.families.base import Problem
from stabaudit.families.posteriors import PosteriorKind
from stabaudit.families.svae import SVAE
from stabaudit.nets import lstm
from stabaudit.nets.convex import Widths
from stabaudit.nets.injective_sequence import InjectiveSequenceDecoder


class LIDSVAE(SVAE):
    """Latent-identifiable sequential variational autoencoder.

    Args:
        problem: what it is built for; x must be documents.
        convex_widths: hidden sizes of both input-convex networks.
        alpha: smallest slope of both.
        beta: weight of the divergence.
        annealing: share of the training over which the weight rises to `beta`; 0: none.
        posterior: "gaussian" (diagonal), "full" (covariance) or "realnvp".

    Raises:
        UsageError: a vocabulary that is too small for z and the history.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        convex_widths: Widths = (64, 64),
        alpha: PositiveFloat = 0.1,
        beta: PositiveFloat = 1.0,
        annealing: Share = 0.0,
        posterior: PosteriorKind = "gaussian",
    ) -> None:
        super().__init__(problem, beta=beta, annealing=annealing, posterior=posterior)
        if not isinstance(self.decoder, lstm.Decoder):
            raise UsageError("family 'lidsvae' takes the layers of its history from the architecture 'lstm': --arch lstm")
        self.decoder = InjectiveSequenceDecoder(self.decoder.history.alone(), problem.latent_dim, convex_widths, alpha)
