"""Reading checkpoints safely."""
