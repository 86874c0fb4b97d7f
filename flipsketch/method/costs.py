"""What a clip costs, from its settings and the model's shapes alone."""

from flipsketch.method.alignment import NUM_UPDATES
from flipsketch.method.config import SamplingConfig
from flipsketch.method.inversion import INVERSION_FRAMES


def count_frames(sampling: SamplingConfig) -> tuple[int, int]:
    """Return the single-frame passes of the UNet for a clip, without gradients and with them."""
    frames, steps = sampling.num_frames, sampling.num_inference_steps
    passes = 1 if sampling.guidance_scale == 1.0 else 2
    reference = sum(max(1, frames - step) for step in range(sampling.num_compose_steps))
    # A reference stream of one frame is predicted for both.
    num_targets = sum(
        step >= sampling.num_compose_steps or step < frames - 1
        for step in range(sampling.num_align_steps)
    )
    plain = (INVERSION_FRAMES + passes * frames) * steps + reference + num_targets
    return plain, NUM_UPDATES * frames * sampling.num_align_steps
