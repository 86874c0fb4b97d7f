"""Open one sketch as a run would, to find out whether it would be refused or repaired."""

import io
import re
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from flipsketch.corpus.row import Row
from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.media.config import SketchConfig
from flipsketch.media.raster import decode_raster
from flipsketch.media.sketch import SketchReading, is_svg, read_sketch
from flipsketch.report.checked_sketch import CheckedSketch
from flipsketch.storage.credentials import hide_credentials
from flipsketch.storage.sources import Sources, names_file
from flipsketch.storage.text import describe_error
from flipsketch.svg.reader import MIN_CONTRAST, read_svg
from pipelines.makers.row_settings import row_livesketch

# Of what a file shows, in pixels; sketches have the model's size.
ORIGINAL_SIZE = 192
# Larger files would make a page of hundreds too heavy to open.
MAX_SVG_BYTES = 100_000
HTML = re.compile(rb"<(!doctype\s+)?html\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class SketchOpener:
    """How a run reads its sketches; picklable, and light to import."""

    sources: Sources
    size: int
    config: SketchConfig
    darken: bool = False
    livesketch: LiveSketchConfig | None = None
    """Where that is the method, which needs strokes."""
    draws: bool = False
    """Return pictures as well."""

    def __call__(self, row: Row) -> CheckedSketch:
        found = unopened(row)
        content = None
        try:
            content = self.sources.read(row.sketch)
            reading = self.read(content, row)
            found = replace(found, notes=reading.notes)
            if self.draws:
                found = replace(found, picture=to_png(reading.pixels))
        # Decoders raise anything at all: a panic of Rust is no Exception.
        except BaseException as error:
            found = replace(found, error=describe_error(error).removeprefix(f"{found.name}: "))
        if row.error is not None:
            # Its sketch may be a good one nevertheless, and is shown.
            found = replace(found, error=row.error)
        if self.draws and content and found.kind != "clean":
            svg = content if is_shown_as_svg(content) else None
            original, is_light = draw_original(content)
            found = replace(found, original=original, svg=svg, is_light=is_light)
        return found

    def read(self, content: bytes, row: Row) -> SketchReading:
        if self.livesketch is None:
            return read_sketch(content, self.size, self.config, darken=self.darken)
        from flipsketch.livesketch.drawing import draw_strokes, read_drawing

        own = row_livesketch(row, self.livesketch)
        drawing, notes = read_drawing(content, self.config, trace=own.trace)
        return SketchReading(draw_strokes(drawing, drawing.points, self.size), notes)


def unopened(row: Row) -> CheckedSketch:
    """Return what is known of a row's sketch before it is opened."""
    source = hide_credentials(row.sketch) if names_file(row.sketch) else None
    return CheckedSketch(number=row.index + 1, id=row.id, source=source)


def is_shown_as_svg(content: bytes) -> bool:
    """Tell whether a browser would show a file as an SVG, on a page of hundreds."""
    is_html = HTML.search(content[:2000])
    return len(content) <= MAX_SVG_BYTES and b"<svg" in content and not is_html


def draw_original(content: bytes) -> tuple[bytes | None, bool]:
    """Return a PNG of what a file shows, whatever a run makes of it, None if there is no telling
    what that is; and whether it shows on a dark page alone, as white strokes on none do."""
    try:
        white, black = draw_on_pages(content)
    # As above.
    except BaseException:
        return None, False
    is_light = bool(np.ptp(white) < MIN_CONTRAST <= np.ptp(black))
    return to_png(black if is_light else white), is_light


def draw_on_pages(content: bytes) -> list[np.ndarray]:
    """Return what a file shows on a white page, and on a black one: uint8 (H, W, 3)."""
    if is_svg(content):
        drawing = read_svg(content, ORIGINAL_SIZE)
        return [drawing.draw(paper) for paper in (255, 0)]
    raster = decode_raster(content, rescale=False)
    pages = [raster.on(paper) for paper in (255, 0)]
    for page in pages:
        page.thumbnail((ORIGINAL_SIZE, ORIGINAL_SIZE))
    return [np.asarray(page) for page in pages]


def to_png(pixels: np.ndarray) -> bytes:
    """Return pixels (H, W, 3) as a PNG, of a grey picture with one channel; in a tenth of the time
    that `encode_png` takes for a tenth less."""
    is_grey = (pixels == pixels[..., :1]).all()
    out = io.BytesIO()
    Image.fromarray(pixels[..., 0] if is_grey else pixels).save(out, "PNG")
    return out.getvalue()
