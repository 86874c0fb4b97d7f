"""The step from a timestep to the next: DDIM, as published, or DPM-Solver++ 2M for fewer steps."""

from typing import TypeAlias

import torch
from diffusers import (
    DDIMInverseScheduler,
    DDIMScheduler,
    DPMSolverMultistepInverseScheduler,
)
from torch import Tensor

from flipsketch.method.config import SolverName
from flipsketch.method.limits import check_steps

Scheduler: TypeAlias = DDIMScheduler | DDIMInverseScheduler | DPMSolverMultistepInverseScheduler


class Solver:
    """Steps one stream of latents along the ODE: to the clip, or with `inverse` to the noise.

    Timesteps and coefficients stay on the host, so that no step waits for the device.
    """

    def __init__(
        self,
        scheduler: DDIMScheduler,
        name: SolverName,
        num_inference_steps: int,
        *,
        inverse: bool = False,
    ) -> None:
        """Raises ValueError: the schedule has no timesteps for so many steps."""
        check_steps(num_inference_steps, scheduler.config.num_train_timesteps)
        self.scheduler: Scheduler
        if name == "ddim":
            kind = DDIMInverseScheduler if inverse else DDIMScheduler
            self.scheduler = kind.from_config(scheduler.config)
            self.scheduler.set_timesteps(num_inference_steps)
        else:
            self.scheduler = make_multistep(scheduler, num_inference_steps, inverse)

    @property
    def timesteps(self) -> Tensor:
        """In the order of the steps, on the host."""
        return self.scheduler.timesteps

    def step(
        self, noise_pred: Tensor, t: Tensor, latents: Tensor, *, is_replaced: bool = False
    ) -> Tensor:
        """Return latents (B, C, F, h, w) one step further.

        Args:
            latents: the first frames of what the last step returned; the stream may have lost some.
            is_replaced: frame 0 is not what the last step returned. Its step is then of first
                order: the earlier prediction belongs to the frame that was replaced, and to
                extrapolate from one to the other would carry on a motion that nobody made. Frames
                that alignment nudges, by less than 0.01, keep theirs.
        """
        if isinstance(self.scheduler, DPMSolverMultistepInverseScheduler):
            self.trim_history(noise_pred, latents, is_replaced)
        return self.scheduler.step(noise_pred, t, latents).prev_sample

    def trim_history(self, noise_pred: Tensor, latents: Tensor, is_replaced: bool) -> None:
        """Have the solver's history fit the frames that it is to step."""
        scheduler = self.scheduler
        before = scheduler.model_outputs[-1]
        if before is None:
            return
        before = before[:, :, : latents.shape[2]]
        if is_replaced:
            # A history that is like the prediction itself adds nothing to it.
            now = scheduler.convert_model_output(noise_pred, sample=latents)
            before = torch.cat([now[:, :, :1], before[:, :, 1:]], dim=2)
        scheduler.model_outputs[-1] = before


def make_multistep(
    scheduler: DDIMScheduler, num_inference_steps: int, inverse: bool
) -> DPMSolverMultistepInverseScheduler:
    """Return DPM-Solver++ 2M (Lu et al., 2022) over evenly spaced timesteps.

    The inverse scheduler serves both directions: one grid, whose ends meet (with the DDIM grid's
    "leading" spacing the two of diffusers do not), and its steps keep float64, which
    DPMSolverMultistepScheduler rounds to float32.
    """
    multistep = DPMSolverMultistepInverseScheduler.from_config(
        scheduler.config,
        timestep_spacing="linspace",
        solver_order=2,
        # The last step, which spans most of the solver's own time, is steadier at first order. At
        # the noisy end it takes inversion off its way: a still clip comes back 1.3 to 1.6 times
        # nearer without (doodle, 6 to 12 steps).
        euler_at_final=not inverse,
        lower_order_final=not inverse,
    )
    multistep.set_timesteps(num_inference_steps)
    if not inverse:
        last = torch.tensor([multistep.noisiest_timestep])
        multistep.timesteps = torch.cat([multistep.timesteps[1:], last]).flip(0)
        multistep.sigmas = multistep.sigmas.flip(0)
    return multistep
