"""Ray Train around the trainer."""
