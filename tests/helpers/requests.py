"""Clips to ask for, small enough to be made in a moment."""

from dataclasses import replace

import numpy as np

from flipsketch.method.config import SamplingConfig
from flipsketch.method.request import ClipRequest

SHORT = SamplingConfig(num_frames=4, num_inference_steps=3)


def draw_sketches(count: int, size: int = 16) -> list[np.ndarray]:
    """Boxes of different heights: crude, but no two alike."""
    sketches = []
    for number in range(count):
        sketch = np.full((size, size, 3), 255, np.uint8)
        sketch[2 : 4 + number, 3] = sketch[2 : 4 + number, -4] = 0
        sketch[2, 3:-4] = 0
        sketches.append(sketch)
    return sketches


def request_clip(sketch, prompt="a cat", *, seed=1, **changes) -> ClipRequest:
    return ClipRequest(sketch, (prompt,), seed, replace(SHORT, **changes))
