"""pythae's trainer on W1, in an environment of its own: `PYTHON pythae_rival.py IMAGES.npy`.

Answers every line it reads with the steps a second of so many batches, through pythae's own training step.
"""

import logging
import sys
import time

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from rivals import BATCH, mlp_vae

LATENT_DIM = 50
BATCHES = 150


class Encoder(BaseEncoder):
    def __init__(self):
        super().__init__()
        self.network = mlp_vae(LATENT_DIM).encoder

    def forward(self, x):
        mean, log_var = self.network(x).chunk(2, 1)
        return ModelOutput(embedding=mean, log_covariance=log_var)


class Decoder(BaseDecoder):
    def __init__(self):
        super().__init__()
        self.network = mlp_vae(LATENT_DIM).decoder

    def forward(self, z):
        return ModelOutput(reconstruction=torch.sigmoid(self.network(z)))


def main():
    logging.disable(logging.CRITICAL)
    images = torch.from_numpy(np.load(sys.argv[1]))[: BATCHES * BATCH]
    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=LATENT_DIM, reconstruction_loss="bce")
    trainer = BaseTrainer(
        VAE(config, Encoder(), Decoder()),
        train_dataset=BaseDataset(images, torch.zeros(len(images))),
        training_config=BaseTrainerConfig(per_device_train_batch_size=BATCH, learning_rate=1e-3, no_cuda=True),
    )
    trainer.prepare_training()
    for epoch, _ in enumerate(sys.stdin, start=1):
        start = time.perf_counter()
        trainer.train_step(epoch)
        print(BATCHES / (time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main()
