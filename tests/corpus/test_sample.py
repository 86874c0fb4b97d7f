"""A sample is complete in itself, and what JSON has no form for is text of one type."""

import datetime
import decimal
import io
import json
import tarfile

import numpy as np
import pyarrow as pa
import pytest

from flipsketch.corpus.sample import (
    encode_sample,
    json_type,
    locate_samples,
    pack_samples,
    unpack_sample,
    unpack_whole_sample,
)
from flipsketch.media.clip import Clip, decode_filmstrip

COLUMNS: dict[str, tuple[pa.DataType, object, pa.DataType, object]] = {
    "flag": (pa.bool_(), True, pa.bool_(), True),
    "count": (pa.int8(), 3, pa.int64(), 3),
    "large": (pa.uint64(), 2**64 - 1, pa.uint64(), 2**64 - 1),
    "share": (pa.float32(), 0.5, pa.float64(), 0.5),
    "not_finite": (pa.float64(), float("nan"), pa.float64(), None),
    "unknown": (pa.string(), None, pa.string(), None),
    "nothing": (pa.null(), None, pa.string(), None),
    "box": (pa.list_(pa.int16()), [1, None], pa.list_(pa.int64()), [1, None]),
    "place": (
        pa.struct([("x", pa.float32()), ("day", pa.date32())]),
        {"x": 0.25, "day": datetime.date(2025, 1, 2)},
        pa.struct([("x", pa.float64()), ("day", pa.string())]),
        {"x": 0.25, "day": "2025-01-02"},
    ),
    "when": (
        pa.timestamp("us"),
        datetime.datetime(2025, 1, 2, 3),
        pa.string(),
        "2025-01-02 03:00:00",
    ),
    "price": (pa.decimal128(5, 2), decimal.Decimal("1.50"), pa.string(), "1.50"),
    "raw": (pa.binary(), b"\x00\xff", pa.string(), "AP8="),
}


def make_samples(count: int):
    frames = np.random.default_rng(0).integers(0, 256, (count, 3, 8, 8, 3), np.uint8)
    return frames, [
        encode_sample(Clip(f"key-{number}", f"way {number}", own), 255 - own[0], {}, pa.schema([]))
        for number, own in enumerate(frames)
    ]


def test_a_sample_has_the_sketch_the_prompt_and_the_frames():
    frames, samples = make_samples(3)
    tar = pack_samples(samples)
    places = locate_samples(tar)
    assert list(places) == ["key-0", "key-1", "key-2"]
    for number, (key, (offset, length)) in enumerate(places.items()):
        sample = unpack_sample(key, tar[offset : offset + length])
        assert sample == samples[number] and sample.txt.decode() == f"way {number}"
        np.testing.assert_array_equal(decode_filmstrip(sample.png, 3), frames[number])
        np.testing.assert_array_equal(
            decode_filmstrip(sample.sketch, 1)[0], 255 - frames[number, 0]
        )


def test_places_meet_without_a_gap():
    _, samples = make_samples(3)
    tar = pack_samples(samples)
    ends = [0]
    for offset, length in locate_samples(tar).values():
        assert offset == ends[-1]
        ends.append(offset + length)
    assert tar[ends[-1] :].strip(b"\0") == b""


def test_only_a_clip_of_strokes_has_an_svg():
    frames, (plain,) = make_samples(1)
    drawn = encode_sample(Clip("key", "a way", frames[0]), frames[0, 0], {}, pa.schema([]), b"<svg")
    tar = pack_samples([plain, drawn])
    with tarfile.open(fileobj=io.BytesIO(tar)) as members:
        endings = [name.partition(".")[2] for name in members.getnames()]
    assert endings == [
        "json",
        "png",
        "sketch.png",
        "txt",
        *("json", "png", "sketch.png", "svg", "txt"),
    ]
    for sample, (key, (offset, length)) in zip(
        (plain, drawn), locate_samples(tar).items(), strict=True
    ):
        assert unpack_sample(key, tar[offset : offset + length]) == sample


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_typed_in_json(name):
    kind, value, expected_kind, expected = COLUMNS[name]
    schema = pa.schema([(name, kind)])
    frames = np.zeros((1, 8, 8, 3), np.uint8)
    sample = encode_sample(Clip("key", "", frames), frames[0], {name: value}, schema)
    assert json.loads(sample.json) == {name: expected}
    assert json_type(kind) == expected_kind
    pa.array([expected], expected_kind)


def test_a_sample_of_format_3_has_no_sketch():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for ending in ("json", "png", "txt"):
            member = tarfile.TarInfo(f"key.{ending}")
            member.size = len(ending)
            tar.addfile(member, io.BytesIO(ending.encode()))
    sample = unpack_sample("key", out.getvalue())
    assert (sample.json, sample.png, sample.txt, sample.sketch) == (b"json", b"png", b"txt", None)


@pytest.mark.parametrize("length", [0, 100, 1024])
def test_a_sample_that_is_cut_short_is_named_with_its_tar(length):
    _, samples = make_samples(1)
    tar = pack_samples(samples)
    whole = unpack_whole_sample(samples[0].key, tar, "clips/00000.tar")
    assert whole == unpack_sample(samples[0].key, tar)
    with pytest.raises(
        ValueError, match=f"clips/00000.tar: the sample {samples[0].key} is damaged"
    ):
        unpack_whole_sample(samples[0].key, tar[:length], "clips/00000.tar")
