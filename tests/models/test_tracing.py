"""What is traced on fake tensors is what real ones take."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from flipsketch.method.config import SamplingConfig
from flipsketch.method.costs import RowTracer
from flipsketch.models.gradient_checkpointing import checkpoint_gradients
from flipsketch.models.inspection import inspect_model
from flipsketch.models.kernels import PLAIN, use_kernels
from flipsketch.models.tracing import FUSED_ON_CPU, LiveBytes, without_content
from flipsketch.models.video_model import load_model

SAMPLING = SamplingConfig(num_frames=3)


def live_bytes(call) -> int:
    with LiveBytes() as live:
        call()
    return live.peak


@pytest.mark.parametrize(
    ("what", "checkpoint"),
    [("predict", False), ("compose", False), ("align", False), ("align", True)],
)
def test_fake_tensors_take_the_bytes_of_real_ones(tiny_folder, what, checkpoint):
    model = load_model(tiny_folder, kernels=PLAIN)
    real = RowTracer(model.unet, SAMPLING)
    real.t = torch.tensor(500)
    with checkpoint_gradients(model.unet, checkpoint):
        found = live_bytes(getattr(real, what))
    unet = inspect_model(tiny_folder)["unet"].eval()
    with without_content(unet, torch.float32), checkpoint_gradients(unet, checkpoint):
        use_kernels(unet, None, PLAIN)
        traced = live_bytes(getattr(RowTracer(unet, SAMPLING), what))
    assert traced == found > 0


def test_bytes_are_counted_for_as_long_as_they_are_in_use():
    weights = torch.zeros(1000)
    with LiveBytes() as live:
        view = weights[:500] + 0.0  # 2,000 bytes
        assert live.live == 2000
        view = view * 2  # both at once, until the name moves on
        assert (live.live, live.peak) == (2000, 4000)
        view.view(2, 250).add_(1)  # nothing new
    assert (live.live, live.peak) == (2000, 4000)


def test_fused_attention_counts_as_its_two_products():
    query, key = torch.zeros(2, 4, 16, 8), torch.zeros(2, 4, 16, 8)
    with FlopCounterMode(display=False, custom_mapping=FUSED_ON_CPU) as counter:
        torch.nn.functional.scaled_dot_product_attention(query, key, key)
    assert counter.get_total_flops() == 2 * (2 * 2 * 4 * 16 * 16 * 8)
