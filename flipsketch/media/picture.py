"""A sketch's file, opened: what it shows on a page of any level, as large as is asked for."""

from abc import ABC, abstractmethod

import numpy as np
from PIL import Image

from flipsketch.media.config import SketchConfig
from flipsketch.media.paper import is_clean, is_surely_clean
from flipsketch.media.raster import Raster
from flipsketch.svg.reader import SvgDrawing, read_svg


class Picture(ABC):
    notes: tuple[str, ...]

    @abstractmethod
    def draw(self, paper: int = 255) -> Image.Image:
        """Return what the file shows on a page of this level, as RGB: of a raster every pixel, of
        an SVG what it draws at the size that it was opened for."""

    @abstractmethod
    def enlarge(self, side: int, paper: int = 255) -> Image.Image:
        """Return the same with a longer side of about so many pixels: of a raster no more than it
        has, and at least half as many."""

    def is_clean(self) -> bool:
        return is_clean(self.draw())


class RasterPicture(Picture):
    def __init__(self, raster: Raster) -> None:
        self.raster = raster
        self.notes = raster.notes

    def draw(self, paper: int = 255) -> Image.Image:
        return self.raster.on(paper)

    def enlarge(self, side: int, paper: int = 255) -> Image.Image:
        image = self.draw(paper)
        return image.reduce(max(1, -(-max(image.size) // side)))


class SvgPicture(Picture):
    def __init__(self, svg: bytes, size: int) -> None:
        self.svg = svg
        self.drawing: SvgDrawing = read_svg(svg, size)
        self.notes = self.drawing.notes
        self.pixels = self.drawing.draw()

    def draw(self, paper: int = 255) -> Image.Image:
        return Image.fromarray(self.pixels if paper == 255 else self.drawing.draw(paper))

    def enlarge(self, side: int, paper: int = 255) -> Image.Image:
        return Image.fromarray(read_svg(self.svg, side).draw(paper))

    def draw_lines(self, paper: int = 255) -> Image.Image:
        """Return the drawing with all strokes a pixel wide."""
        return Image.fromarray(self.drawing.draw(paper, line_width=1.0))

    def is_ready(self, config: SketchConfig) -> bool:
        """Tell whether the pixels stay as they are."""
        return config.paper == "as-is" or self.is_clean()

    def is_clean(self) -> bool:
        return is_surely_clean(self.pixels) or super().is_clean()


def fit_to(image: Image.Image, size: int) -> np.ndarray:
    """Return an image's pixels (h, w, 3), its longer side `size`."""
    if max(image.size) == size:
        return np.asarray(image)
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))
