"""West wing: datasets, one small file each; `load(...)` returns a `Dataset`."""
