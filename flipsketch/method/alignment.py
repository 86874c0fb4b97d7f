"""Iterative frame alignment: nudge the moving frames until the sketch among them denoises as alone.

The joint prediction's frame 0 drifts from what the model predicts for the lone sketch, because the
noisy frames beside it reach it through the temporal layers. A few Adam iterations on those frames
close the gap (FlipSketch, section 4.2).
"""

from functools import partial

import torch
from torch import Tensor

from flipsketch.models.blocks import VideoUNet
from flipsketch.models.graphs import graphs_of
from flipsketch.models.video_model import run_unet

LEARNING_RATE = 1e-3


@torch.no_grad()
def align_frames(
    unet: VideoUNet,
    latents: Tensor,
    target: Tensor,
    t: Tensor,
    prompt_embeds: Tensor,
    num_updates: int,
) -> Tensor:
    """Return the latents with all frames but the first aligned to it.

    Args:
        latents: the clip at timestep t (B, C, F, h, w), frame 0 that of the reference stream.
        target: the UNet's prediction for frame 0 alone, empty prompt (B, C, 1, h, w).
        prompt_embeds: (B, L, D).

    Each row's loss is its own, so a batch gives what its rows give one by one. No gradient of a
    weight is computed. Runs in the dtype of `latents`: in bfloat16 most Adam updates would vanish.
    """
    reference_frame = latents[:, :, :1]
    moving = latents[:, :, 1:].clone()
    optimizer = torch.optim.Adam([moving], lr=LEARNING_RATE)
    for _ in range(num_updates):
        moving.grad = graphs_of(unet).run(
            "loss_gradient",
            partial(loss_gradient, unet),
            moving,
            reference_frame,
            target,
            t,
            prompt_embeds,
        )
        optimizer.step()
    return torch.cat([reference_frame, moving], dim=2)


def loss_gradient(
    unet: VideoUNet,
    moving: Tensor,
    reference_frame: Tensor,
    target: Tensor,
    t: Tensor,
    prompt_embeds: Tensor,
) -> Tensor:
    """Return the loss's gradient with respect to the moving frames (B, C, F - 1, h, w)."""
    with torch.enable_grad():
        moving = moving.detach().requires_grad_()
        joint = torch.cat([reference_frame, moving], dim=2)
        noise_pred = run_unet(unet, joint, t, prompt_embeds)
        loss = (noise_pred[:, :, :1] - target).square().mean(dim=(1, 2, 3, 4)).sum()
    (gradient,) = torch.autograd.grad(loss, moving)
    return gradient
