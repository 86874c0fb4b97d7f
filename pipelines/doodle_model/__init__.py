"""Make the embedded model, stage by stage."""
