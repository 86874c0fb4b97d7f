"""A clip and its codecs: filmstrip and frame PNGs, GIF, MP4."""

import io
import zlib
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from PIL import Image

MAX_FRAMES = 256
# Of all frames of a clip: Pillow warns of larger images as possible decompression bombs, and
# refuses those of twice as many. While it is made, a clip has 12 bytes for each, several times.
MAX_CLIP_PIXELS = 89_000_000

# Below this range of luma a frame shows nothing, and Otsu's method would make noise of it.
MIN_CONTRAST = 32


@dataclass(frozen=True)
class Clip:
    key: str
    """Name of the clip's sample in a tar: [A-Za-z0-9_-]{1,64}."""
    prompt: str
    frames: np.ndarray
    """uint8 (F, H, W, 3), the sketch first."""


def binarize_frames(frames: np.ndarray, threshold: int | None = None) -> np.ndarray:
    """Make black strokes on white of frames, same shape.

    Args:
        threshold: the lightest luma that is ink; by default each frame's own, by Otsu's method.
    """
    binary = np.full_like(frames, 255)
    for frame, out in zip(frames, binary, strict=True):
        luma = np.asarray(Image.fromarray(frame).convert("L"))
        if int(luma.max()) - int(luma.min()) >= MIN_CONTRAST:
            out[luma <= (otsu_threshold(luma) if threshold is None else threshold)] = 0
    return binary


def otsu_threshold(luma: np.ndarray) -> int:
    """Return the level t that best parts levels <= t from those above (Otsu, 1979)."""
    counts = np.bincount(luma.ravel(), minlength=256).astype(np.float64)
    weight = np.cumsum(counts)
    total, mass = weight[-1], np.cumsum(counts * np.arange(256))
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mass[-1] * weight - mass * total) ** 2 / (weight * (total - weight))
    return int(np.nanargmax(np.where(np.isfinite(between), between, np.nan)))


def check_pixels(num_frames: int, size: int) -> None:
    """Raise ValueError if a clip of frames of size x size has too many pixels to be read."""
    if num_frames * size**2 > MAX_CLIP_PIXELS:
        raise ValueError(
            f"{num_frames:,} frames of {size} x {size} have more than the {MAX_CLIP_PIXELS:,} "
            f"pixels that readers of images take"
        )


def encode_filmstrip(frames: np.ndarray) -> bytes:
    """Return one PNG of the frames stacked top to bottom, 8-bit grey unless there is colour.

    Options are pinned: the same frames give the same bytes. PNG's RLE strategy is twice as fast
    as the default on line drawings, and smaller.
    """
    strip = frames.reshape(-1, *frames.shape[2:])
    red, green, blue = (strip[..., channel] for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(green, blue):
        strip = red
    out = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(strip))
    image.save(out, "PNG", compress_level=6, compress_type=zlib.Z_RLE)
    return out.getvalue()


def decode_filmstrip(png: bytes, num_frames: int) -> np.ndarray:
    """Return the frames of a filmstrip, uint8 (F, H, W, 3).

    Raises:
        OSError, ValueError: it is no filmstrip of so many frames, or larger than Pillow reads.
    """
    try:
        strip = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"the filmstrip has more pixels than Pillow reads ({error}); raise "
            f"PIL.Image.MAX_IMAGE_PIXELS to read it all the same"
        ) from error
    if len(strip) % num_frames:
        raise ValueError(f"filmstrip of height {len(strip)} does not hold {num_frames} frames")
    return strip.reshape(num_frames, -1, *strip.shape[1:])


def encode_gif(frames: np.ndarray, frames_per_second: float = 10.0) -> bytes:
    """Return an endless GIF."""
    images = [Image.fromarray(frame) for frame in frames]
    out = io.BytesIO()
    images[0].save(
        out,
        "GIF",
        save_all=True,
        append_images=images[1:],
        duration=round(1000 / frames_per_second),
        loop=0,
        disposal=1,
    )
    return out.getvalue()


def encode_mp4(frames: np.ndarray, frames_per_second: float = 10.0) -> bytes:
    """Return a video (H.264, yuv420p) that browsers, phones and editors play.

    The same frames give the same bytes with the same PyAV.
    """
    import av

    # The colours of yuv420p are stored for blocks of 2 x 2 pixels.
    odd = [side % 2 for side in frames.shape[1:3]]
    frames = np.pad(frames, ((0, 0), (0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        rate = Fraction(frames_per_second).limit_denominator(1000)
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        # At this constant rate factor strokes show no blocks.
        stream.options = {"crf": "18", "preset": "slow"}
        # The number of threads changes the bytes.
        stream.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


def encode_frames(frames: np.ndarray) -> list[bytes]:
    """Return one PNG for each frame."""
    return [encode_filmstrip(frame[None]) for frame in frames]
