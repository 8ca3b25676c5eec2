"""The same commands over many inputs: shards, processes of one machine, and Slurm job arrays."""
