"""What an image-to-video model is said to take, by its settings alone."""

import torch
from diffusers import LTXVideoTransformer3DModel, UNetSpatioTemporalConditionModel

from flipsketch.method.fitting import VIDEO_SAVINGS
from flipsketch.method.video_config import VideoConfig
from flipsketch.method.video_costs import VALUES_PER_CHANNEL, estimate_video_costs
from flipsketch.models.loading import Loading
from flipsketch.models.tracing import LiveBytes, without_content
from flipsketch.models.video_pipelines import read_video_pipeline
from tests.helpers.video_pipelines import write_svd, write_wan


def estimate(folder, **loading):
    pipeline = read_video_pipeline(folder)
    video = VideoConfig(video_frames=5).settle(pipeline)
    return estimate_video_costs(folder, pipeline, video, Loading(model=folder, **loading))


def test_parts_are_counted_without_their_weights(tmp_path):
    folder = write_wan(tmp_path)
    sizes = {path.parent.name: path for path in folder.glob("*/*.safetensors")}
    on_disk = {part: path.stat().st_size for part, path in sizes.items()}
    for path in sizes.values():
        path.unlink()
    costs = estimate(folder)
    assert costs.weights.keys() == on_disk.keys() and costs.denoiser == "transformer"
    # Beside the weights a file has a header, of some hundred bytes a tensor.
    assert all(0.5 * on_disk[part] < taken < on_disk[part] for part, taken in costs.weights.items())
    half = estimate(folder, dtype="bfloat16")
    # Wan's VAE and image encoder stay in float32.
    assert half.weights["transformer"] == costs.weights["transformer"] / 2
    assert half.weights["vae"] == costs.weights["vae"] and half.vae_bytes(1) == costs.vae_bytes(1)
    assert costs.tile_bytes is not None and costs.peak_bytes(1) == costs.peak_bytes(4)


def test_flags_let_a_video_model_do_with_less(tmp_path):
    costs = estimate(write_svd(tmp_path), vae_slicing=True)
    assert costs.vae_bytes(1) == costs.frame_bytes
    peaks = [costs.with_savings(savings).peak_bytes(1) for savings in VIDEO_SAVINGS]
    assert max(peaks) == costs.peak_bytes(1) > min(peaks)


def test_the_rule_for_a_pass_is_no_less_than_what_passes_take():
    with torch.device("meta"):
        ltx = LTXVideoTransformer3DModel(
            num_layers=1, num_attention_heads=8, cross_attention_dim=512
        )
        unet = UNetSpatioTemporalConditionModel(
            block_out_channels=(320, 640),
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            num_attention_heads=(5, 10),
            layers_per_block=2,
        )
    text, clip = (1, 64, 4096), {"num_frames": 8, "height": 16, "width": 16}
    # Shapes of what each is called with, and its tokens and width.
    calls = (
        ("transformer", ltx, [(1, 2048, 128), text, (1,), (1, 64)], clip, 2048, 512),
        ("unet", unet, [(1, 4, 8, 32, 32), (), (1, 1, 1024), (1, 3)], {}, 4096, 320),
    )
    for kind, network, shapes, sizes, num_tokens, width in calls:
        with torch.no_grad(), without_content(network, torch.float32), LiveBytes() as live:
            network(*map(torch.ones, shapes), **sizes)
        taken = live.peak / 4 / num_tokens / width
        assert 0.5 < taken / VALUES_PER_CHANNEL[kind] <= 1, (type(network), taken)
