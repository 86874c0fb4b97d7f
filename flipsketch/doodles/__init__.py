"""Animated drawings of our own: subjects, their motions, and the prompts that describe them."""
