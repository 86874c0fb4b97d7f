"""What a dry run counts of Live-Sketch is what its clips take."""

import pytest
import torch

from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.livesketch.costs import FrameWork, trace_costs, trace_frames
from flipsketch.livesketch.optimize import animate_vectors
from flipsketch.livesketch.vector import read_vector
from flipsketch.method.config import SamplingConfig
from flipsketch.method.request import Conditioning
from flipsketch.models.inspection import inspect_model, lay_out_modelscope
from flipsketch.models.video_model import VideoModel

SAMPLING = SamplingConfig(num_frames=4, num_inference_steps=2)
SVG = b'<svg viewBox="0 0 16 16"><path d="M4 4C4 9 8 9 11 5" fill="none" stroke="black"/></svg>'
CONFIGS = {
    "steps": LiveSketchConfig(draft_steps=0, optimization_steps=2),
    "draft": LiveSketchConfig(draft_steps=3, optimization_steps=0),
    "published": LiveSketchConfig(motion="mlp", optimization_steps=2),
}


def count_frames(model: VideoModel, config: LiveSketchConfig) -> dict[str, int]:
    """Return the single frames that a real clip takes through each network."""
    counts = dict.fromkeys(("unet", "encode", "encode_backward", "decode"), 0)

    def note(name: str, tensor: torch.Tensor) -> None:
        counts[name] += len(tensor) * (tensor.shape[2] if name == "unet" else 1)
        if name == "encode" and torch.is_grad_enabled():
            counts["encode_backward"] += len(tensor)

    networks = {"unet": model.unet, "encode": model.vae.encoder, "decode": model.vae.decoder}
    hooks = [
        network.register_forward_pre_hook(lambda _, args, name=name: note(name, args[0]))
        for name, network in networks.items()
    ]
    sketch = read_vector(SVG)
    animate_vectors(model, [sketch], [Conditioning("a cat", SAMPLING)], [1], config)
    for hook in hooks:
        hook.remove()
    return counts


@pytest.mark.parametrize("name", CONFIGS)
def test_a_clip_takes_as_many_frames_through_each_network_as_are_counted(tiny_model, name):
    found = count_frames(tiny_model, CONFIGS[name])
    for network, frames in found.items():
        work = FrameWork(**{**dict.fromkeys(found, 0.0), network: 1.0})
        assert work.clip(SAMPLING, CONFIGS[name], encoded_twice=False) == frames


def test_a_batch_takes_its_weights_its_rows_and_a_call_of_the_vae(tiny_folder):
    costs = trace_costs(inspect_model(tiny_folder), SAMPLING, CONFIGS["steps"], torch.float32)
    more = [costs.peak_bytes(batch) for batch in (1, 2, 3)]
    assert more[0] > costs.weights_bytes and more[2] - more[1] == more[1] - more[0] > 0


def test_frames_encoded_twice_and_two_losses_cost_what_they_add():
    work = FrameWork(unet=1.0, encode=0.1, encode_backward=0.2, decode=0.5)
    assert work.step(1, 10, encoded_twice=False) == pytest.approx(23)
    assert work.step(2, 10, encoded_twice=True) == pytest.approx(48)


@pytest.mark.slow
def test_a_step_of_modelscopes_size_takes_the_published_work():
    def trace(num_frames: int) -> FrameWork:
        sampling = SamplingConfig(num_frames=num_frames)
        return trace_frames(lay_out_modelscope(), sampling, torch.bfloat16)[0]

    published = trace(24)
    # The figures of the UNet and the VAE were counted with diffusers' own modules.
    assert 24 * 2 * published.unet == pytest.approx(14.6, abs=0.1)
    assert published.encode == pytest.approx(0.273, abs=0.003)
    assert published.encode_backward == pytest.approx(0.275, abs=0.003)
    assert published.step(2, 24, encoded_twice=False) == pytest.approx(55.5, abs=0.3)
    clip = trace(10).step(1, 10, encoded_twice=False)
    assert 100 * clip == pytest.approx(1160, rel=0.02)
