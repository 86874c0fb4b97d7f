"""What a clip is said to take is what it takes."""

from dataclasses import replace

import numpy as np
import pytest

from flipsketch.method.config import SamplingConfig
from flipsketch.method.costs import ClipCosts, TracedCosts
from flipsketch.method.fitting import SAVINGS, Savings
from flipsketch.method.request import ClipRequest
from flipsketch.method.sampler import animate_pixels
from flipsketch.models.kernels import FAST
from flipsketch.models.loading import Loading
from flipsketch.models.offloading import take_turns
from flipsketch.models.tiny import write_tiny_model
from flipsketch.models.tracing import LiveBytes
from flipsketch.models.video_model import load_model

SAMPLING = SamplingConfig(
    num_frames=3, num_inference_steps=2, align_steps=1, align_updates=1, compose_steps=1
)
COSTS = ClipCosts(
    weights={"unet": 30, "vae": 2, "text_encoder": 7},
    row_bytes=10,
    pass_bytes=4,
    num_frames=10,
    frame_bytes=5,
    vae_chunk=8,
)


@pytest.mark.parametrize(
    "family", ["animatediff", pytest.param("modelscope", marks=pytest.mark.slow)]
)
def test_a_clip_takes_what_its_model_says_before_it_is_loaded(family, tmp_path):
    folder = write_tiny_model(tmp_path, size=32, family=family)
    for weights in folder.rglob("*.safetensors"):
        weights.rename(weights.with_suffix(".away"))
    loading = Loading(model=folder, kernels=FAST, offload=True)
    costs = TracedCosts(folder, loading, "flipsketch", SAMPLING)(False)
    for weights in folder.rglob("*.away"):
        weights.rename(weights.with_suffix(".safetensors"))
    model = load_model(folder, kernels=FAST)
    # On the host weights are copied and let go as on a card.
    take_turns([model.text_encoder, model.unet, model.vae], "cpu")
    sketch = np.full((32, 32, 3), 255, np.uint8)
    with LiveBytes() as live:
        animate_pixels(model, [ClipRequest(sketch, ("a cat",), 0, SAMPLING)])
    # The originals are seen, too, as they are copied.
    taken = live.peak - costs.weights_bytes
    assert costs.row_bytes > costs.pass_bytes
    assert costs.peak_bytes(1) == pytest.approx(taken, rel=0.05)


def test_parts_that_take_turns_take_no_more_than_the_largest():
    peaks = [COSTS.with_savings(savings).peak_bytes(2) for savings in (Savings(), *SAVINGS)]
    assert peaks == [39 + 20 + 40, 39 + 20 + 5, 50, 50]
    decoding = replace(COSTS, frame_bytes=10)
    assert [decoding.with_savings(each).peak_bytes(1) for each in SAVINGS] == [59, 82, 40]
    vector = replace(COSTS, vae_stays=True, offload=True)
    assert vector.peak_bytes(2) == 32 + 20 + 40


def test_a_refusal_names_the_flags_that_let_the_card_do():
    sampling = SamplingConfig(align_steps=0)
    traced = TracedCosts(None, Loading(model="", device="cuda"), "flipsketch", sampling)
    traced.traced[False] = COSTS
    with pytest.raises(ValueError, match=r"give --offload \(with which 2 clips would fit\), fewer"):
        traced.find_fit(50, None, False)
    with pytest.raises(
        ValueError, match=r"give --vae-slicing \(with which 1 clip would fit\), few"
    ):
        traced.find_fit(54, None, False)
    with pytest.raises(ValueError, match="; give fewer --num-frames or a GPU"):
        traced.find_fit(39, None, False)
