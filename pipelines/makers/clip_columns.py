"""The columns of a corpus of clips."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from flipsketch.corpus.shard import ROW_SCHEMA
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

# Of LATER_FIELDS: runs whose plans lack one keep to the columns that they began with.
LATER_SCHEMA = pa.schema(
    [
        ("solver", pa.string()),
        ("guidance_start", pa.float64()),
        ("guidance_stop", pa.float64()),
        ("align_updates", pa.int32()),
        ("cache_interval", pa.int32()),
    ]
)

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
    return pa.schema([*SETTINGS_SCHEMA, *later])


def row_schema(
    extra: pa.Schema | None = None, settings: Mapping[str, Any] | None = None
) -> pa.Schema:
    """Return the columns of a run's metadata.

    Args:
        extra: the manifest's own columns.
        settings: of its plan; by default those of a new run.
    """
    return pa.schema([*ROW_SCHEMA, *PIXEL_COLUMNS, *settings_schema(settings), *(extra or [])])
