"""Adapting a video model to clips of sketches."""
