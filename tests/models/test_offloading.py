"""Networks take turns on a card: torch's meta device, which computes shapes, and where a tensor of
the host is an error, or the host itself."""

import numpy as np
import torch

from flipsketch.method.config import SamplingConfig
from flipsketch.method.request import ClipRequest
from flipsketch.method.sampler import animate_pixels
from flipsketch.models.attention import joined_weights
from flipsketch.models.kernels import FAST
from flipsketch.models.loading import Loading
from flipsketch.models.offloading import take_turns, turns_of
from flipsketch.models.video_model import load_for_work, load_model, predict_noise

SAMPLING = SamplingConfig(
    num_frames=2, num_inference_steps=2, align_steps=1, align_updates=1, cache_interval=2
)


def away(model) -> set[str]:
    """Return the networks that are on the card."""
    networks = {name: getattr(model, name) for name in ("unet", "vae", "text_encoder")}
    return {
        name
        for name, network in networks.items()
        if {weights.device.type for weights in network.parameters()} == {"meta"}
    }


def test_one_network_at_a_time_is_on_the_card_and_no_digit_changes(tiny_folder):
    sketch = np.full((16, 16, 3), 255, np.uint8)
    sketch[4:9, 5] = 0
    request = ClipRequest(sketch, ("a", "b"), 0, SAMPLING)
    plain, model = (load_model(tiny_folder, kernels=FAST) for _ in range(2))
    # The host itself, on which weights are copied and let go as on a card.
    turns = take_turns([model.text_encoder, model.unet, model.vae], "cpu")
    order = []

    def note(part: torch.nn.Module) -> None:
        there = [network for network, weights in turns.weights.items() if weights.is_away]
        order.append((type(part).__name__, *(type(network).__name__ for network in there)))

    for part in (model.text_encoder, model.unet.conv_in, model.vae.decoder):
        part.register_forward_pre_hook(lambda part, _: note(part))
    assert torch.equal(animate_pixels(model, [request]), animate_pixels(plain, [request]))
    assert set(order) == {
        ("CLIPTextModel", "CLIPTextModel"),
        ("Conv2d", "UNet3DConditionModel"),
        ("Decoder", "AutoencoderKL"),
    }


def test_weights_come_home_as_they_were(tiny_folder):
    model, untouched = (load_model(tiny_folder, kernels=FAST) for _ in range(2))
    turns = take_turns([model.unet, model.vae], "meta")
    before = dict(model.unet.named_parameters())
    attention = model.unet.down_blocks[0].attentions[0].transformer_blocks[0].attn1
    layers = (attention.to_q, attention.to_k, attention.to_v)
    turns.bring(model.unet)
    assert joined_weights(layers).device.type == "meta"
    strides = {name: weights.stride() for name, weights in model.unet.named_parameters()}
    assert strides == {name: weights.stride() for name, weights in before.items()}
    turns.bring(model.vae)
    assert all(before[name] is weights for name, weights in model.unet.named_parameters())
    assert joined_weights(layers) is not None
    state = untouched.unet.state_dict()
    assert all(torch.equal(state[name], weights) for name, weights in before.items())


def test_joined_networks_stay_together(tiny_folder):
    model = load_model(tiny_folder)
    turns = take_turns([model.text_encoder, model.unet, model.vae], "meta")
    turns.join(model.unet, model.vae)
    assert turns_of(model.vae) is turns
    assert turns.groups == [{model.text_encoder}, {model.unet, model.vae}]
    for network, there in (
        (model.unet, {"unet"}),
        (model.vae, {"unet", "vae"}),
        (model.text_encoder, {"text_encoder"}),
        (model.vae, {"vae"}),
    ):
        turns.bring(network)
        assert away(model) == there


def test_a_worker_offloads_by_groups_and_decodes_frame_by_frame(tiny_folder):
    told = Loading(model=tiny_folder, device="meta", offload=True, vae_slicing=True)
    model = load_for_work(told)
    assert model.device.type == "meta" and away(model) == set() and model.vae_chunk == 1
    sizes = []
    model.vae.decoder.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    latents = torch.empty(1, 4, 3, 8, 8, device="meta")
    embeds = model.encode_prompts(["a cat"])
    predict_noise(model.unet, latents, torch.zeros((), device="meta"), embeds)
    assert away(model) == {"unet"}
    model.decode(latents)
    assert sizes == [1, 1, 1] and away(model) == {"vae"}
    kept = load_for_work(Loading(model=tiny_folder, offload=True))
    assert turns_of(kept.unet) is None and kept.vae_chunk > 1
