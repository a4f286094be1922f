"""Where work runs: on this machine, on a Ray cluster, on SLURM. One small protocol, one file for each."""
