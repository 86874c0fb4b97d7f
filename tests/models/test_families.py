"""What differs between families of models is known of their names and settings alone."""

import json

import pytest

from flipsketch.models.families import ANIMATEDIFF, MODELSCOPE, family_of, most_frames


@pytest.mark.parametrize(
    ("family", "name", "kind"),
    [
        (MODELSCOPE, "transformer_in.transformer_blocks.0.attn1.processor", "temporal"),
        (MODELSCOPE, "transformer_in.transformer_blocks.0.attn2.processor", "temporal_attn2"),
        (MODELSCOPE, "mid_block.temp_attentions.0.transformer_blocks.0.attn1", "temporal"),
        (MODELSCOPE, "up_blocks.1.attentions.0.transformer_blocks.0.attn1.processor", "spatial"),
        (MODELSCOPE, "up_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k", "text"),
        (ANIMATEDIFF, "down_blocks.0.motion_modules.1.transformer_blocks.0.attn1", "temporal"),
        (ANIMATEDIFF, "mid_block.motion_modules.0.transformer_blocks.1.attn2", "temporal_attn2"),
        (ANIMATEDIFF, "up_blocks.3.attentions.2.transformer_blocks.0.attn1", "spatial"),
        (ANIMATEDIFF, "up_blocks.3.attentions.2.transformer_blocks.0.attn2.processor", "text"),
    ],
)
def test_an_attention_is_told_by_its_name(family, name, kind):
    assert family.layer_kind(name) == kind
    assert family.is_temporal(name) == kind.startswith("temporal")


@pytest.mark.parametrize(
    ("stated", "family"),
    [
        ({"_class_name": "UNet3DConditionModel"}, MODELSCOPE),
        ({}, MODELSCOPE),
        ({"_class_name": "UNetMotionModel"}, ANIMATEDIFF),
        ({"_class_name": "UNet2DConditionModel"}, ANIMATEDIFF),
    ],
)
def test_a_family_is_told_by_the_unets_settings(tmp_path, stated, family):
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text(json.dumps(stated))
    assert family_of(tmp_path) is family


def test_a_unet_of_no_family_is_refused_with_those_that_there_are(tmp_path):
    (tmp_path / "unet").mkdir()
    settings = tmp_path / "unet" / "config.json"
    settings.write_text('{"_class_name": "UNetSpatioTemporalConditionModel"}')
    with pytest.raises(ValueError, match="UNet3DConditionModel .*UNetMotionModel .*UNet2DCond"):
        family_of(tmp_path)


def test_frames_of_a_pass_are_as_many_as_there_are_positions(tmp_path):
    unet, adapter = tmp_path / "unet", tmp_path / "motion_adapter"
    for folder in (unet, adapter):
        folder.mkdir()
    (unet / "config.json").write_text('{"_class_name": "UNetMotionModel"}')
    (adapter / "config.json").write_text('{"motion_max_seq_length": 24}')
    assert most_frames(tmp_path) == 32
    assert most_frames(tmp_path, adapter) == 24
    (unet / "config.json").write_text('{"_class_name": "UNet3DConditionModel"}')
    assert most_frames(tmp_path) is None
    (adapter / "config.json").write_text('{"motion_max_seq_length": "many"}')
    (unet / "config.json").write_text('{"_class_name": "UNet2DConditionModel"}')
    with pytest.raises(ValueError, match="must be a number of frames, found 'many'"):
        most_frames(tmp_path, adapter)
