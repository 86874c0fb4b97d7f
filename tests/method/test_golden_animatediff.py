"""The results of a slow reference on a toy AnimateDiff, in float64. README.md beside them says how
they were made, and how to check the cases that are not kept there."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from flipsketch.method.composition import compose_attention
from flipsketch.method.config import SamplingConfig
from flipsketch.method.inversion import invert
from flipsketch.method.request import Conditioning
from flipsketch.method.sampler import sample_latents
from flipsketch.models.inspection import load_scheduler
from flipsketch.models.kernels import FAST, PLAIN, use_kernels
from flipsketch.models.video_model import VideoModel, load_unet, predict_noise

GOLDEN = Path(__file__).parents[1] / "golden_animatediff"
# A folder that has all of the cases.
WHOLE = Path(os.environ.get("GOLDEN_ANIMATEDIFF", GOLDEN))
CASES = sorted(
    path.stem for path in WHOLE.glob("*.json") if path.stem not in ("inversion", "one_pass")
)

PASS_ATOL = 1e-6
INVERSION_ATOL = 2e-6
# Values have a deviation of 17 to 30: a random UNet is no denoiser.
SAMPLING_ATOL = 5e-5


@dataclass(frozen=True)
class EmbeddedModel(VideoModel):
    """Has embeddings in place of a text encoder."""

    embeds: dict[str, Tensor] = field(default_factory=dict)
    """By prompt, (L, D) each."""

    def encode_prompts(self, prompts: list[str]) -> Tensor:
        return torch.stack([self.embeds[prompt] for prompt in prompts])


@pytest.fixture
def model(request) -> EmbeddedModel:
    unet = load_unet(GOLDEN / "model", None, torch.float64).requires_grad_(False).eval()
    use_kernels(unet, None, getattr(request, "param", PLAIN))
    return EmbeddedModel(unet, None, None, None, load_scheduler(GOLDEN / "model"))


def load_case(name: str, folder: Path = GOLDEN):
    arrays = {
        key: torch.from_numpy(value) for key, value in np.load(folder / f"{name}.npz").items()
    }
    return arrays, json.loads((folder / f"{name}.json").read_text())


def assert_close(made: Tensor, wanted: Tensor, atol: float) -> None:
    torch.testing.assert_close(made, wanted, rtol=0, atol=atol)


def test_inversion_agrees(model):
    golden, about = load_case("inversion")
    still = golden["latents"].repeat(1, 1, about["num_frames"], 1, 1)
    null_embeds = golden["null_embeds"].expand(2, -1, -1)
    reference = invert(
        model.unet, model.scheduler, still, null_embeds, about["num_inference_steps"]
    )
    assert_close(reference, golden["reference"], INVERSION_ATOL)


@pytest.mark.parametrize("model", [PLAIN, FAST], ids=["plain", "fast"], indirect=True)
@torch.no_grad()
def test_one_composed_pass_agrees(model):
    golden, about = load_case("one_pass")
    t, scales = torch.tensor(about["timestep"]), torch.tensor(about["lambdas"]).double()
    prompt_embeds, null_embeds = golden["prompt_embeds"], golden["null_embeds"].expand(2, -1, -1)
    plain = predict_noise(model.unet, golden["clip"], t, prompt_embeds)
    assert_close(plain, golden["plain"], PASS_ATOL)
    for wanted, attn2 in (("composed", False), ("composed_motion_attn2", True)):
        with compose_attention(model.unet, scales, temporal_attn2=attn2) as attention:
            with attention.recording(about["stream_frames"]):
                predict_noise(model.unet, golden["stream"], t, null_embeds)
            with attention.composing():
                composed = predict_noise(model.unet, golden["clip"], t, prompt_embeds)
        assert_close(composed, golden[wanted], PASS_ATOL)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("model", [PLAIN, FAST], ids=["plain", "fast"], indirect=True)
def test_sampling_agrees(model, case):
    check_case(model, case)


def check_case(model: EmbeddedModel, case: str) -> None:
    golden, about = load_case(case, WHOLE)
    model.embeds.update(zip(about["prompts"], golden["prompt_embeds"], strict=True))
    model.embeds[about["negative_prompt"]] = golden["null_embeds"][0]
    shared = {
        name: about[name]
        for name in (
            *("num_frames", "num_inference_steps", "guidance_scale", "negative_prompt"),
            *("align_steps", "compose_steps", "compose_motion_attn2"),
        )
    }
    conditionings = [
        Conditioning(prompt, SamplingConfig(**shared, reference_scale=scale))
        for prompt, scale in zip(about["prompts"], about["lambdas"], strict=True)
    ]
    latents = sample_latents(model, [golden["reference"]], golden["noise"], conditionings)
    assert_close(latents, golden["latents"], SAMPLING_ATOL)
