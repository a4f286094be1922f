"""West wing: the restart axis, the training loop and the workers that run it."""
