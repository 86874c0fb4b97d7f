"""The results of the published code, in float64. tests/golden/README.md says how they were made."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from flipsketch.inversion import invert
from flipsketch.model import load_model
from flipsketch.sampling import SamplingConfig, sample_latents

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def model():
    return load_model(GOLDEN / "model", dtype=torch.float64)


def test_inversion_agrees_with_the_published_code(model):
    golden = np.load(GOLDEN / "inversion.npz")
    pixels = torch.from_numpy(golden["sketch"])[:, :, None] * 2 - 1
    latents = model.encode(pixels)
    np.testing.assert_allclose(latents, golden["latents"], rtol=0, atol=1e-12)
    reference_latents = invert(
        model.unet, model.scheduler, latents.repeat(1, 1, 5, 1, 1), model.encode_prompts([""]), 25
    )
    np.testing.assert_allclose(reference_latents, golden["reference"], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "case",
    [
        "no_composition",
        "lambda0",
        "lambda1",
        pytest.param("batch2_lambda05", marks=pytest.mark.slow),
        pytest.param("aligned_lambda0", marks=pytest.mark.slow),
        pytest.param("aligned_lambda1", marks=pytest.mark.slow),
    ],
)
def test_sampling_agrees_with_the_published_code(model, case):
    golden, about = (
        np.load(GOLDEN / f"{case}.npz"),
        json.loads((GOLDEN / f"{case}.json").read_text()),
    )
    config = SamplingConfig(
        num_frames=about["num_frames"],
        num_inference_steps=about["num_inference_steps"],
        guidance_scale=about["guidance_scale"],
        negative_prompt=about["negative_prompt"],
        reference_scale=about["lambda"],
        align_steps=None if about["align"] else 0,
        compose_steps=None if about["compose"] else 0,
    )
    reference_latents = torch.from_numpy(golden["reference"])
    latents = sample_latents(
        model,
        reference_latents.expand(about["batch"], -1, -1, -1, -1),
        torch.from_numpy(golden["noise"]),
        [about["prompt"]] * about["batch"],
        config,
    )
    # Where lambda is not 0 the published code rounds its weights to float32.
    atol = 1e-9 if about["lambda"] == 0 else 1e-6
    np.testing.assert_allclose(latents, golden["latents"], rtol=0, atol=atol)
