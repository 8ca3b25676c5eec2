"""Monitors as callbacks of trainers; each needs its trainer's package, an extra of icc-cli."""
