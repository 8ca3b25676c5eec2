"""Models that are built in, and how a model specification becomes one."""
