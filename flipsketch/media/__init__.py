"""A sketch, a clip, and how they are encoded."""
