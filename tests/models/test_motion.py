"""Stable Diffusion's UNet and a motion adapter's modules make AnimateDiff's."""

from collections import Counter
from typing import Any

import pytest
import torch
from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel
from diffusers.models.attention_processor import Attention

from flipsketch.models.families import ANIMATEDIFF
from flipsketch.models.motion import join_motion
from flipsketch.models.motion_adapters import find_motion_adapter

PICTURES: dict[str, Any] = {
    "sample_size": 8,
    "block_out_channels": (8, 16, 24),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "attention_head_dim": (1, 2, 3),
    "cross_attention_dim": 12,
}
MOTION: dict[str, Any] = {
    "block_out_channels": (8, 16, 24),
    "motion_layers_per_block": 1,
    "motion_transformer_layers_per_block": (1, 2, 1),
    "motion_num_attention_heads": (4, 2, 3),
    "motion_norm_num_groups": 4,
    "motion_max_seq_length": 24,
    "use_motion_mid_block": False,
    "conv_in_channels": None,
}
# unet/config.json of Stable Diffusion 1.5, and config.json of its motion adapter v1-5-2, as far as
# they differ from the defaults of diffusers' classes.
STABLE_DIFFUSION = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
MOTION_V1_5_2: dict[str, Any] = {"motion_max_seq_length": 32, "use_motion_mid_block": True}


def make_networks(**changes: Any) -> tuple[UNet2DConditionModel, MotionAdapter]:
    torch.manual_seed(0)
    own = {name: value for name, value in changes.items() if name in MOTION}
    pictures = {name: value for name, value in changes.items() if name not in MOTION}
    return UNet2DConditionModel(**PICTURES | pictures), MotionAdapter(**MOTION | own)


@pytest.mark.parametrize(
    "changes", [{"mid_block_only_cross_attention": False}, {"use_motion_mid_block": True}]
)
def test_the_joined_unet_is_diffusers_own_without_its_detour(changes):
    unet, adapter = make_networks(**changes)
    joined, wanted = join_motion(unet, adapter), UNetMotionModel.from_unet2d(unet, adapter)
    weights, expected = joined.state_dict(), wanted.state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert {**joined.config} == {**wanted.config}
    assert weights["conv_in.weight"].data_ptr() == unet.conv_in.weight.data_ptr()
    call = torch.randn(1, 4, 3, 8, 8), torch.tensor(5), torch.randn(3, 5, 12)
    with torch.no_grad():
        assert torch.equal(joined.eval()(*call).sample, wanted.eval()(*call).sample)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"norm_num_groups": 8}, "UNet normalizes in 8 groups and the adapter in 4"),
        ({"motion_layers_per_block": 2}, "different number of layers per block"),
        ({"motion_num_attention_heads": 1, "block_out_channels": (8, 24, 16)}, "size mismatch"),
        ({"class_embed_type": "timestep"}, "its class_embed_type is 'timestep'"),
        ({"time_embedding_act_fn": "silu"}, "its time_embedding_act_fn is 'silu'"),
        ({"conv_in_channels": 9}, "it animates a picture that it is given"),
        ({"addition_embed_type": "text"}, "its addition_embed_type is 'text'"),
    ],
)
def test_networks_that_do_not_fit_are_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        join_motion(*make_networks(**changes))


def test_attention_of_stable_diffusion_with_motion_modules_is_counted_by_kind():
    with torch.device("meta"):
        unet = UNet2DConditionModel(**STABLE_DIFFUSION)
        joined = join_motion(unet, MotionAdapter(**MOTION_V1_5_2))
    kinds = Counter(
        ANIMATEDIFF.layer_kind(name)
        for name, module in joined.named_modules()
        if isinstance(module, Attention)
    )
    assert kinds == {"spatial": 16, "text": 16, "temporal": 21, "temporal_attn2": 21}
    assert sum(weights.numel() for weights in joined.parameters()) // 10**6 == 1_312


def test_motion_modules_that_are_no_motion_adapter_yet_are_to_be_converted(tmp_path):
    torch.save({}, tmp_path / "mm_sd_v15.ckpt")
    for place, said in (
        (tmp_path / "mm_sd_v15.ckpt", "--model .*mm_sd_v15.ckpt --output FOLDER"),
        ("owner/name/mm_sd_v15.ckpt@main", "--model owner/name/mm_sd_v15.ckpt@main --output"),
        (tmp_path, "convert its mm_sd_v15.ckpt with jobs/convert_model.py"),
    ):
        with pytest.raises(ValueError, match=said):
            find_motion_adapter(place)
