"""The embedded model's VAE: doodles in both looks and strokes of any kind, to latents and back."""

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor

from flipsketch.doodle_model.pixel_arrays import DoodleArrays
from flipsketch.doodle_model.session import Session
from flipsketch.rng import Stream, random_state
from flipsketch.training.resumable import SimpleLearner

INK_WEIGHT, KL_WEIGHT = 4.0, 1e-6
# Steps over which the KL term is faded in: any earlier, it switches channels off for good.
KL_WARMUP = 1000
BATCH_SIZE = 12
# A larger posterior variance at the start would keep fine lines from being learnt.
FIRST_LOG_VARIANCE = -6.0
MAX_SHIFT, MAX_NOISE = 6, 0.2
"""Largest shift of frames in pixels, and largest noise on latents, in the decoder's training."""


def make_vae(size: int, latent_channels: int) -> AutoencoderKL:
    """Return a VAE that halves frames twice."""
    channels = (16, 32, 64)
    vae = AutoencoderKL(
        sample_size=size,
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        layers_per_block=1,
        norm_num_groups=8,
        latent_channels=latent_channels,
        scaling_factor=1.0,
    )
    vae.quant_conv.bias.data[latent_channels:] = FIRST_LOG_VARIANCE
    return vae


class VAETraining:
    """L1 and L2 on pixels, those with ink weighted five times, and a KL term of small weight.

    Shifted latents must decode to the shifted frame: otherwise a moving drawing's latents differ
    from frame to frame as much as those of different drawings, and motion is hard to learn.
    Source: Kouzelis et al. (2025), "EQ-VAE", with shifts in place of turns and scales.
    """

    def __init__(
        self,
        vae: AutoencoderKL,
        corpora: list[DoodleArrays],
        scribbles: np.ndarray,
        session: Session,
        *,
        num_steps: int,
        seed: int,
    ) -> None:
        """
        Args:
            scribbles: uint8 (N, H, W, 3).
        """
        self.own = slice(session.rank, None, session.num_ranks)
        self.vae, self.corpora, self.scribbles = vae, corpora, scribbles
        self.device, self.seed = session.device, seed
        self.learner = SimpleLearner([vae], self.loss, num_steps=num_steps, learning_rate=2e-3)

    def loss(self, step: int) -> Tensor:
        random = random_state(self.seed, Stream.VAE_BATCH, step)
        # The whole batch is drawn, so that it is the same however many processes share it.
        pixels = self.draw_pixels(random, BATCH_SIZE)[self.own]
        posterior = self.vae.encode(pixels).latent_dist
        shape = (BATCH_SIZE, *posterior.mean.shape[1:])
        noise, more_noise = (self.share(random.standard_normal(shape)) for _ in range(2))
        level = self.share(random.uniform(0, MAX_NOISE, (BATCH_SIZE, 1, 1, 1)))
        latents = posterior.mean + posterior.std * noise + level * more_noise
        shifts = self.share(random.randint(-MAX_SHIFT, MAX_SHIFT + 1, (BATCH_SIZE, 2)))
        size = pixels.shape[-1]
        losses = [
            pixel_loss(self.vae.decode(latents).sample, pixels),
            pixel_loss(
                self.vae.decode(move(latents, shifts / size, "bicubic")).sample,
                move(pixels, shifts / size, "nearest"),
            ),
        ]
        kl_weight = KL_WEIGHT * min(1.0, step / KL_WARMUP)
        return sum(losses) + kl_weight * posterior.kl().mean()

    def share(self, numbers: np.ndarray) -> Tensor:
        """Return this process's share of a batch's random numbers."""
        return torch.from_numpy(numbers.astype(np.float32))[self.own].to(self.device)

    def draw_pixels(self, random: np.random.RandomState, batch_size: int) -> Tensor:
        """Return pixels (B, 3, H, W): a quarter scribbles, a half from the first corpus, a quarter
        from the other."""
        frames = []
        for place in range(batch_size):
            if place % 4 == 3:
                frame = self.scribbles[random.randint(len(self.scribbles))]
            else:
                clips = self.corpora[place % len(self.corpora)].clips
                frame = clips[random.randint(len(clips)), random.randint(clips.shape[1])]
            frames.append(frame[:, ::-1] if random.random_sample() < 0.5 else frame)
        pixels = torch.from_numpy(np.stack(frames)).float().permute(0, 3, 1, 2)
        return (pixels / 127.5 - 1).to(self.device)

    @torch.no_grad()
    def draw_samples(self) -> Image.Image:
        """Return a picture of frames, and below them their reconstructions."""
        pixels = self.draw_pixels(random_state(self.seed, Stream.VAE_VALIDATION), 16)
        with self.learner.ema.swapped_in():
            decoded = self.vae.decode(self.vae.encode(pixels).latent_dist.mode()).sample
        both = torch.stack([pixels, decoded.clamp(-1, 1)], dim=0).cpu()
        rows = ((both + 1) * 127.5).round().to(torch.uint8).permute(0, 3, 1, 4, 2)
        height, count, width = rows.shape[1:4]
        sheet = Image.fromarray(rows.reshape(2 * height, count * width, 3).numpy())
        return sheet.resize((2 * sheet.width, 2 * sheet.height), Image.Resampling.NEAREST)


def pixel_loss(decoded: Tensor, pixels: Tensor) -> Tensor:
    # Pixels far from white: ink and strong colours.
    weights = 1 + INK_WEIGHT * (pixels.amin(dim=1, keepdim=True) < 0).float()
    errors = (decoded - pixels).abs()
    return (weights * (errors + errors**2)).mean()


def move(images: Tensor, shifts: Tensor, mode: str) -> Tensor:
    """Return images (B, C, H, W) whose content is moved to the right and down by shares of their
    size (B, 2); the edge is repeated."""
    affine = torch.eye(2, 3, device=images.device).repeat(len(images), 1, 1)
    # The grid, from -1 to 1, says where each pixel comes from.
    affine[:, :, 2] = -2 * shifts
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode=mode, padding_mode="border", align_corners=False)


@torch.no_grad()
def measure_scale(vae: AutoencoderKL, pixels: Tensor) -> float:
    """Return what latents are multiplied by to have unit deviation."""
    return float(1 / vae.encode(pixels).latent_dist.mode().std())
