"""The scores of a clip: their names, types and meanings, as files of scores have them."""

from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa

from flipsketch.corpus.passport import SCORER_LICENSE


@dataclass(frozen=True)
class PixelScores:
    ink_mean: float
    """Share of a frame that is ink, over all frames."""
    ink_min: float
    ink_max: float
    ink_drift: float
    """Share of the last frame that is ink, minus that of the first."""
    coloured: float
    """Share of the pixels that are grey or coloured, neither black nor white."""
    motion: float
    """Mean change of a pixel from frame to frame, in [0, 1]."""
    flicker: float
    """Share of the pixels that are ink in a frame but not in the frames before and after, or the
    opposite."""
    is_still: bool
    """All frames are the same."""
    is_blank: bool
    """A frame has no ink."""
    is_blackout: bool
    """A frame has more ink than a line drawing has."""
    first_iou: float
    """Intersection over union of the first frame's ink and the sketch's."""
    mean_iou: float
    """The same, averaged over all frames."""
    first_chamfer: float | None
    """Distance of the first frame's ink from the sketch's, see `chamfer`."""
    mean_chamfer: float | None
    """The same, averaged over the frames that have ink."""


@dataclass(frozen=True)
class FlowScores:
    warping_error: float
    """Mean difference in [0, 1] between a frame and the previous one warped along the flow, over
    the pixels where either has ink."""
    is_dynamic: bool
    """The clip moves visibly; the mean over a corpus is its dynamic degree."""
    flow_x: float
    """Mean flow of the ink from frame to frame, as a share of the width; positive to the right."""
    flow_y: float
    """The same, as a share of the height; positive downwards."""


TYPES: dict[Any, pa.DataType] = {float: pa.float64(), float | None: pa.float64(), bool: pa.bool_()}


def columns_of(scores: type) -> list[tuple[str, pa.DataType]]:
    return [(field.name, TYPES[field.type]) for field in fields(scores)]


PIXEL_COLUMNS = columns_of(PixelScores)
# The scores by which tables compare corpora.
CLIP_COLUMNS = ["s2v_consistency", "t2v_alignment", "xclip_alignment"]
SCORES_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("key", pa.string()),
        ("error", pa.string()),
        *PIXEL_COLUMNS,
        *columns_of(FlowScores),
        *((name, pa.float64()) for name in CLIP_COLUMNS),
        # One for each frame.
        ("frame_consistency", pa.list_(pa.float32())),
        ("clip_model", pa.string()),
        ("clip_fingerprint", pa.string()),
        ("xclip_model", pa.string()),
        ("xclip_fingerprint", pa.string()),
        # Of both, as their cards state it; null in scores of earlier versions.
        (SCORER_LICENSE, pa.string()),
        # Unit vectors, compared to find near-duplicates.
        ("features", pa.list_(pa.float16())),
    ]
)
# One number or flag a clip.
SCORES = [
    column.name
    for column in SCORES_SCHEMA
    if pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)
]
CHECKPOINTS = ["clip_model", "clip_fingerprint", "xclip_model", "xclip_fingerprint"]
