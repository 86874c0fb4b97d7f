"""What a clip costs, from its settings and the model's shapes alone."""

from flipsketch.method.config import SamplingConfig
from flipsketch.method.inversion import INVERSION_FRAMES

# Work of a pass that runs the outermost blocks alone: 34% of a whole one's floating-point
# operations in ModelScope's UNet, 36% in that of doodle.
SHALLOW_SHARE = 0.35


def count_frames(sampling: SamplingConfig) -> tuple[int, int]:
    """Return the single-frame passes of the UNet for a clip, without gradients and with them."""
    frames, steps = sampling.num_frames, sampling.num_inference_steps
    num_predictions = steps + len(sampling.guided_steps)
    reference = sum(max(1, frames - step) for step in range(sampling.num_compose_steps))
    # A reference stream of one frame is predicted for both.
    num_targets = sum(
        step >= sampling.num_compose_steps or step < frames - 1
        for step in range(sampling.num_align_steps)
    )
    plain = INVERSION_FRAMES * steps + frames * num_predictions + reference + num_targets
    return plain, sampling.align_updates * frames * sampling.num_align_steps


def count_shallow_frames(sampling: SamplingConfig) -> int:
    """Return how many of the passes without gradients run the UNet's outermost blocks alone."""
    frames = sampling.num_frames
    return sum(
        frames * (1 + (step in sampling.guided_steps))
        + (max(1, frames - step) if step < sampling.num_compose_steps else 0)
        for step in range(sampling.num_inference_steps)
        if sampling.reuses_features(step)
    )
