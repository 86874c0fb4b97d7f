import pytest
import torch

from flipsketch.method.config import SamplingConfig
from flipsketch.method.request import Conditioning
from flipsketch.method.text_to_video import sample_pixels
from flipsketch.models.video_model import load_model


@pytest.mark.slow
def test_clips_of_text_alone_are_those_of_diffusers_own_animatediff(tiny_motion_folder):
    # Here, since importing it takes seconds.
    from diffusers import AnimateDiffPipeline

    model = load_model(tiny_motion_folder, dtype=torch.float64)
    pipeline = AnimateDiffPipeline.from_pretrained(tiny_motion_folder, torch_dtype=torch.float64)
    noise = torch.randn(1, 4, 5, 8, 8, dtype=torch.float64)
    sampling = SamplingConfig(num_frames=5, num_inference_steps=7, guidance_scale=5.0)
    (frames,) = pipeline(
        "a cat",
        num_frames=5,
        height=16,
        width=16,
        num_inference_steps=7,
        guidance_scale=5.0,
        latents=noise,
        output_type="pt",
    ).frames
    (pixels,) = sample_pixels(model, noise, [Conditioning("a cat", sampling)])
    # The pipeline gives float32.
    torch.testing.assert_close(2 * frames.transpose(0, 1).double() - 1, pixels, rtol=0, atol=1e-6)
