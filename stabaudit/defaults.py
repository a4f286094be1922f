"""What a training, a comparison or a gate is where nothing else is asked for; commands, library and plans read it here.

Apart from `config`, which needs pydantic, so that `stabaudit --help` stays quick.
"""

from typing import Literal

Schedule = Literal["plateau", "cosine", "constant"]

DATASET = "digits"  # of the commands and the library; a plan names its own
ARCHITECTURE = "mlp"
LATENT_DIM = 10
MAX_RESTARTS = 40
MOST_RESTARTS = 8_000  # of a run; the manifest, of at most 16 MB, takes up to 2 kB of each
RESTARTS = 10
STEPS = 5_000
BATCH_SIZE = 64
LEARNING_RATE = 1e-3
SCHEDULE: Schedule = "plateau"

MEMORY = 10**9  # bytes that latents may take: ten restarts of 50 dimensions up to 250,000 rows
CANDIDATES = 32  # of a feature, of either dictionary, among which its match is looked for first
MANY_FEATURES = 2048  # dimensions of files from which on they are taken for dictionaries of features
MARGIN = 0.02  # loss of a score that a baseline allows
