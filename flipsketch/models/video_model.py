"""VideoModel: a text-to-video diffusion model in diffusers' layout, opened for the method."""

import hashlib
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, DDIMScheduler, UNet3DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from flipsketch.models.lora import load_lora, merge_lora
from flipsketch.storage.folder import new_folder

log = logging.getLogger(__name__)

EMBEDDED = Path(__file__).parents[2] / "data" / "models"
EMBEDDED_MODEL, EMBEDDED_LORA = "doodle", "doodle-lora"
PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
# Latents of at most this height and width have so few tokens that fused attention gains nothing: on
# a CPU plain matrix products are faster, forward and backward, by 1.2 to 1.7 times, and on a GPU
# cuDNN's, which PyTorch prefers, first compiles a kernel for each shape, for seconds.
FEW_TOKENS = 16
# Pixels per VAE call: decoding one 256 x 256 frame takes about 0.5 GB in float32.
VAE_CHUNK = 8 * 256**2


@dataclass(frozen=True)
class VideoModel:
    """The parts of a text-to-video model, on one device, frozen and in evaluation mode."""

    unet: UNet3DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    scheduler: DDIMScheduler

    @property
    def device(self) -> torch.device:
        return self.unet.device

    @property
    def latents_dtype(self) -> torch.dtype:
        """Latents, losses and scheduler steps keep full precision whatever the networks' dtype."""
        return torch.float64 if self.unet.dtype == torch.float64 else torch.float32

    @property
    def size(self) -> int:
        """Height and width of a frame in pixels."""
        return self.unet.config.sample_size * self.vae_factor

    @property
    def vae_factor(self) -> int:
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def vae_chunk(self) -> int:
        """Frames per VAE call."""
        return max(1, VAE_CHUNK // self.size**2)

    @torch.no_grad()
    def encode_prompts(self, prompts: list[str]) -> Tensor:
        """Return the text encoder's last hidden states (B, L, D)."""
        return self.text_encoder(self.tokenize(prompts)).last_hidden_state

    def tokenize(self, prompts: list[str]) -> Tensor:
        """Return token ids (B, L); longer prompts are cut."""
        tokens = self.tokenizer(
            prompts,
            padding="max_length",
            max_length=self.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        return tokens.input_ids.to(self.device)

    def cuts_prompt(self, prompt: str) -> bool:
        """Tell whether a prompt has more tokens than the text encoder takes."""
        return len(self.tokenizer(prompt).input_ids) > self.tokenizer.model_max_length

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


def quiet_libraries() -> None:
    """Keep loading bars and hints from standing between a program's own lines."""
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()


def predict_noise(unet: UNet3DConditionModel, latents: Tensor, t: Tensor, embeds: Tensor) -> Tensor:
    """One UNet pass in the UNet's dtype, given and returned in that of the latents."""
    return unet(latents.to(unet.dtype), t, embeds.to(unet.dtype)).sample.to(latents.dtype)


def load_model(
    path_or_hub_name: str | Path,
    *,
    lora: str | Path | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
) -> VideoModel:
    """Load a model from a folder in diffusers' layout or from the Hub, with an adapter if given,
    which is added to its weights.

    Raises:
        ValueError: no such folder or Hub name, a part is missing, or weights are not safetensors.
    """
    folder = find_model(path_or_hub_name)
    try:
        unet = UNet3DConditionModel.from_pretrained(
            folder, subfolder="unet", torch_dtype=dtype, use_safetensors=True
        )
        vae = AutoencoderKL.from_pretrained(
            folder, subfolder="vae", torch_dtype=dtype, use_safetensors=True
        )
        text_encoder = CLIPTextModel.from_pretrained(
            folder, subfolder="text_encoder", dtype=dtype, use_safetensors=True
        )
        tokenizer = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer")
        # What FlipSketch needs of DDIM; betas and prediction type are the model's.
        scheduler = DDIMScheduler.from_pretrained(
            folder,
            subfolder="scheduler",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
            timestep_spacing="leading",
        )
    except OSError as error:
        raise ValueError(f"{folder}: cannot load the model: {error}") from error
    if lora is not None:
        load_lora(unet, text_encoder, find_embedded(lora))
        for network in (unet, text_encoder):
            # As layers of its own the adapter made a pass of the UNet a quarter slower.
            merge_lora(network)
    if dtype == torch.float16 and vae.config.force_upcast:
        vae = vae.float()
    for network in (unet, vae, text_encoder):
        network.requires_grad_(False).eval().to(device)
    if unet.config.sample_size <= FEW_TOKENS:
        unet.set_attn_processor(AttnProcessor())
    return VideoModel(unet, vae, text_encoder, tokenizer, scheduler)


@dataclass(frozen=True, kw_only=True)
class MergeConfig:
    model: str
    """Folder in diffusers' layout, or a name on the Hugging Face Hub."""
    lora: str
    """Adapter folder."""
    output: str
    """Model folder to write."""


def merge_into_folder(config: MergeConfig) -> int:
    """Write the model with the adapter added to its weights; return the exit code.

    Raises:
        OSError, ValueError: the model or the adapter cannot be loaded, or the output is there.
    """
    source = find_model(config.model)
    model = load_model(source, lora=config.lora)
    networks = {"unet": model.unet, "text_encoder": model.text_encoder}
    save_model(networks, source, config.output)
    log.info("merged -> %s", config.output)
    return 0


def save_model(networks: dict[str, Any], source: Path, output: str | Path) -> None:
    """Write a model folder with some networks, by part, in place of those of the folder `source`.

    Raises:
        ValueError: the output is there already.
    """

    def leave_out(folder: str, names: list[str]) -> set[str]:
        pickles = {name for name in names if name.endswith((".bin", ".ckpt", ".pt", ".pth"))}
        is_replaced = Path(folder).name in networks
        old = {name for name in names if is_replaced and ".safetensors" in name}
        return pickles | old | {name for name in names if name.startswith(".")}

    with new_folder(output) as folder:
        shutil.copytree(source, folder, ignore=leave_out, dirs_exist_ok=True)
        for part, network in networks.items():
            network.save_pretrained(folder / part)


def find_embedded(name: str | Path) -> Path:
    """Return the folder of a model or adapter that comes with this project, if it has that name,
    else the path as it is."""
    embedded = EMBEDDED / name
    is_name = Path(name).name == str(name)
    return embedded if is_name and embedded.is_dir() and not Path(name).exists() else Path(name)


def choose_lora(model: str | Path, lora: str | None) -> str | None:
    """Return the adapter to load with a model: the given one, none if it is empty, and by default
    the one that comes with this project's own model."""
    if lora is None and str(model) == EMBEDDED_MODEL:
        return EMBEDDED_LORA
    return lora or None


def find_model(path_or_hub_name: str | Path, parts: tuple[str, ...] = PARTS) -> Path:
    """Return the local folder of a model: one that is given, or comes with this project, or is
    fetched from the Hub.

    Raises:
        ValueError: there is none, or it lacks one of the parts, or a part's weights.
    """
    folder = find_embedded(path_or_hub_name)
    if not folder.is_dir():
        patterns = ["README.md", "*.json", "*/*.json", "*/*.txt", "*/*.safetensors"]
        folder = fetch_files(str(path_or_hub_name), patterns, "a folder in diffusers' layout")
    missing = [part for part in parts if not (folder / part).is_dir()]
    networks = {"unet", "vae", "text_encoder", "image_encoder"}
    for part in [part for part in parts if part in networks] if not missing else ():
        if not any((folder / part).glob("*.safetensors")):
            raise ValueError(
                f"{folder / part}: has no weights as safetensors, and pickles are not loaded; put "
                f"them there, or convert them"
            )
    if missing:
        raise ValueError(
            f"{folder}: not a model folder, it has no {', '.join(missing)}/; expected diffusers' "
            f"layout of a pipeline with {', '.join(f'{part}/' for part in parts)}"
        )
    return folder


def fetch_files(hub_name: str, patterns: list[str], alternative: str) -> Path:
    """Return the local folder of the Hub's files of some names, but for half-precision copies."""
    try:
        return Path(
            snapshot_download(hub_name, allow_patterns=patterns, ignore_patterns=["*.fp16.*"])
        )
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ValueError(
            f"model {hub_name!r} is neither a folder here nor a model that the Hugging Face Hub "
            f"gives ({type(error).__name__}); give the path of {alternative}, or check the name "
            f"and the connection"
        ) from error


def frame_size(folder: Path) -> int:
    """Return height and width in pixels of a model's frames, as `VideoModel.size`, from its
    configuration alone."""
    unet = UNet3DConditionModel.load_config(folder, subfolder="unet")
    vae = AutoencoderKL.load_config(folder, subfolder="vae")
    return unet["sample_size"] * 2 ** (len(vae["block_out_channels"]) - 1)


def model_licence(folder: Path) -> str:
    """Return the licence that the model's card states, or 'unknown'."""
    card = folder / "README.md"
    if card.is_file():
        for line in card.read_text(encoding="utf-8").splitlines()[1:]:
            if line.startswith("license:"):
                return line.removeprefix("license:").strip()
            if line == "---":
                break
    return "unknown"


def fingerprint_folder(folder: str | Path, parts: tuple[str, ...] = PARTS) -> str:
    """Return a hash over the names and contents of a model's or adapter's files.

    Files beside its parts (a card, pictures, `.git`) do not count.
    """
    digest = hashlib.sha256()
    for part in parts:
        for path in sorted((Path(folder) / part).glob("*")):
            if path.is_file():
                with path.open("rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
                digest.update(f"{part}/{path.name} {content}\n".encode())
    return digest.hexdigest()


def weights_bytes(folder: Path) -> int:
    """Return the size of a model's weights on disk."""
    return sum(path.stat().st_size for path in folder.glob("*/*.safetensors"))
