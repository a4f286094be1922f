"""West wing: encoder and decoder networks, one small file each."""
