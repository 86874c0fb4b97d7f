"""The host never waits for the device inside the sampler's loops, nor copies anything to it.

Shown on the device `meta`, whose tensors have no values: reading one raises, as it would wait on a
GPU.
"""

from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from flipsketch.method.inversion import invert_path
from flipsketch.method.request import Conditioning
from flipsketch.method.sampler import sample_latents
from flipsketch.method.text_to_video import sample_pixels
from tests.helpers.requests import SHORT


class Transfers(TorchDispatchMode):
    """Counts the operations that take tensors of two devices, except for numbers of the host."""

    num_seen = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        is_copy = function.overloadpacket in (torch.ops.aten._to_copy, torch.ops.aten.copy_)
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        devices = {tensor.device for tensor in tensors if is_copy or tensor.dim()}
        outputs = {leaf.device for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)}
        self.num_seen += len(devices | outputs) > 1
        return result


@pytest.fixture
def meta_model(tiny_model):
    for network in (tiny_model.unet, tiny_model.vae, tiny_model.text_encoder):
        network.to("meta")
    return tiny_model


def count_transfers(model, num_inference_steps: int, **changes) -> int:
    config = replace(SHORT, hold_sketch=True, align_updates=1, **changes)
    with Transfers() as transfers, torch.no_grad():
        sketch, noise = torch.empty(2, 4, 1, 8, 8), torch.empty(2, 4, 4, 8, 8)
        embeds = model.encode_prompts(["", ""])
        path = invert_path(
            *(model.unet, model.scheduler, sketch.to("meta"), embeds),
            *(num_inference_steps, config.solver),
        )
        all_steps = dict.fromkeys(["num_inference_steps", "align_steps"], num_inference_steps)
        rows = [Conditioning("a cat", replace(config, **{**all_steps, **changes}))] * 2
        assert sample_latents(model, path, noise.to("meta"), rows).shape == noise.shape
        sample_pixels(model, noise, rows)
    return transfers.num_seen


@pytest.mark.parametrize(
    "changes", [{}, {"solver": "dpmpp_2m"}, {"cache_interval": 2, "align_steps": 0}]
)
def test_no_step_waits_for_the_device_or_copies_to_it(meta_model, changes):
    one, two = (count_transfers(meta_model, steps, **changes) for steps in (1, 2))
    assert one == two > 0


def test_a_step_that_copies_or_waits_would_be_seen(meta_model):
    timestep = torch.tensor(500)
    with Transfers() as transfers:
        meta_model.unet(
            torch.empty(1, 4, 4, 8, 8).to("meta"), timestep, torch.empty(1, 8, 32).to("meta")
        )
    assert transfers.num_seen == 3
    scheduler = meta_model.scheduler
    scheduler.set_timesteps(3, device="meta")
    latents = torch.empty(1, 4, 4, 8, 8, device="meta")
    with pytest.raises(RuntimeError, match="meta"):
        scheduler.step(latents, scheduler.timesteps[0], latents)
