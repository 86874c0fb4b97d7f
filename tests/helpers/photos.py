"""Photos of drawings, as people take them: on paper of any colour, in a shadow, in pencil, chalk on
a blackboard, with a sensor's noise, as JPEG."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

Colour = tuple[int, int, int]

PAPERS: dict[str, Colour] = {
    "white": (255, 255, 255),
    "grey": (205, 205, 205),
    "yellow": (250, 240, 190),
    "brown": (196, 164, 120),
    "blue": (190, 210, 235),
    "pink": (245, 205, 210),
}
BLACK: Colour = (10, 10, 12)


@dataclass(frozen=True)
class Photo:
    paper: Colour = PAPERS["white"]
    pen: Colour = BLACK
    shadow: float = 0.0
    """What the darkest edge of the page lacks of the light of the lightest."""
    soft_edge: bool = False
    """The shadow begins within the page."""
    noise: float = 0.0
    """Deviation of the sensor's noise, in levels of 255."""
    jpeg: int | None = None
    """Quality."""

    def take(self, sketch: np.ndarray, seed: int) -> bytes:
        """Return the file of a photo of a sketch that is black on white."""
        random = np.random.default_rng(seed)
        ink = 1 - sketch.mean(axis=-1, keepdims=True) / 255
        pixels = np.array(self.paper) * (1 - ink) + np.array(self.pen) * ink
        pixels *= 1 - self.shadow * self.shade(len(sketch), random.uniform(0, 2 * np.pi))
        pixels += random.normal(0, self.noise, pixels.shape)
        image = Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))
        content = io.BytesIO()
        if self.jpeg is None:
            image.save(content, "PNG")
        else:
            image.save(content, "JPEG", quality=self.jpeg)
        return content.getvalue()

    def shade(self, side: int, angle: float) -> np.ndarray:
        y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
        along = x * np.cos(angle) + y * np.sin(angle)
        shade = 1 / (1 + np.exp(-6 * along)) if self.soft_edge else (along / 2.4 + 0.5).clip(0, 1)
        return shade[..., None]


def shadowed(paper: Colour, **options) -> Photo:
    return Photo(paper, **{"shadow": 0.4, "noise": 4, "jpeg": 85} | options)


PHOTOS = {
    **{f"{name} paper": Photo(paper) for name, paper in PAPERS.items()},
    **{f"{name} paper in a shadow": shadowed(paper) for name, paper in PAPERS.items()},
    "a deep shadow": Photo(shadow=0.6),
    "a shadow with an edge": shadowed(PAPERS["yellow"], shadow=0.5, soft_edge=True),
    "noise": Photo(PAPERS["grey"], noise=15, jpeg=80),
    "a poor JPEG": Photo(PAPERS["yellow"], jpeg=30),
    "white on black": Photo((0, 0, 0), (255, 255, 255)),
    "white on black, as JPEG": Photo((0, 0, 0), (255, 255, 255), jpeg=80),
    "chalk": Photo((40, 80, 60), (220, 225, 215), noise=6, jpeg=85),
    "chalk in a shadow": shadowed((40, 44, 42), pen=(235, 235, 230)),
    "yellow on navy": Photo((20, 30, 80), (255, 220, 120)),
    "pencil": Photo((250, 250, 250), (225, 225, 225)),
    "pencil on white": Photo(pen=(170, 170, 170)),
    "pencil with noise": Photo((245, 245, 245), (210, 210, 212), noise=3, jpeg=90),
    "pencil in a shadow": shadowed((250, 240, 190), pen=(180, 172, 140)),
    "blue pen": shadowed(PAPERS["yellow"], pen=(30, 40, 160)),
    "red pen": shadowed(PAPERS["grey"], pen=(190, 30, 40)),
}
