"""Score distillation: the direction in which a text-to-video model would change a clip.

The clip's latents are noised to a random timestep; the guided prediction of the noise, less the
noise that was added, is the gradient (Poole et al., 2022, "DreamFusion"). No gradient passes
through the UNet.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from flipsketch.method.config import INVERSION_FRAMES
from flipsketch.method.guidance import Guidance
from flipsketch.method.schedule import on_host_and_device
from flipsketch.method.solver import Solver
from flipsketch.models.graphs import graphs_of
from flipsketch.models.video_model import VideoModel, predict_noise

# Of NUM_TIMESTEPS; the published code ends one earlier.
FIRST_TIMESTEP, LAST_TIMESTEP, NUM_TIMESTEPS = 50, 949, 1000


@torch.no_grad()
def distillation_gradient(
    model: VideoModel, latents: Tensor, noise: Tensor, t: Tensor, guidance: Guidance
) -> Tensor:
    """Return the gradient on latents (B, C, F, h, w), weighted by 1 - alpha_bar as published.

    Args:
        noise: what the latents are noised with, shaped like them.
        t: a timestep for each row (B,).

    Raises:
        ValueError: the model predicts neither noise nor velocity.
    """
    alpha_bar = model.scheduler.alphas_cumprod[t.cpu()].to(latents).view(-1, 1, 1, 1, 1)
    signal, sigma = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    noisy = signal * latents + sigma * noise
    embeds = torch.cat([guidance.prompt_embeds, guidance.negative_embeds])
    both = predict_noise(model.unet, torch.cat([noisy, noisy]), t.repeat(2), embeds)
    with_prompt, without = both.chunk(2)
    noise_pred = without + guidance.scale * (with_prompt - without)
    kind = model.scheduler.config.prediction_type
    if kind == "v_prediction":
        # Salimans and Ho (2022): the velocity is signal * noise - sigma * latents.
        noise_pred = signal * noise_pred + sigma * noisy
    elif kind != "epsilon":
        raise ValueError(
            f"the model predicts {kind!r}; score distillation needs one that predicts epsilon or "
            f"v_prediction"
        )
    return sigma**2 * (noise_pred - noise)


def pixel_gradient(
    model: VideoModel, pixels: Tensor, latents_gradient: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return the gradient on pixels (B, 3, F, H, W) that one on their latents brings about.

    Latents are the mode of the VAE's posterior, as everywhere here; the published code samples it.

    The graph of the VAE's encoder takes 0.4 GB a frame of 256 pixels in half precision. Where a
    batch takes several calls, it is encoded without gradients first, and again, a call at a time,
    once the gradient on the latents is known.

    Args:
        latents_gradient: returns the gradient on latents (B, C, F, h, w).
    """
    images = pixels.detach().transpose(1, 2).flatten(0, 1).to(model.vae.dtype)
    chunks = [chunk.requires_grad_() for chunk in images.split(model.vae_chunk)]
    encoded: list[Tensor] = []
    for chunk in chunks:
        with torch.set_grad_enabled(len(chunks) == 1):
            encoded.append(model.vae.encode(chunk).latent_dist.mode())
    scale = model.vae.config.scaling_factor
    latents = torch.cat([chunk.detach() for chunk in encoded]).to(model.latents_dtype) * scale
    gradient = latents_gradient(latents.unflatten(0, (len(pixels), -1)).transpose(1, 2)) * scale
    gradients = gradient.transpose(1, 2).flatten(0, 1).to(images.dtype).split(model.vae_chunk)
    if len(chunks) == 1:
        found = torch.autograd.grad(encoded, chunks, gradients)
    else:
        found = tuple(
            torch.autograd.grad(model.vae.encode(chunk).latent_dist.mode(), chunk, gradient)[0]
            for chunk, gradient in zip(chunks, gradients, strict=True)
        )
    images_gradient = torch.cat(found).to(pixels.dtype)
    return images_gradient.unflatten(0, (len(pixels), -1)).transpose(1, 2)


@dataclass(frozen=True, eq=False)
class FirstFrameNoise:
    """The noise of sketches at any timestep: that of their DDIM inversion, with which the model
    takes frame 0 for the sketch. Between the inversion's timesteps it is interpolated."""

    timesteps: Tensor
    """(S,), rising."""
    noise: Tensor
    """(S, B, C, 1, h, w)."""

    @classmethod
    @torch.no_grad()
    def invert(
        cls,
        model: VideoModel,
        sketch_latents: Tensor,
        null_embeds: Tensor,
        num_steps: int,
        last_timestep: int = LAST_TIMESTEP,
    ) -> "FirstFrameNoise":
        """Args:
        sketch_latents: (B, C, 1, h, w).
        num_steps: of the whole inversion, which ends when no later timestep is asked for.
        """
        latents = sketch_latents.repeat(1, 1, INVERSION_FRAMES, 1, 1)
        inverse = Solver(model.scheduler, "ddim", num_steps, inverse=True)
        timesteps, path = [], []
        with graphs_of(model.unet).batch(model.unet, "invert", latents.shape):
            for timestep, t in on_host_and_device(inverse.timesteps, latents.device):
                noise_pred = predict_noise(model.unet, latents, t, null_embeds)
                latents = inverse.step(noise_pred, timestep, latents)
                timesteps.append(timestep)
                path.append(latents.mean(dim=2, keepdim=True))
                if timestep >= last_timestep:
                    break
        noisy, reached = torch.stack(path), torch.stack(timesteps)
        alpha_bar = model.scheduler.alphas_cumprod[reached].to(noisy).view(-1, 1, 1, 1, 1, 1)
        noise = (noisy - alpha_bar.sqrt() * sketch_latents) / (1 - alpha_bar).sqrt()
        return cls(reached.to(noisy), noise)

    def at(self, t: Tensor) -> Tensor:
        """Return noise (B, C, 1, h, w) of each row at a timestep of its own (B,)."""
        last = len(self.timesteps) - 1
        after = torch.searchsorted(self.timesteps, t.to(self.timesteps)).clamp(max=last)
        before = (after - 1).clamp(min=0)
        span = (self.timesteps[after] - self.timesteps[before]).clamp(min=1)
        share = ((t - self.timesteps[before]) / span).clamp(0, 1).view(-1, 1, 1, 1, 1)
        rows = torch.arange(len(t), device=t.device)
        return torch.lerp(self.noise[before, rows], self.noise[after, rows], share)


def draw_noise_and_timesteps(
    generators: Sequence[torch.Generator],
    shape: torch.Size,
    first_timestep: int = FIRST_TIMESTEP,
    last_timestep: int = LAST_TIMESTEP,
) -> tuple[Tensor, Tensor]:
    """Return noise (B, C, F, h, w) and timesteps (B,), on the host, by each row's own generator."""
    noise, timesteps = [], []
    for generator in generators:
        timesteps.append(torch.randint(first_timestep, last_timestep + 1, (), generator=generator))
        noise.append(torch.randn(shape[1:], generator=generator))
    return torch.stack(noise), torch.stack(timesteps)


def scale_timestep(timestep: int, scheduler: DDIMScheduler) -> int:
    """Return what a timestep of NUM_TIMESTEPS is in a schedule that may have more or fewer."""
    return timestep * scheduler.config.num_train_timesteps // NUM_TIMESTEPS
