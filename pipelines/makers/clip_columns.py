"""The columns of a corpus of clips."""

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

# Besides the settings and the manifest's own columns.
IN_SAMPLE = [
    *("id", "key", "prompt", "prompts", "seed", "sketch_sha256"),
    *("num_frames", "height", "width", "frames_sha256"),
]


def sample_schema(schema: pa.Schema) -> pa.Schema:
    """Return the columns of the metadata that stand in a sample's JSON as well."""
    left_out = {*ROW_SCHEMA.names, *(name for name, _ in PIXEL_COLUMNS)} - set(IN_SAMPLE)
    return pa.schema([field for field in schema if field.name not in left_out])


def row_schema(extra: pa.Schema | None = None) -> pa.Schema:
    return pa.schema([*ROW_SCHEMA, *PIXEL_COLUMNS, *SETTINGS_SCHEMA, *(extra or [])])
