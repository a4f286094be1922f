"""What identifiability theorems promise of a model, from numbers measured of it, and whether a run keeps it; needs no torch."""
