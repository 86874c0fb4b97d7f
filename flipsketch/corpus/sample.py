"""A sample: one clip in a tar, complete in itself: the sketch, the prompt, the frames, and what
else is known of them."""

import base64
import hashlib
import io
import json
import math
import tarfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from flipsketch.media.clip import Clip, encode_filmstrip


@dataclass(frozen=True)
class Sample:
    """One record of a tar, as bytes."""

    key: str
    png: bytes
    """The frames as a filmstrip."""
    txt: bytes
    """The prompt."""
    json: bytes
    sketch: bytes | None
    """A PNG; None in corpora of format 3 and earlier."""
    svg: bytes | None = None
    """The frames as one animated SVG, of a method that moves the strokes themselves."""

    def members(self) -> dict[str, bytes]:
        """Return what the sample's files hold, by their endings."""
        files = {"json": self.json, "png": self.png, "txt": self.txt}
        more = {"sketch.png": self.sketch, "svg": self.svg}
        return files | {name: content for name, content in more.items() if content is not None}


def encode_sample(
    clip: Clip,
    sketch: np.ndarray,
    record: dict[str, Any],
    schema: pa.Schema,
    svg: bytes | None = None,
) -> Sample:
    """Return a clip as a sample.

    Args:
        sketch: as the method saw it, uint8 (H, W, 3).
        record: the clip's row of the metadata.
        schema: the columns that go into the sample's JSON as well: in every sample of a corpus the
            same, and no time, host or attempt, so that bytes are reproducible. They stand there
            side by side, the manifest's own among them, under the names that they have in the
            metadata: planning has seen to it that no two are alike.
        svg: the frames as one file, of a method that moves strokes.
    """
    about = {field.name: to_json_value(record[field.name], field.type) for field in schema}
    return Sample(
        key=clip.key,
        png=encode_filmstrip(clip.frames),
        txt=clip.prompt.encode(),
        json=json.dumps(about, sort_keys=True).encode(),
        sketch=encode_filmstrip(sketch[None]),
        svg=svg,
    )


def decode_members(key: str, files: dict[str, bytes]) -> Sample:
    more = (files.get(name) for name in ("sketch.png", "svg"))
    return Sample(key, files["png"], files["txt"], files["json"], *more)


def pack_samples(samples: list[Sample]) -> bytes:
    """Return the tar of some samples, in their order; the same samples give the same bytes."""
    # Imported late: it imports torch, which those who only read samples can do without.
    from webdataset import TarWriter

    out = io.BytesIO()
    # Not in a `with`: leaving one on an exception would end half a tar as a whole one.
    writer = TarWriter(out, encoder=False, user="", group="", mode=0o444, mtime=0)
    for sample in samples:
        writer.write({"__key__": sample.key, **sample.members()})
    writer.close()
    return out.getvalue()


def locate_samples(tar: bytes) -> dict[str, tuple[int, int]]:
    """Return offset and length of each sample in a tar, by key."""
    places: dict[str, tuple[int, int]] = {}
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
        for member in archive:
            key = split_name(member.name)[0]
            first, _ = places.get(key, (member.offset, 0))
            blocks = -(-member.size // tarfile.BLOCKSIZE)
            places[key] = (first, member.offset_data + blocks * tarfile.BLOCKSIZE - first)
    return places


def unpack_sample(key: str, content: bytes) -> Sample:
    """Return a sample from its stretch of a tar."""
    files = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
        for member in tar:
            stream = tar.extractfile(member)
            assert stream is not None, "samples hold plain files alone"
            files[split_name(member.name)[1]] = stream.read()
    return decode_members(key, files)


def unpack_whole_sample(
    key: str, content: bytes, tar: str, svg_sha256: str | None = None
) -> Sample:
    """Return a sample from its stretch of a tar; raise ValueError, naming the tar, if bytes of it
    are missing or are others than were written.

    Args:
        svg_sha256: of its SVG, where the metadata say it. A picture has checksums of its own.
    """
    try:
        sample = unpack_sample(key, content)
        if svg_sha256 and hashlib.sha256(sample.svg or b"").hexdigest() != svg_sha256:
            raise tarfile.TarError(f"{key}.svg is not as it was written")
        return sample
    except (tarfile.TarError, KeyError) as error:
        raise ValueError(
            f"{tar}: the sample {key} is damaged ({error or 'a file is missing'}); "
            f"`jobs/status.py --verify` lists what else is; delete the tar, and rerun the command "
            f"that made it"
        ) from error


def split_name(name: str) -> tuple[str, str]:
    """Return the key and the ending of a file's name; keys have no dots, endings may."""
    key, _, ending = name.partition(".")
    return key, ending


def json_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that a column has in a sample's JSON: what JSON has no form for is text."""
    if pa.types.is_boolean(kind) or kind == pa.uint64():
        return kind
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(json_type(kind.value_type))
    if pa.types.is_struct(kind) and kind.num_fields:
        return pa.struct([(field.name, json_type(field.type)) for field in kind])
    return pa.string()


def to_json_value(value: Any, kind: pa.DataType) -> Any:
    """Return a column's value as `json_type` has it; a number that is not finite is null."""
    kind = json_type(kind)
    if value is None:
        return None
    if pa.types.is_list(kind):
        return [to_json_value(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind):
        return {field.name: to_json_value(value.get(field.name), field.type) for field in kind}
    if pa.types.is_floating(kind):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value) if kind == pa.string() else value
