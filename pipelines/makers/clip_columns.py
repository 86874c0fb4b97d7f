"""The columns of a corpus of clips."""

import types
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, get_args, get_type_hints

import pyarrow as pa

from flipsketch.corpus import notes
from flipsketch.corpus.passport import LICENSE, ROW_LICENSES
from flipsketch.corpus.shard import ROW_SCHEMA
from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.method.methods import METHODS
from flipsketch.scoring.scores import PIXEL_COLUMNS

SETTINGS_SCHEMA = pa.schema(
    [
        ("num_inference_steps", pa.int32()),
        ("guidance_scale", pa.float64()),
        ("negative_prompt", pa.string()),
        ("reference_scale", pa.float64()),
        ("align_steps", pa.int32()),
        ("compose_steps", pa.int32()),
        ("compose_spatial", pa.bool_()),
        ("compose_temporal", pa.bool_()),
        ("hold_sketch", pa.bool_()),
        ("sketch_in_noise", pa.float64()),
        ("darken_sketch", pa.bool_()),
        ("sketch_range", pa.string()),
        ("binarize", pa.bool_()),
        ("ink_threshold", pa.int16()),
        ("method", pa.string()),
        ("dtype", pa.string()),
        ("model_fingerprint", pa.string()),
        ("model_licence", pa.string()),
        ("lora_fingerprint", pa.string()),
    ]
)

# Runs whose plans lack one keep to the columns that they began with.
LATER_SCHEMA = pa.schema(
    [
        ("solver", pa.string()),
        ("guidance_start", pa.float64()),
        ("guidance_stop", pa.float64()),
        ("align_updates", pa.int32()),
        ("cache_interval", pa.int32()),
        ("paper", pa.string()),
        ("fit", pa.string()),
        ("compose_motion_attn2", pa.bool_()),
        ("lora_license", pa.string()),
        ("motion_license", pa.string()),
        ("motion_fingerprint", pa.string()),
    ]
)
# Of the sketch, where the plan says that rows have it.
LICENSE_SCHEMA = pa.schema([(LICENSE, pa.string())])
# What was done about the page, where the plan says what is to be done.
NOTES_SCHEMA = pa.schema([(notes.COLUMN, pa.list_(pa.string()))])

# Of methods that move strokes: a PNG has checksums, an SVG has none.
VECTOR_SCHEMA = pa.schema([("svg_sha256", pa.string())])

# Of methods that make videos, as far as the plan says them.
VIDEO_SCHEMA = pa.schema(
    [
        ("pipeline", pa.string()),
        ("video_height", pa.int32()),
        ("video_width", pa.int32()),
        ("video_frames", pa.int32()),
        ("video_fps", pa.int32()),
        ("motion_bucket", pa.int32()),
        ("vae_tiling", pa.bool_()),
    ]
)

# Settings of Live-Sketch whose columns have other names: a score has this one.
COLUMN_NAMES = {"motion": "stroke_motion"}
NO_COLUMNS = ("output_size", "clip_model")
# Columns of a manifest that say something for their row: the license of its sketch and, reserved
# for that with Live-Sketch and the manifest's own business elsewhere, a setting of it.
OWN_COLUMNS = ("trace", LICENSE)

# Besides the settings and the manifest's own columns.
IN_SAMPLE = [
    *("id", "key", "prompt", "prompts", "seed", "sketch_sha256"),
    *("num_frames", "height", "width", "frames_sha256"),
]


def sample_schema(schema: pa.Schema) -> pa.Schema:
    """Return the columns of the metadata that stand in a sample's JSON as well."""
    left_out = {*ROW_SCHEMA.names, *(name for name, _ in PIXEL_COLUMNS)} - set(IN_SAMPLE)
    return pa.schema([field for field in schema if field.name not in left_out])


def settings_schema(settings: Mapping[str, Any] | None = None) -> pa.Schema:
    """Return the columns of settings that a run has.

    Args:
        settings: of its plan; by default those of a new run.
    """
    later = [field for field in LATER_SCHEMA if settings is None or field.name in settings]
    own: list[pa.Field] = []
    if settings is not None and moves_strokes(settings):
        own = [field for name, field in livesketch_columns().items() if name in settings]
    if settings is not None and makes_videos(settings):
        own = [field for field in VIDEO_SCHEMA if field.name in settings]
    return pa.schema([*SETTINGS_SCHEMA, *later, *own])


def moves_strokes(settings: Mapping[str, Any]) -> bool:
    return METHODS[settings.get("method", "flipsketch")].moves_strokes


def makes_videos(settings: Mapping[str, Any]) -> bool:
    return METHODS[settings.get("method", "flipsketch")].makes_videos


def livesketch_columns() -> dict[str, pa.Field]:
    """Return the columns of Live-Sketch's settings, by the settings' names."""
    kinds = {bool: pa.bool_(), int: pa.int32(), float: pa.float64()}
    columns = {}
    for name, hint in get_type_hints(LiveSketchConfig).items():
        # Of "int | None" the int; the names of a Literal are text.
        hint = get_args(hint)[0] if isinstance(hint, types.UnionType) else hint
        columns[name] = pa.field(COLUMN_NAMES.get(name, name), kinds.get(hint, pa.string()))
    # The height and width of a clip say it already; and where a scorer lies says nothing.
    return {name: column for name, column in columns.items() if name not in NO_COLUMNS}


def describe_livesketch(config: LiveSketchConfig) -> dict[str, Any]:
    """Return what the columns of Live-Sketch's settings say."""
    values = asdict(config)
    values |= {"draft_steps": config.num_draft_steps, "optimization_steps": config.num_steps}
    return {COLUMN_NAMES.get(name, name): value for name, value in values.items()}


def reserved_names(method: str, settings: Mapping[str, Any] | None) -> list[str]:
    """Return the names of columns that a manifest may not have for its own.

    Args:
        settings: of the plan of a run that there is already.
    """
    names = row_schema(settings=settings).names
    if METHODS[method].moves_strokes:
        # A row cannot say them, though some have no column.
        names += [*VECTOR_SCHEMA.names, *get_type_hints(LiveSketchConfig)]
        names += [column.name for column in livesketch_columns().values()]
    if METHODS[method].makes_videos and (settings is None or "pipeline" in settings):
        names += VIDEO_SCHEMA.names
    return [name for name in names if name not in OWN_COLUMNS]


def row_schema(
    extra: pa.Schema | None = None, settings: Mapping[str, Any] | None = None
) -> pa.Schema:
    """Return the columns of a run's metadata.

    Args:
        extra: the manifest's own columns.
        settings: of its plan; by default those of a new run.
    """
    own = settings_schema(settings)
    licensed = LICENSE_SCHEMA if settings is None or ROW_LICENSES in settings else pa.schema([])
    # Those that say a setting or the license are in its column.
    known = {*own.names, *licensed.names}
    carried = [field for field in extra or [] if field.name not in known]
    vector = VECTOR_SCHEMA if settings is not None and moves_strokes(settings) else []
    noted = NOTES_SCHEMA if "paper" in own.names else []
    return pa.schema([*ROW_SCHEMA, *noted, *vector, *PIXEL_COLUMNS, *own, *licensed, *carried])
