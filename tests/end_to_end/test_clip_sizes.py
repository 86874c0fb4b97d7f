"""No clip is made that nobody could read: of rows or of whole jobs, before any work is done."""

import struct
import warnings
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flipsketch.animations.reader import RasterConfig
from flipsketch.corpus.manifest import summarize_manifest
from flipsketch.media.clip import (
    MAX_CLIP_PIXELS,
    check_pixels,
    decode_filmstrip,
    encode_filmstrip,
)
from flipsketch.models.tiny import write_tiny_model
from pipelines.animate import animate_manifest
from tests.helpers.corpora import good_rows, make_manifest, read_rows


def test_the_largest_clip_is_read_with_pillows_own_limits():
    side = 64
    num_frames = MAX_CLIP_PIXELS // side**2
    check_pixels(num_frames, side)
    with pytest.raises(ValueError, match="have more than the 89,000,000 pixels"):
        check_pixels(num_frames + 1, side)
    assert Image.MAX_IMAGE_PIXELS == 1024**3 // 4 // 3, "Pillow's own"
    strip = encode_filmstrip(np.zeros((num_frames, side, side, 3), np.uint8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode_filmstrip(strip, num_frames).shape == (num_frames, side, side, 3)


def test_a_larger_filmstrip_is_refused_in_a_sentence():
    strip = encode_filmstrip(np.zeros((1, 2, 2, 3), np.uint8))
    # The size stands in the first chunk, with a checksum behind it.
    chunk = b"IHDR" + struct.pack(">II", 1, 2 * Image.MAX_IMAGE_PIXELS + 1) + strip[24:29]
    png = strip[:12] + chunk + struct.pack(">I", zlib.crc32(chunk)) + strip[33:]
    with pytest.raises(ValueError, match="the filmstrip has more pixels than Pillow reads"):
        decode_filmstrip(png, 1)


def test_a_row_of_too_many_frames_is_a_bad_row(job, tmp_path, capsys):
    """At 128 pixels, 64 segments of 256 frames have 267 million."""
    rows = good_rows(2)
    del rows[1]["prompt"]
    rows[1] |= {"prompts": ["it moves"] * 64, "num_frames": 256}
    model = write_tiny_model(tmp_path / "model", size=128)
    job = replace(job, model=str(model), manifest=make_manifest(tmp_path, rows), max_failures="1")
    fingerprint = summarize_manifest(job.manifest).fingerprint
    assert animate_manifest(replace(job, dry_run=True)) == 0
    shown = capsys.readouterr().out
    assert "bad:    1 row " in shown and "row 2: 16,321 frames of 128 x 128 have more" in shown
    assert animate_manifest(job) == 0
    good, bad = read_rows(job.output)
    assert good["status"] == "ok" and bad["status"] == "failed"
    assert bad["error"].endswith(
        "(64 prompts of 256 frames): give fewer num_frames or fewer prompts"
    )
    # To try it again cannot help.
    assert bad["key"] is None
    assert summarize_manifest(job.manifest).fingerprint == fingerprint


def test_a_job_of_too_many_frames_is_refused_as_a_whole(job, tmp_path):
    model = write_tiny_model(tmp_path / "model", size=592)
    sampling = replace(job.sampling, num_frames=256)
    for dry_run in (True, False):
        with pytest.raises(ValueError, match="256 frames of 592 x 592 .* lower --num-frames"):
            animate_manifest(replace(job, model=str(model), sampling=sampling, dry_run=dry_run))
    assert not Path(job.output).exists()


def test_shards_of_too_many_pixels_are_refused_as_a_whole():
    with pytest.raises(ValueError, match="6 frames of 4096 x 4096 .* lower --num-frames or --size"):
        RasterConfig(size=4096, num_frames=6)
    RasterConfig(size=4096, num_frames=5)


def test_a_still_needs_no_model_to_run(job, capsys):
    assert animate_manifest(replace(job, method="still", dry_run=True)) == 0
    assert "guessed, as no model runs" in capsys.readouterr().out
