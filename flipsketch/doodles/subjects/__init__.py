"""What can be drawn: one file for each family of subjects."""
