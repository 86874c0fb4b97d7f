"""A pool of first frames along the paths of their inversion, for the batches of one device."""

from collections.abc import Callable

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from flipsketch.training.first_frames import NUM_INVERSION_STEPS, go_on_path, make_inverse

# First frames inverted at once, along a path with a random first timestep. A GPU's fused attention
# takes at most 65,535 sequences, of which a frame has one for each position of its latents.
INVERSION_CHUNK, MAX_SEQUENCES = 250, 65_535


class InvertedFrames:
    """Of each row a clip, where its window begins, and its first frame's latents along a path; as
    many rows for each of NUM_INVERSION_STEPS. The tensors are overwritten, never replaced, so that
    a CUDA graph may read them."""

    def __init__(self, latents: Tensor, num_each: int) -> None:
        """
        Args:
            latents: latents of all clips (N, F, C, h, w).
            num_each: rows for each of NUM_INVERSION_STEPS.
        """
        self.latents, self.num_each = latents, num_each
        device = latents.device
        num_rows, num_steps = len(NUM_INVERSION_STEPS) * num_each, max(NUM_INVERSION_STEPS)
        self.clips, self.starts = torch.zeros(2, num_rows, dtype=torch.long, device=device)
        shape = (num_rows, num_steps, *latents.shape[2:])
        self.paths = torch.zeros(shape, dtype=torch.float16, device=device)
        self.times = torch.zeros(num_rows, num_steps, dtype=torch.long, device=device)

    def __len__(self) -> int:
        return len(self.clips)

    @torch.no_grad()
    def renew(
        self,
        draw_starts: Callable[[Tensor], Tensor],
        predict: Callable[..., Tensor],
        scheduler: DDIMScheduler,
        null: Tensor,
    ) -> None:
        """Draw windows, and invert their first frames.

        Args:
            draw_starts: returns where a window of each of some clips begins.
            predict: the UNet's prediction, see `go_on_path`.
            null: the empty prompt.
        """
        height, width = self.latents.shape[-2:]
        most = min(INVERSION_CHUNK, MAX_SEQUENCES // (height * width))
        device, num_timesteps = self.latents.device, scheduler.config.num_train_timesteps
        self.clips.random_(len(self.latents))
        self.starts.copy_(draw_starts(self.clips))
        # Timesteps after a path's end are never reached.
        self.times.fill_(num_timesteps)
        for number, num_steps in enumerate(NUM_INVERSION_STEPS):
            for chunk in torch.arange(self.num_each).split(most):
                rows = number * self.num_each + chunk.to(device)
                offset = int(torch.randint(num_timesteps // num_steps, ()))
                inverse = make_inverse(scheduler, num_steps, offset, device)
                path = self.latents[self.clips[rows], self.starts[rows]].float()[:, :, None]
                for step, t in enumerate(inverse.timesteps):
                    path = go_on_path(path, t, predict, inverse, null)
                    self.paths[rows, step] = path[:, :, 0].half()
                    self.times[rows, step] = t

    def find(self, rows: Tensor, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last point of each row's path at or before a timestep: latents (B, C, 1, h, w)
        and timesteps (B,). A timestep before the path has its first point."""
        times = self.times[rows]
        step = ((times <= timesteps[:, None]).sum(dim=1) - 1).clamp(min=0)
        return self.paths[rows, step].float()[:, :, None], times.gather(1, step[:, None])[:, 0]
