"""Clips of image-to-video models (Wan, CogVideoX, LTX, Stable Video Diffusion), to compare with:
the sketch is the first frame of a video, and the pipelines are those of diffusers."""

import functools
import inspect
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from flipsketch.method.animators import Animator, PixelClip
from flipsketch.method.request import ClipRequest, count_segments
from flipsketch.method.sampler import segment_seed
from flipsketch.method.video_config import VideoConfig, settle_guidance
from flipsketch.models.files import find_variant
from flipsketch.models.loading import Loading
from flipsketch.models.video_lora import load_video_lora
from flipsketch.models.video_model import TOKENIZING
from flipsketch.models.video_pipelines import VideoPipeline, find_video_model

# Each library has its own for settings and weights that do not go together.
LOADING_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RuntimeError,
    ImportError,
)


class ImageToVideo(Animator):
    """A pipeline of diffusers that makes a video of a picture.

    The sketch, padded with white to the model's aspect, is its first frame; the clip is the square
    in the middle, of as many of the video's frames as the row asks for, at equal distances.
    """

    def __init__(self, loading: Loading, video: VideoConfig | None = None):
        """
        Args:
            video: None for a run that was begun before there were such settings: whatever its plan
                says of guidance, it has the pipeline's own.

        Raises:
            ValueError: the model or the adapter cannot be loaded, or makes no such videos.
        """
        folder, self.pipeline = find_video_model(loading.model)
        self.has_own_guidance = video is None
        self.video = (video or VideoConfig()).settle(self.pipeline)
        if loading.vae_slicing and "decode_chunk_size" in self.pipeline.call:
            self.pipeline = replace(self.pipeline, call={"decode_chunk_size": 1})
        self.loaded = load_pipeline(folder, self.pipeline, loading)
        if self.video.vae_tiling:
            self.loaded.vae.enable_tiling()
        assert self.video.size is not None
        self.size = self.video.size
        self.device = torch.device(loading.device)

    def cuts_prompt(self, prompt: str) -> bool:
        if self.num_tokens is None:
            return False
        with TOKENIZING:
            return len(self.loaded.tokenizer(prompt).input_ids) > self.num_tokens

    @functools.cached_property
    def num_tokens(self) -> int | None:
        """Tokens of a prompt that the pipeline looks at, None if it takes no prompt, or has it
        written anew."""
        tokenizer: Any = getattr(self.loaded, "tokenizer", None)
        if not self.pipeline.takes_prompt or not hasattr(tokenizer, "model_max_length"):
            return None
        own = self.prompt_arguments.get("max_sequence_length")
        call = inspect.signature(type(self.loaded).__call__).parameters
        usual = call["max_sequence_length"].default if "max_sequence_length" in call else None
        return own or usual or tokenizer.model_max_length

    @functools.cached_property
    def prompt_arguments(self) -> dict[str, Any]:
        """Arguments of the call that say how prompts are read."""
        # CogVideoX has as many learned positions as this, whatever its call's default is.
        network = getattr(self.loaded, "transformer", None)
        most = network.config.get("max_text_seq_length") if network is not None else None
        return {} if most is None else {"max_sequence_length": most}

    def animate(self, requests: list[ClipRequest]) -> list[PixelClip]:
        count_segments(requests)
        # A row alone is asked for as often as its batch has rows.
        different = {id(request): request for request in requests}
        made = {key: self.animate_request(request).cpu() for key, request in different.items()}
        return [PixelClip(made[id(request)]) for request in requests]

    def animate_request(self, request: ClipRequest) -> Tensor:
        """Return the frames that are asked for: pixels (3, F, size, size) in [-1, 1]."""
        if not self.pipeline.takes_prompt:
            # There is nothing that the segments of a row could differ in.
            return resample(self.make_video(request, request.sketch, 0), request.num_frames)
        segments, sketch = [], request.sketch
        for segment in range(len(request.prompts)):
            video = self.make_video(request, sketch, segment)
            segments.append(resample(video, request.sampling.num_frames))
            last = (segments[-1][:, -1].permute(1, 2, 0) + 1) * 127.5
            sketch = last.nan_to_num().clamp(0, 255).round().byte().cpu().numpy()
        return torch.cat([segments[0], *(later[:, 1:] for later in segments[1:])], dim=1)

    def make_video(self, request: ClipRequest, sketch: np.ndarray, segment: int) -> Tensor:
        """Return as many frames as the model makes: pixels (3, F, size, size) in [-1, 1]."""
        pipeline, video = self.pipeline, self.video
        assert video.video_height and video.video_width
        size = {"height": video.video_height, "width": video.video_width}
        sampling = request.sampling
        if self.has_own_guidance:
            sampling = replace(sampling, guidance_scale=pipeline.guidance_scale)
        arguments: dict[str, Any] = {
            **pipeline.call,
            **size,
            pipeline.frames_name: video.video_frames,
            "num_inference_steps": sampling.num_inference_steps,
            "output_type": "pt",
        }
        if pipeline.guidance_name is not None:
            guidance = settle_guidance(sampling, pipeline).guidance_scale
            arguments[pipeline.guidance_name] = guidance
        if pipeline.takes_prompt:
            arguments |= {"prompt": request.prompts[segment], **self.prompt_arguments}
            # Where it is left out some pipelines have one of their own, against drawings even.
            arguments["negative_prompt"] = sampling.negative_prompt
        if video.video_fps is not None:
            assert pipeline.fps_name is not None
            arguments[pipeline.fps_name] = video.video_fps
        if video.motion_bucket is not None:
            arguments["motion_bucket_id"] = video.motion_bucket
        where = self.device if pipeline.draws_on_device else "cpu"
        generator = torch.Generator(where).manual_seed(segment_seed(request.seed, segment))
        # By its name, since of some calls it is not the first argument.
        arguments["image"] = pad(sketch, **size)
        frames = self.loaded(generator=generator, **arguments).frames[0]
        if frames.shape[-2:] != (video.video_height, video.video_width):
            raise ValueError(f"{pipeline.name} gave frames of {tuple(frames.shape[-2:])} pixels")
        return crop(frames).transpose(0, 1).float() * 2 - 1


def load_pipeline(folder: Path, pipeline: VideoPipeline, loading: Loading) -> Any:
    """Return a pipeline of diffusers with its model and adapter, where it is to run.

    Raises:
        ValueError: they cannot be loaded.
    """
    # Here, since transformers has something to say when it is imported without torchvision.
    import diffusers

    dtypes = {"default": loading.torch_dtype}
    dtypes |= {part: torch.float32 for part in pipeline.full_precision if part in pipeline.parts}
    variants = (find_variant(folder / part) for part in sorted(pipeline.parts))
    kind = getattr(diffusers, pipeline.name)
    try:
        loaded = load_quietly(
            kind,
            folder,
            torch_dtype=dtypes,
            # Of parts that have no other copy of their weights.
            variant=next(filter(None, variants), None),
            use_safetensors=True,
            local_files_only=True,
        )
    except torch.OutOfMemoryError:
        raise
    except LOADING_ERRORS as error:
        raise ValueError(f"{folder}: cannot load the model: {error!s:.500}") from error
    loaded.set_progress_bar_config(disable=True)
    load_video_lora(loaded, loading.lora)
    if loading.vae_slicing and hasattr(loaded.vae, "use_slicing"):
        loaded.vae.enable_slicing()
    if loading.offload and loading.device != "cpu":
        loaded.enable_model_cpu_offload(device=loading.device)
        return loaded
    return loaded.to(loading.device)


def load_quietly(kind: Any, folder: Path, **how: Any) -> Any:
    with warnings.catch_warnings():
        # Older versions of diffusers know torch_dtype alone, of which newer ones warn.
        warnings.simplefilter("ignore", FutureWarning)
        return kind.from_pretrained(folder, **how)


def resample(frames: Tensor, num_frames: int) -> Tensor:
    """Return so many of the frames (3, F, H, W), at equal distances; where there are fewer, some
    are repeated."""
    chosen = np.linspace(0, frames.shape[1] - 1, num_frames).round().astype(int)
    return frames[:, chosen]


def pad(sketch: np.ndarray, height: int, width: int) -> Image.Image:
    """Return a square sketch uint8 (S, S, 3) in the middle of a white page."""
    padded = Image.new("RGB", (width, height), "white")
    size = len(sketch)
    padded.paste(Image.fromarray(sketch), ((width - size) // 2, (height - size) // 2))
    return padded


def crop(frames: Tensor) -> Tensor:
    """Return the square in the middle of frames (..., H, W), as `pad` has it."""
    height, width = frames.shape[-2:]
    size = min(height, width)
    top, left = (height - size) // 2, (width - size) // 2
    return frames[..., top : top + size, left : left + size]
