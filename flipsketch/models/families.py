"""Families of text-to-video models, and all that the method has to know of each: the class of its
UNet, which attention is over pixels and which over frames, its schedule, and what it was made for.

Nothing heavy is imported: a family is told from `unet/config.json`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from flipsketch.models.headers import COPY, read_settings

FamilyName: TypeAlias = Literal["modelscope", "animatediff"]
LayerKind: TypeAlias = Literal["spatial", "temporal", "temporal_attn2", "text"]
"""What an attention is over: the pixels of a frame; the frames of a pixel, in the first or the
second attention of a temporal transformer; the tokens of a text."""

PICTURES_UNET = "UNet2DConditionModel"
"""Stable Diffusion's own, which a motion adapter makes a UNetMotionModel."""
MOTION_FOLDER = "motion_adapter"
"""Where a pipeline's folder has its motion adapter, if it has one."""
CONDITIONS = ("addition_embed_type", "encoder_hid_dim_type")
"""Settings of a UNet that needs more than a prompt: sizes (Stable Diffusion XL), a picture."""
CONFIG_FILE = "config.json"


@dataclass(frozen=True, kw_only=True)
class Family:
    name: FamilyName
    title: str
    """In messages and logs."""
    unet: str
    """Class of the UNet, in diffusers."""
    pipeline: str
    """Class that `model_index.json` names."""
    absent_parts: tuple[str, ...] = ()
    """Parts of this pipeline, named there too, that are not needed."""
    temporal: frozenset[str]
    """Names of modules within which attention, the first and the second, is over frames."""
    repeats_text: bool
    """The UNet takes a row's text once for each of its frames, in their order."""
    scheduler: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the noise schedule that the folder does not decide."""
    size: int
    """Height and width in pixels of the clips that it was trained on."""
    num_frames: int
    """Frames of these clips."""
    max_frames: int | None = None
    """Frames of one pass at the most, where nothing is said of it in the folder; None for any."""

    def layer_kind(self, name: str) -> LayerKind:
        """Tell an attention by its name in the UNet, or that of something in it: by shape, 16 or 64
        frames collide with spatial maps."""
        parts = name.split(".")
        if self.temporal.isdisjoint(parts):
            return "text" if "attn2" in parts else "spatial"
        return "temporal_attn2" if "attn2" in parts else "temporal"

    def is_temporal(self, name: str) -> bool:
        """Tell whether the sequences of an attention are the frames of a pixel."""
        return self.layer_kind(name) in ("temporal", "temporal_attn2")


MODELSCOPE = Family(
    name="modelscope",
    title="ModelScope text-to-video",
    unet="UNet3DConditionModel",
    pipeline="TextToVideoSDPipeline",
    temporal=frozenset({"temp_attentions", "transformer_in"}),
    repeats_text=False,
    size=256,
    num_frames=16,
)
ANIMATEDIFF = Family(
    name="animatediff",
    title="AnimateDiff",
    unet="UNetMotionModel",
    pipeline="AnimateDiffPipeline",
    # Its UNet has the motion adapter's modules already.
    absent_parts=(MOTION_FOLDER, "feature_extractor", "image_encoder"),
    temporal=frozenset({"motion_modules"}),
    repeats_text=True,
    # Motion modules were trained with it, on weights of Stable Diffusion, whose folders say
    # scaled_linear (Guo et al., 2024; configs/inference of the published code).
    scheduler={"beta_schedule": "linear"},
    size=512,
    num_frames=16,
    max_frames=32,
)
FAMILIES: dict[FamilyName, Family] = {family.name: family for family in (MODELSCOPE, ANIMATEDIFF)}


def family_of(folder: Path) -> Family:
    """Return the family of a model's folder.

    One of Stable Diffusion is AnimateDiff's: it takes a motion adapter to be loaded.

    Raises:
        ValueError: `unet/config.json` is missing, or of another model.
    """
    path = folder / "unet" / CONFIG_FILE
    stated = read_settings(path).get("_class_name")
    if stated == PICTURES_UNET:
        return ANIMATEDIFF
    for family in FAMILIES.values():
        # Folders of early versions of diffusers name no class: ModelScope's was the only one.
        if stated in (family.unet, None):
            return family
    known = ", ".join(f"{family.unet} ({family.title})" for family in FAMILIES.values())
    raise ValueError(
        f"{path}: is of a {stated!s:.80}, but a text-to-video model's UNet is needed there: "
        f"{known}, or {PICTURES_UNET} (Stable Diffusion, with a motion adapter)"
    )


def family_of_unet(unet: Any) -> Family:
    """Return the family of a UNet."""
    return next(family for family in FAMILIES.values() if family.unet == type(unet).__name__)


def needs_motion(folder: Path) -> bool:
    """Tell whether a model's UNet draws pictures alone, and needs a motion adapter's modules."""
    return read_settings(folder / "unet" / CONFIG_FILE).get("_class_name") == PICTURES_UNET


def most_frames(folder: Path, motion_adapter: Path | None = None) -> int | None:
    """Return how many frames one pass of a model's UNet takes at the most; None for any number.

    Args:
        motion_adapter: folder of the adapter that gives it its motion modules, if one does.

    Raises:
        ValueError: settings are missing, or state no number of frames.
    """
    family = family_of(folder)
    if family.max_frames is None:
        return None
    path = (motion_adapter or folder / "unet") / CONFIG_FILE
    stated = read_settings(path).get("motion_max_seq_length", family.max_frames)
    if isinstance(stated, bool) or not isinstance(stated, int) or stated < 1:
        raise ValueError(
            f"{path}: motion_max_seq_length must be a number of frames, found {stated!r:.80}; "
            f"{COPY}"
        )
    return stated
