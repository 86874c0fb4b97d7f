"""Image-to-video pipelines of diffusers: which there are, what their calls take, and what is native
to a model, told from the settings in its folder without importing torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flipsketch.models.files import PIPELINE_FILE
from flipsketch.models.headers import COPY, read_settings
from flipsketch.models.registry import find_model, read_index

# Whose classes may be loaded by a model_index.json: others are code that comes with the model.
LIBRARIES = ("diffusers", "transformers")
MAX_SIDE, MAX_VIDEO_FRAMES = 4096, 1024


@dataclass(frozen=True, kw_only=True)
class VideoPipeline:
    """A pipeline that makes a video of a picture: its call, and what its model was trained on."""

    name: str
    """Its class in diffusers."""
    height: int
    width: int
    num_frames: int
    most_frames: int
    """Frames that the model was trained on at the most."""
    frame_step: int = 4
    """It makes a multiple of these and one more; 1 where it makes any number."""
    multiple: int = 16
    """Height and width are multiples of this."""
    has_fixed_size: bool = False
    guidance_scale: float
    """The pipeline's own weight of guidance."""
    guidance_name: str | None = "guidance_scale"
    """What the call names that weight, None where a part of the model holds it."""
    frames_name: str = "num_frames"
    fps_name: str | None = None
    """What the call names the frames per second that the model is told, if it is."""
    takes_prompt: bool = True
    takes_lora: bool = True
    takes_motion_bucket: bool = False
    draws_on_device: bool = False
    """Its noise is drawn where it runs: it fails with a generator of the host's."""
    full_precision: tuple[str, ...] = ()
    """Parts that stay in float32 whatever the dtype."""
    call: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of its call."""
    parts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Library and class of each part of a model's folder."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What else its model_index.json says, such as Wan's boundary_ratio."""

    def check_size(self, height: int, width: int) -> None:
        """Raise ValueError for a size that the model cannot make."""
        native = f"{self.height} x {self.width}"
        if self.has_fixed_size and (height, width) != (self.height, self.width):
            raise ValueError(
                f"this model of {self.name} makes videos of {native} pixels alone (height x width),"
                f" got {height} x {width}; leave out --video-height and --video-width"
            )
        if height % self.multiple or width % self.multiple or not height or not width:
            raise ValueError(
                f"{self.name} makes videos whose height and width are multiples of {self.multiple},"
                f" got {height} x {width}; its own size is {native}"
            )

    @property
    def frame_limits(self) -> str:
        a_multiple = f", a multiple of {self.frame_step} and one more" * (self.frame_step > 1)
        return f"2 to {self.most_frames}{a_multiple}"

    def check_frames(self, num_frames: int) -> None:
        """Raise ValueError for a number of frames that the model cannot make."""
        if not 2 <= num_frames <= self.most_frames or (num_frames - 1) % self.frame_step:
            raise ValueError(
                f"video_frames of this {self.name} must be {self.frame_limits}, got {num_frames}; "
                f"its own number is {self.num_frames}"
            )


# Sizes, frames and guidance are the defaults of each call in diffusers 0.42 where nothing else is
# cited; a model's folder may say otherwise (`read_native`).
PIPELINES = {
    pipeline.name: pipeline
    for pipeline in (
        VideoPipeline(
            name="StableVideoDiffusionPipeline",
            height=576,
            width=1024,
            num_frames=14,
            most_frames=14,
            frame_step=1,
            multiple=64,
            guidance_scale=3.0,
            # Of the last frame; the first has 1.
            guidance_name="max_guidance_scale",
            fps_name="fps",
            takes_prompt=False,
            takes_lora=False,
            takes_motion_bucket=True,
            # Frames that the VAE decodes at once.
            call={"decode_chunk_size": 8},
        ),
        VideoPipeline(
            name="WanImageToVideoPipeline",
            height=480,
            width=832,
            num_frames=81,
            most_frames=121,
            guidance_scale=5.0,
            # As the documentation of diffusers loads it.
            full_precision=("vae", "image_encoder"),
        ),
        VideoPipeline(
            name="SkyReelsV2ImageToVideoPipeline",
            height=544,
            width=960,
            num_frames=97,
            most_frames=121,
            guidance_scale=5.0,
            full_precision=("vae", "image_encoder"),
        ),
        VideoPipeline(
            name="SkyReelsV2DiffusionForcingImageToVideoPipeline",
            height=544,
            width=960,
            num_frames=97,
            # Longer ones are made of overlapping pieces, which it must be told how to cut.
            most_frames=97,
            guidance_scale=5.0,
            fps_name="fps",
            full_precision=("vae",),
        ),
        VideoPipeline(
            name="CogVideoXImageToVideoPipeline",
            height=480,
            width=720,
            num_frames=49,
            most_frames=49,
            guidance_scale=6.0,
        ),
        VideoPipeline(
            name="LTXImageToVideoPipeline",
            height=512,
            width=704,
            num_frames=161,
            most_frames=257,  # by the card of Lightricks/LTX-Video
            frame_step=8,
            multiple=32,
            guidance_scale=3.0,
            fps_name="frame_rate",
        ),
        VideoPipeline(
            name="LTXConditionPipeline",
            height=512,
            width=704,
            num_frames=161,
            most_frames=257,
            frame_step=8,
            multiple=32,
            guidance_scale=3.0,
            fps_name="frame_rate",
        ),
        VideoPipeline(
            name="LTX2ImageToVideoPipeline",
            height=512,
            width=768,
            num_frames=121,
            most_frames=257,
            frame_step=8,
            multiple=32,
            guidance_scale=3.0,
            fps_name="frame_rate",
        ),
        VideoPipeline(
            name="HunyuanVideoImageToVideoPipeline",
            height=720,
            width=1280,
            num_frames=129,
            most_frames=129,
            guidance_scale=1.0,
            # What it names guidance_scale is given to a model distilled from guidance.
            guidance_name="true_cfg_scale",
        ),
        VideoPipeline(
            name="HunyuanSkyreelsImageToVideoPipeline",
            height=544,
            width=960,
            num_frames=97,
            most_frames=97,
            guidance_scale=6.0,
            guidance_name="true_cfg_scale",
        ),
        VideoPipeline(
            name="HunyuanVideoFramepackPipeline",
            height=720,
            width=1280,
            num_frames=129,
            most_frames=1021,
            guidance_scale=6.0,
        ),
        VideoPipeline(
            name="Kandinsky5I2VPipeline",
            height=512,
            width=768,
            num_frames=121,
            most_frames=241,
            guidance_scale=5.0,
        ),
        VideoPipeline(
            name="SanaImageToVideoPipeline",
            height=480,
            width=832,
            num_frames=81,
            most_frames=161,
            frame_step=8,
            multiple=32,
            guidance_scale=6.0,
            frames_name="frames",
        ),
        VideoPipeline(
            name="MotifVideoImage2VideoPipeline",
            height=736,
            width=1280,
            num_frames=121,
            most_frames=121,
            guidance_scale=1.0,
            guidance_name=None,
            takes_lora=False,
        ),
    )
}
# Text-to-video pipelines with the parts of an image-to-video one: repositories that serve both name
# either, as Lightricks/LTX-Video does.
TEXT_PIPELINES = {
    "LTXPipeline": "LTXImageToVideoPipeline",
    "LTX2Pipeline": "LTX2ImageToVideoPipeline",
    "LTX2ConditionPipeline": "LTX2ImageToVideoPipeline",
    "SanaVideoPipeline": "SanaImageToVideoPipeline",
    "SkyReelsV2DiffusionForcingPipeline": "SkyReelsV2DiffusionForcingImageToVideoPipeline",
    # Only with expand_timesteps, as Wan2.2-TI2V-5B has it.
    "WanPipeline": "WanImageToVideoPipeline",
}


def find_video_model(place: str | Path) -> tuple[Path, VideoPipeline]:
    """Return the local folder of an image-to-video model, and its pipeline.

    Raises:
        ValueError: there is none, it is of another pipeline, or it lacks a part.
        OSError: it cannot be fetched.
    """
    folder = find_model(place, list_parts(place))
    return folder, read_video_pipeline(folder)


def list_parts(place: str | Path) -> tuple[str, ...]:
    """Return the names of an image-to-video model's parts; raises as `find_video_model`."""
    return tuple(sorted(parse_index(str(place), read_index(place)).parts))


def read_video_pipeline(folder: Path) -> VideoPipeline:
    """Return the image-to-video pipeline of a model's folder, with the size and number of frames
    that are native to the model.

    Raises:
        ValueError: the folder is of another pipeline, or its settings cannot be used.
    """
    path = folder / PIPELINE_FILE
    return read_native(parse_index(str(path), read_settings(path)), folder)


def parse_index(where: str, index: Mapping[str, Any]) -> VideoPipeline:
    """Return the pipeline that a model_index.json is of, with its parts and settings."""
    stated = index.get("_class_name")
    name = stated if isinstance(stated, str) else ""
    if name == "WanPipeline" and not index.get("expand_timesteps"):
        name = ""
    known = PIPELINES.get(TEXT_PIPELINES.get(name, name))
    if known is None:
        raise ValueError(
            f"{where}: is of a {stated!s:.80}; an image-to-video model is needed here, of "
            f"{', '.join(PIPELINES)}"
        )
    parts, settings = {}, {}
    for key, value in index.items():
        if isinstance(value, list) and len(value) == 2 and value != [None, None]:
            parts[key] = read_class(where, key, value)
        elif not key.startswith("_") and not isinstance(value, list):
            settings[key] = value
    return replace(known, parts=parts, settings=settings)


def read_class(where: str, part: str, value: list[Any]) -> tuple[str, str]:
    """Return library and class of a part; raise ValueError for code of the model's own."""
    library, name = value
    if library not in LIBRARIES or not isinstance(name, str) or not name.isidentifier():
        raise ValueError(
            f"{where}: its part {part!s:.80} is a {name!s:.80} of {library!s:.80}; only classes of "
            f"{' and '.join(LIBRARIES)} are loaded, never code that comes with a model"
        )
    if Path(part).name != part or part in (".", ".."):
        raise ValueError(f"{where}: its part {part!r:.80} is not the name of a folder; {COPY}")
    return library, name


def read_native(pipeline: VideoPipeline, folder: Path) -> VideoPipeline:
    """Return a pipeline with what the settings of its model's parts say of sizes and frames."""
    if pipeline.name == "StableVideoDiffusionPipeline":
        return read_svd(pipeline, folder)
    if pipeline.name == "CogVideoXImageToVideoPipeline":
        return read_cogvideox(pipeline, folder)
    if pipeline.name == "LTXImageToVideoPipeline":
        vae = read_settings(folder / "vae" / "config.json")
        # Later decoders denoise once more, which these arguments are for, by the card of LTX-Video.
        call = {"decode_timestep": 0.05, "decode_noise_scale": 0.025}
        is_later = bool(vae.get("timestep_conditioning"))
        return replace(pipeline, call=call if is_later else {}, draws_on_device=is_later)
    if pipeline.name == "WanImageToVideoPipeline":
        # 8 with the VAE of Wan 2.1, 16 with that of Wan2.2-TI2V-5B.
        factor = read_whole(folder / "vae" / "config.json", "scale_factor_spatial", 8)
        # Its patches are of 2 x 2 latents.
        pipeline = replace(pipeline, multiple=2 * factor)
        if pipeline.settings.get("expand_timesteps"):
            # By the card of Wan-AI/Wan2.2-TI2V-5B-Diffusers.
            return replace(pipeline, height=704, width=1280, num_frames=121)
    return pipeline


def read_svd(pipeline: VideoPipeline, folder: Path) -> VideoPipeline:
    path, factor = folder / "unet" / "config.json", read_factor(folder / "vae")
    # 768 x 768 by its configuration, and 576 x 1024 as it was trained.
    side = read_whole(path, "sample_size") * factor
    num_frames = read_whole(path, "num_frames")
    return replace(
        pipeline,
        height=side * 3 // 4,
        width=side * 4 // 3,
        num_frames=num_frames,
        most_frames=num_frames,
        multiple=factor * read_factor(folder / "unet"),
    )


def read_cogvideox(pipeline: VideoPipeline, folder: Path) -> VideoPipeline:
    path = folder / "transformer" / "config.json"
    settings, factor = read_settings(path), read_factor(folder / "vae")
    height, width = (read_whole(path, f"sample_{side}") * factor for side in ("height", "width"))
    num_frames = most = read_whole(path, "sample_frames", 49)
    patch = read_whole(path, "patch_size", 2)
    if settings.get("patch_size_t") is not None:
        # CogVideoX 1.5 says 300 x 300 latents, of which its positions are cut; by its card it makes
        # 768 x 1360, and 5 or 10 seconds at 16 frames per second.
        height, width, most = min(height, 768), min(width, 1360), max(most, 161)
    return replace(
        pipeline,
        height=height,
        width=width,
        num_frames=num_frames,
        most_frames=most,
        multiple=factor * patch,
        has_fixed_size=bool(settings.get("use_learned_positional_embeddings")),
    )


def read_factor(folder: Path) -> int:
    """Return by how much a network makes its input smaller that halves it from block to block."""
    path = folder / "config.json"
    channels = read_settings(path).get("block_out_channels")
    if not isinstance(channels, list) or not 1 <= len(channels) <= 16:
        raise ValueError(f"{path}: block_out_channels must be a list, found {channels!r:.80}")
    return 2 ** (len(channels) - 1)


def read_whole(path: Path, name: str, usual: int | None = None) -> int:
    """Return a positive whole number of a file of settings."""
    value = read_settings(path).get(name, usual)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_SIDE:
        raise ValueError(
            f"{path}: {name} must be a whole number from 1 to {MAX_SIDE:,}, found {value!r:.80}"
        )
    return value
