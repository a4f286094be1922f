"""West wing: model families, one file each: a prior and an objective."""
