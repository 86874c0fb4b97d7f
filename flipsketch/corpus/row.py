"""One row of a manifest, checked: a sketch, its prompts and its settings."""

import hashlib
import json
import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from flipsketch.media.clip import MAX_FRAMES
from flipsketch.storage.text import TEXT, describe_error, is_text

ROW_COLUMNS = ("id", "sketch", "sketch_bytes", "prompt", "prompts")
SCALE_COLUMNS = ("reference_scale", "sketch_in_noise")
SETTING_COLUMNS = ("seed", *SCALE_COLUMNS, "num_frames", "negative_prompt", "align")
KNOWN_COLUMNS = {*ROW_COLUMNS, *SETTING_COLUMNS}
NO_PROMPT = "a row needs either prompt or prompts (a list: a segment for each)"
EMPTY_PROMPT = "the prompt is empty; describe what happens in the clip"
MAX_SEED = 2**63 - 1
MAX_SCALE = 1000
MAX_SEGMENTS = 64


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a manifest. With `error` set the other fields hold what could be read."""

    index: int
    """Position in the manifest, from 0."""
    id: str = ""
    sketch: str | bytes = b""
    """Where the sketch lies (relative to the manifest), or the file's bytes."""
    prompts: tuple[str, ...] = ()
    seed: int = 0
    reference_scale: float | None = None
    sketch_in_noise: float | None = None
    num_frames: int | None = None
    negative_prompt: str | None = None
    align: bool | None = None
    license: str | None = None
    """Of the sketch; None where the row names none."""
    license_error: str | None = None
    """Why what the row has for it is none. Apart from `error`, which is part of the digest: to runs
    from before rows had licenses such a column is one of the manifest's own, of any type."""
    extra: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    digest: bytes = b""
    """Of the row as the manifest has it, where it was compared with the plan."""

    @property
    def key(self) -> str:
        """Name of the row's sample: 20 hex digits of SHA-256(id), wherever the row stands."""
        return hashlib.sha256(self.id.encode()).hexdigest()[:20]


def parse_row(index: int, fields: dict[str, Any]) -> Row:
    """Check one row's fields, whose values may be of any type."""
    read: dict[str, Any] = {
        "extra": {name: value for name, value in fields.items() if name not in KNOWN_COLUMNS}
    }
    try:
        read["license"] = parse_license(fields.get("license"))
    except ValueError as error:
        read["license_error"] = str(error)
    try:
        # One by one, so that a failed row still says what it could.
        read["id"] = parse_id(index, fields)
        read["seed"] = default_seed(read["id"])
        read["sketch"] = parse_sketch(fields)
        read["prompts"] = parse_prompts(fields)
        read |= parse_settings(fields)
    except ValueError as error:
        read["error"] = str(error)
    # Values are of any type and size, and what they raise must not cost other rows.
    except Exception as error:
        read["error"] = f"row {index + 1}: cannot be read ({describe_error(error)})"
    return Row(index=index, **read)


def parse_id(index: int, fields: dict[str, Any]) -> str:
    row_id = fields.get("id")
    if isinstance(row_id, int) and not isinstance(row_id, bool):
        row_id = str(row_id)
    if not (isinstance(row_id, str) and row_id and is_text(row_id)):
        raise ValueError(f"row {index + 1}: id must be {TEXT}, found {row_id!r:.80}")
    return row_id


def parse_prompts(fields: dict[str, Any]) -> tuple[str, ...]:
    prompt, prompts = fields.get("prompt"), fields.get("prompts")
    if (prompt is None) == (prompts is None):
        raise ValueError(NO_PROMPT)
    found = prompts if prompt is None else [prompt]
    if not isinstance(found, list) or not 1 <= len(found) <= MAX_SEGMENTS:
        raise ValueError(
            f"prompts must be a list of 1 to {MAX_SEGMENTS} strings, found {found!r:.80}"
        )
    for text in found:
        if isinstance(text, str) and not text.strip():
            raise ValueError(EMPTY_PROMPT)
        if not isinstance(text, str) or not is_text(text):
            raise ValueError(f"a prompt must be {TEXT}, found {text!r:.80}")
    return tuple(found)


def parse_sketch(fields: dict[str, Any]) -> str | bytes:
    sketch, sketch_bytes = fields.get("sketch"), fields.get("sketch_bytes")
    if isinstance(sketch_bytes, bytes) and sketch_bytes and sketch is None:
        return sketch_bytes
    if isinstance(sketch, str) and sketch and is_text(sketch) and sketch_bytes is None:
        return sketch
    raise ValueError(
        "a row needs either sketch (a path, or a URI of a filesystem that pyarrow opens, such as "
        "s3://) or, in Parquet, sketch_bytes (the file itself)"
    )


def parse_settings(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the row's own settings, numbers in CSV and those that pandas made floats included."""
    settings: dict[str, Any] = {}
    for name in SETTING_COLUMNS:
        value = fields.get(name)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        if name == "negative_prompt":
            valid = isinstance(value, str) and is_text(value)
        elif name == "align":
            value = {"true": True, "false": False, "1": True, "0": False}.get(str(value).lower())
            valid = value is not None
        else:
            value = parse_number(value)
            whole = isinstance(value, int)
            if name == "seed":
                valid = whole and 0 <= value <= MAX_SEED
            elif name == "num_frames":
                valid = whole and 2 <= value <= MAX_FRAMES
            else:
                # Of an int of any length, and false of NaN.
                valid = abs(value) <= MAX_SCALE
                value = float(value) if valid else value
        if not valid:
            must = {
                "seed": f"a whole number from 0 to {MAX_SEED}",
                "num_frames": f"a whole number from 2 to {MAX_FRAMES}",
                **dict.fromkeys(SCALE_COLUMNS, f"a number from -{MAX_SCALE} to {MAX_SCALE}"),
                "negative_prompt": "a string",
                "align": "true or false",
            }[name]
            raise ValueError(f"{name} must be {must}, found {fields[name]!r:.80}")
        settings[name] = value
    return settings


def parse_license(value: Any) -> str | None:
    """Return a row's license as one line; of a list of several, all of which hold, "a, b"."""
    # NaN is what a table of numbers has where nothing is.
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) and (not text or is_text(text)) for text in texts):
        raise ValueError(f"license must be text in UTF-8, or a list of such, found {value!r:.80}")
    return ", ".join(filter(None, (" ".join(text.split()) for text in texts))) or None


def parse_number(value: Any) -> int | float:
    """Return an int where the value is whole; NaN, which no setting accepts, if it is no number."""
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return math.nan
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def default_seed(row_id: str) -> int:
    """Return 63 bits of SHA-256(id), so that a row's clip does not depend on other rows."""
    return int.from_bytes(hashlib.sha256(row_id.encode()).digest()[:8], "big") >> 1


def id_hash(row_id: str) -> bytes:
    return hashlib.sha256(row_id.encode()).digest()[:16]


to_json = json.JSONEncoder(default=repr).encode  # made once: a manifest has a million rows


def name_digest(row: Row) -> bytes:
    """Return the digest of an animation's row, whose prompt may come later."""
    return hashlib.sha256(to_json([row.id, row.sketch]).encode()).digest()


def row_digest(row: Row) -> bytes:
    sketch = row.sketch if isinstance(row.sketch, str) else hashlib.sha256(row.sketch).hexdigest()
    fields = [row.id, sketch, row.prompts, row.seed, row.reference_scale, row.sketch_in_noise]
    fields += [row.num_frames, row.negative_prompt, row.align, sorted(row.extra.items()), row.error]
    return hashlib.sha256(to_json(fields).encode()).digest()
