"""Live-Sketch (Gal et al., 2023): the strokes of one drawing, moved by a text-to-video model."""
