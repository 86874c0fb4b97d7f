import io

import av
import numpy as np
import pytest
from PIL import Image

from flipsketch.media.clip import (
    binarize_frames,
    decode_filmstrip,
    encode_filmstrip,
    encode_frames,
    encode_gif,
    encode_mp4,
)


def random_frames(colour: bool = False) -> np.ndarray:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (3, 8, 6, 3), np.uint8)
    return frames if colour else np.repeat(frames[..., :1], 3, axis=-1)


@pytest.mark.parametrize("colour", [False, True])
def test_a_filmstrip_comes_back_and_is_grey_where_there_is_no_colour(colour):
    frames = random_frames(colour)
    png = encode_filmstrip(frames)
    np.testing.assert_array_equal(decode_filmstrip(png, 3), frames)
    strip = Image.open(io.BytesIO(png))
    assert strip.mode == ("RGB" if colour else "L")
    assert strip.size == (6, 3 * 8)
    if not colour:
        np.testing.assert_array_equal(np.asarray(strip).reshape(3, 8, 6), frames[..., 0])


def test_a_filmstrip_of_another_length_is_refused():
    with pytest.raises(ValueError, match="does not hold 5 frames"):
        decode_filmstrip(encode_filmstrip(random_frames()), 5)


def test_frames_and_gif_hold_every_frame():
    frames = binarize_frames(random_frames())
    for frame, png in zip(frames, encode_frames(frames), strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png)).convert("RGB")), frame)
    gif = Image.open(io.BytesIO(encode_gif(frames)))
    assert gif.n_frames == 3 and gif.info["loop"] == 0
    for number, frame in enumerate(frames):
        gif.seek(number)
        np.testing.assert_array_equal(np.asarray(gif.convert("RGB")), frame)


@pytest.mark.parametrize("size", [(64, 48), (63, 49)])
def test_a_video_shows_every_frame(size):
    frames = np.full((5, *size, 3), 255, np.uint8)
    for number, frame in enumerate(frames):
        frame[20:26, 6 * number : 6 * number + 12] = 0
    video = encode_mp4(frames, frames_per_second=12.5)
    assert encode_mp4(frames, frames_per_second=12.5) == video
    with av.open(io.BytesIO(video)) as container:
        (stream,) = container.streams
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.frames, stream.average_rate) == (5, 12.5)
        shown = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(stream)])
    # Sides of an odd number of pixels have one more.
    assert shown.shape[1:3] == (64, 48 if size[1] == 48 else 50)
    far = np.abs(shown[:, : size[0], : size[1]].astype(int) - frames)
    assert far.mean() < 1


def test_strokes_become_black_and_paper_white_whatever_the_greys():
    frame = np.full((16, 16, 3), 180, np.uint8)
    frame[4:6] = 90
    (binary,) = binarize_frames(frame[None])
    assert (binary[4:6] == 0).all()
    assert (np.delete(binary, [4, 5], axis=0) == 255).all()


def test_a_threshold_may_be_the_same_for_all_frames():
    frames = np.full((2, 16, 16, 3), 180, np.uint8)
    frames[:, 4:6], frames[1, 8:10] = 90, 100
    for threshold, rows in ((95, [4, 5]), (100, [4, 5, 8, 9])):
        binary = binarize_frames(frames, threshold)
        assert (binary[1, rows] == 0).all() and (np.delete(binary[1], rows, axis=0) == 255).all()
    # As Otsu's, it makes nothing of a frame without contrast.
    assert (binarize_frames(np.full((1, 16, 16, 3), 80, np.uint8), 128) == 255).all()


def test_a_nearly_constant_frame_becomes_white():
    frame = np.random.default_rng(0).integers(120, 130, (1, 16, 16, 3), np.uint8)
    assert (binarize_frames(frame) == 255).all()
