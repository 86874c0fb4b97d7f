"""What a clip is said to take is what it takes, on a card of torch's meta device."""

from dataclasses import replace

import numpy as np
import pytest

from flipsketch.method.animators import FlipSketch
from flipsketch.method.config import SamplingConfig
from flipsketch.method.costs import ClipCosts, TracedCosts
from flipsketch.method.fitting import SAVINGS, Savings
from flipsketch.method.request import ClipRequest
from flipsketch.models.kernels import FAST
from flipsketch.models.loading import Loading
from flipsketch.models.tiny import write_tiny_model
from flipsketch.models.tracing import LiveBytes

SAMPLING = SamplingConfig(
    num_frames=3, num_inference_steps=2, align_steps=1, align_updates=1, compose_steps=1
)


@pytest.mark.parametrize("family", ["modelscope", "animatediff"])
def test_a_clip_takes_what_its_model_says_before_it_is_loaded(family, tmp_path):
    folder = write_tiny_model(tmp_path, size=32, family=family)
    for weights in folder.rglob("*.safetensors"):
        weights.rename(weights.with_suffix(".away"))
    loading = Loading(model=folder, device="meta", kernels=FAST, offload=True)
    costs = TracedCosts(folder, loading, "flipsketch", SAMPLING)(False)
    for weights in folder.rglob("*.away"):
        weights.rename(weights.with_suffix(".safetensors"))
    animator = FlipSketch(loading)
    sketch = np.full((32, 32, 3), 255, np.uint8)
    with LiveBytes() as live:
        animator.sample([ClipRequest(sketch, ("a cat",), 0, SAMPLING)])
    # The host's own weights are seen, too, as they are copied.
    taken = live.peak - costs.weights_bytes
    assert costs.offload and costs.row_bytes > costs.pass_bytes
    assert costs.peak_bytes(1) == pytest.approx(taken, rel=0.05)


def test_parts_that_take_turns_take_no_more_than_the_largest():
    costs = ClipCosts(
        weights={"unet": 30, "vae": 2, "text_encoder": 7},
        row_bytes=10,
        pass_bytes=4,
        num_frames=10,
        frame_bytes=5,
        vae_chunk=8,
    )
    peaks = [costs.with_savings(savings).peak_bytes(2) for savings in (Savings(), *SAVINGS)]
    assert peaks == [39 + 20 + 40, 39 + 20 + 5, 50, 50]
    decoding = replace(costs, frame_bytes=10)
    assert [decoding.with_savings(each).peak_bytes(1) for each in SAVINGS] == [59, 82, 40]
    vector = replace(costs, vae_stays=True, offload=True)
    assert vector.peak_bytes(2) == 32 + 20 + 40
