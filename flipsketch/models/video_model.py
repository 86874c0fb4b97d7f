"""VideoModel: a text-to-video diffusion model in diffusers' layout, opened for the method."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    MotionAdapter,
    UNet2DConditionModel,
    UNet3DConditionModel,
    UNetMotionModel,
)
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from flipsketch.models.blocks import VideoUNet
from flipsketch.models.families import (
    ANIMATEDIFF,
    MOTION_FOLDER,
    family_of,
    family_of_unet,
    needs_motion,
)
from flipsketch.models.files import PICKLES, find_variant, is_weights
from flipsketch.models.graphs import graphs_of
from flipsketch.models.headers import naming_files
from flipsketch.models.inspection import inspect_model, load_scheduler, load_tokenizer
from flipsketch.models.kernels import PLAIN, Kernels, default_kernels, kernels_of, use_kernels
from flipsketch.models.loading import Loading
from flipsketch.models.lora import load_lora, merge_lora
from flipsketch.models.merged_card import write_merged_card
from flipsketch.models.motion import index_motion, join_naming
from flipsketch.models.motion_adapters import choose_motion_adapter
from flipsketch.models.offloading import device_of, take_turns
from flipsketch.models.registry import NO_LORA, choose_lora, find_lora, find_model
from flipsketch.storage.folder import new_folder, refuse_existing

DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
# A fast tokenizer keeps the padding and truncation of the last call, so just one thread may use it.
TOKENIZING = threading.Lock()
# Pixels per VAE call. Decoding one 256 x 256 frame takes about 0.5 GB in float32 on a CPU; the
# choice of a run's batches leaves room for a call. It is no setting: one frame is work enough for a
# GPU (0.6 TFLOP), and how many frames share a call may change their last digits.
VAE_CHUNK = 8 * 256**2


@dataclass(frozen=True)
class VideoModel:
    """The parts of a text-to-video model, on one device, frozen and in evaluation mode."""

    unet: VideoUNet
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    scheduler: DDIMScheduler

    @property
    def device(self) -> torch.device:
        return device_of(self.unet)

    @property
    def latents_dtype(self) -> torch.dtype:
        """Latents, losses and scheduler steps keep full precision whatever the networks' dtype."""
        return torch.float64 if self.unet.dtype == torch.float64 else torch.float32

    @property
    def size(self) -> int:
        """Height and width of a frame in pixels."""
        return self.unet.config.sample_size * self.vae_factor

    @property
    def max_frames(self) -> int | None:
        """Frames of one pass of the UNet at the most; None for any number."""
        return most_frames_of(self.unet)

    @property
    def vae_factor(self) -> int:
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def vae_chunk(self) -> int:
        """Frames per VAE call."""
        if self.vae.use_slicing:
            return 1
        return max(1, VAE_CHUNK // self.size**2)

    @torch.no_grad()
    def encode_prompts(self, prompts: list[str]) -> Tensor:
        """Return the text encoder's last hidden states (B, L, D)."""
        return self.text_encoder(self.tokenize(prompts)).last_hidden_state

    def tokenize(self, prompts: list[str]) -> Tensor:
        """Return token ids (B, L); longer prompts are cut."""
        return self.token_ids(prompts).to(self.device)

    def token_ids(self, prompts: list[str]) -> Tensor:
        """Return token ids (B, L) on the host."""
        with TOKENIZING:
            tokens = self.tokenizer(
                prompts,
                padding="max_length",
                max_length=self.tokenizer.model_max_length,
                truncation=True,
                return_tensors="pt",
            )
        return tokens.input_ids

    def cuts_prompt(self, prompt: str) -> bool:
        """Tell whether a prompt has more tokens than the text encoder takes."""
        with TOKENIZING:
            num_tokens = len(self.tokenizer(prompt).input_ids)
        return num_tokens > self.tokenizer.model_max_length

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> Tensor:
        """Return latents (B, C, F, h, w): the posterior's mode, so that a seed fixes a clip."""
        images = pixels.transpose(1, 2).flatten(0, 1).to(self.vae.dtype)
        latents = torch.cat(
            [self.vae.encode(chunk).latent_dist.mode() for chunk in images.split(self.vae_chunk)]
        )
        latents = latents.to(self.latents_dtype) * self.vae.config.scaling_factor
        return latents.unflatten(0, (len(pixels), -1)).transpose(1, 2)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Return pixels (B, 3, F, H, W), not clamped."""
        images = latents.transpose(1, 2).flatten(0, 1) / self.vae.config.scaling_factor
        pixels = torch.cat(
            [
                self.vae.decode(chunk).sample
                for chunk in images.to(self.vae.dtype).split(self.vae_chunk)
            ]
        )
        return pixels.to(self.latents_dtype).unflatten(0, (len(latents), -1)).transpose(1, 2)


def predict_noise(unet: VideoUNet, latents: Tensor, t: Tensor, embeds: Tensor) -> Tensor:
    """One UNet pass in the UNet's dtype, given and returned in that of the latents.

    Args:
        latents: (B, C, F, h, w).
        embeds: a text for each row (B, L, D).
    """
    return graphs_of(unet).run("predict_noise", partial(run_unet, unet), latents, t, embeds)


def run_unet(unet: VideoUNet, latents: Tensor, t: Tensor, embeds: Tensor) -> Tensor:
    text = lay_out_text(unet, embeds.to(unet.dtype), latents.shape[2])
    return unet(latents.to(unet.dtype), t, text).sample.to(latents.dtype)


def lay_out_text(unet: VideoUNet, embeds: Tensor, num_frames: int) -> Tensor:
    """Return embeddings, one for each row (B, L, D), as a UNet takes them.

    Raises:
        ValueError: a pass over so many frames is not possible.
    """
    most = most_frames_of(unet)
    if most is not None and num_frames > most:
        raise ValueError(
            f"a pass over {num_frames} frames was asked for, but the model's motion modules have "
            f"position embeddings for {most} (motion_max_seq_length); give fewer frames"
        )
    if family_of_unet(unet).repeats_text and not kernels_of(unet).lean_blocks:
        return embeds.repeat_interleave(num_frames, dim=0)
    return embeds


def most_frames_of(unet: VideoUNet) -> int | None:
    """Return how many frames one pass of a UNet takes at the most; None for any number."""
    return unet.config.get("motion_max_seq_length")


def load_model(
    path_or_hub_name: str | Path,
    *,
    lora: str | Path | None = None,
    motion_adapter: str | Path | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    kernels: Kernels | None = None,
) -> VideoModel:
    """Load a model from a folder in diffusers' layout or from the Hub, an adapter added to its
    weights.

    Args:
        lora: the adapter's folder or name; by default doodle-lora with the model doodle and no
            adapter with any other; "none" for the model alone.
        motion_adapter: folder or name of the motion modules that animate a model of pictures
            (Stable Diffusion 1.5); by default those in the model's folder, if there are any.
        kernels: by default those that suit the device; the results are the same but for the last
            digits.

    Raises:
        ValueError: no such folder or Hub name, a part is missing, or weights are not safetensors.
    """
    folder, chosen = find_model(path_or_hub_name), choose_lora(path_or_hub_name, lora)
    adapter = None if chosen is None else find_lora(chosen)
    motion = choose_motion_adapter(folder, motion_adapter)
    inspect_model(folder, lora=adapter, motion_adapter=motion)
    try:
        unet = load_unet(folder, motion, dtype)
        vae = AutoencoderKL.from_pretrained(
            folder / "vae", torch_dtype=dtype, **which_weights(folder / "vae")
        )
        text_encoder = CLIPTextModel.from_pretrained(
            folder / "text_encoder", dtype=dtype, **which_weights(folder / "text_encoder")
        )
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder}: cannot load the model: {error}") from error
    tokenizer, scheduler = load_tokenizer(folder), load_scheduler(folder)
    if adapter is not None:
        load_lora(unet, text_encoder, adapter)
        for network in (unet, text_encoder):
            # As separate layers the adapter made a UNet pass a quarter slower.
            merge_lora(network)
    if dtype == torch.float16 and vae.config.force_upcast:
        vae = vae.float()
    for network in (unet, vae, text_encoder):
        network.requires_grad_(False).eval().to(device)
    use_kernels(unet, vae, kernels or default_kernels(torch.device(device).type))
    return VideoModel(unet, vae, text_encoder, tokenizer, scheduler)


def load_unet(folder: Path, motion_adapter: Path | None, dtype: torch.dtype) -> VideoUNet:
    """Load a model's UNet, with an adapter's motion modules if it is one of pictures."""
    own = folder / "unet"
    options: dict[str, Any] = {"torch_dtype": dtype, **which_weights(own)}
    if motion_adapter is not None:
        pictures = UNet2DConditionModel.from_pretrained(own, **options)
        options |= which_weights(motion_adapter)
        motion = MotionAdapter.from_pretrained(motion_adapter, **options)
        return join_naming(pictures, motion, folder, motion_adapter)
    if family_of(folder) is ANIMATEDIFF:
        return UNetMotionModel.from_pretrained(own, **options)
    return UNet3DConditionModel.from_pretrained(own, **options)


def which_weights(folder: Path) -> dict[str, Any]:
    """Return which of a network's files its library is to load."""
    return {"use_safetensors": True, "variant": find_variant(folder)}


def load_for_work(loading: Loading) -> VideoModel:
    """Load a model as a worker is told to.

    Raises:
        ValueError: as `load_model`.
    """
    device = torch.device(loading.device)
    is_offloaded = loading.offload and device.type != "cpu"
    model = load_model(
        loading.model,
        lora=loading.lora,
        motion_adapter=loading.motion_adapter,
        device="cpu" if is_offloaded else device,
        dtype=loading.torch_dtype,
        kernels=loading.kernels or default_kernels(device.type),
    )
    if loading.vae_slicing:
        model.vae.enable_slicing()
    if is_offloaded:
        take_turns((model.text_encoder, model.unet, model.vae), device)
    return model


def merge_into_folder(
    model: str, lora: str | None, output: str, motion_adapter: str | None = None
) -> None:
    """Write a model folder with an adapter, chosen as by `load_model`, added to the weights, and
    the modules of a motion adapter, if the model takes one.

    Raises:
        OSError, ValueError: the model or the adapter cannot be loaded, there is none, or the output
            exists.
    """
    refuse_existing(output)
    source, adapter = find_model(model), choose_lora(model, lora)
    if adapter is None and motion_adapter is None:
        raise ValueError(
            "there is no adapter to add to the weights; name one with --lora or --motion-adapter"
        )
    merged = load_model(
        source, lora=adapter or NO_LORA, motion_adapter=motion_adapter, kernels=PLAIN
    )
    networks = {"unet": merged.unet, "text_encoder": merged.text_encoder}
    parts = {"model": (model, source)}
    if adapter is not None:
        parts["adapter"] = (adapter, find_lora(adapter))
    if (motion := choose_motion_adapter(source, motion_adapter)) is not None:
        parts["motion adapter"] = (motion_adapter or str(motion), motion)
    save_model(networks, source, output, partial(write_merged_card, parts=parts))


def save_model(
    networks: dict[str, Any],
    source: Path,
    output: str | Path,
    finish: Callable[[Path], None] = lambda folder: None,
) -> None:
    """Write a model folder with some networks, by part, in place of those of the folder `source`.

    Args:
        finish: called with the folder before it is put in place.

    Raises:
        ValueError: the output exists already.
    """

    def leave_out(folder: str, names: list[str]) -> set[str]:
        pickles = {name for name in names if name.endswith(PICKLES)}
        is_replaced = Path(folder).name in networks
        old = {name for name in names if is_replaced and is_weights(name)}
        # What a motion adapter has is in the UNet that is written.
        joined = {MOTION_FOLDER} if Path(folder) == source and needs_motion(source) else set()
        return pickles | old | joined | {name for name in names if name.startswith(".")}

    with new_folder(output) as folder:
        shutil.copytree(source, folder, ignore=leave_out, dirs_exist_ok=True)
        for part, network in networks.items():
            with naming_files(folder / part):
                network.save_pretrained(folder / part)
        if needs_motion(source):
            index_motion(folder)
        finish(folder)
