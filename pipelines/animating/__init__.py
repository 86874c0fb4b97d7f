"""A run that animates a manifest: its settings, its plan, and what it would take."""
