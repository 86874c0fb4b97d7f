"""Real image-to-video pipelines at toy size, with random weights, built as the tests of diffusers
build theirs."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    AutoencoderKLLTXVideo,
    AutoencoderKLTemporalDecoder,
    AutoencoderKLWan,
    CogVideoXDDIMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXTransformer3DModel,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    LTXPipeline,
    LTXVideoTransformer3DModel,
    StableVideoDiffusionPipeline,
    UNetSpatioTemporalConditionModel,
    WanImageToVideoPipeline,
    WanTransformer3DModel,
)
from safetensors.torch import save_file
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

from flipsketch.models.video_lora import WEIGHTS_NAME

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TEXT_WIDTH = 32


def make_tokenizer(max_length: int) -> T5Tokenizer:
    pieces = ["<pad>", "</s>", "<unk>", "\u2581", *LETTERS]
    return T5Tokenizer(
        vocab=[(piece, 0.0 if len(piece) > 1 else -2.0) for piece in pieces],
        extra_ids=0,
        model_max_length=max_length,
    )


def text_settings(tokenizer: T5Tokenizer) -> dict[str, int]:
    sizes = {"d_model": TEXT_WIDTH, "d_kv": 8, "d_ff": 37, "num_layers": 1, "num_heads": 4}
    return {"vocab_size": len(tokenizer), **sizes}


def write_svd(folder: Path) -> Path:
    """24 x 24 latents of 96 x 96 pixels, used at 72 x 128; 5 frames."""
    torch.manual_seed(0)
    unet = UNetSpatioTemporalConditionModel(
        sample_size=24,
        block_out_channels=(32, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        cross_attention_dim=32,
        num_attention_heads=8,
        projection_class_embeddings_input_dim=96,
        addition_time_embed_dim=32,
        num_frames=5,
    )
    vae = AutoencoderKLTemporalDecoder(
        block_out_channels=(32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=4,
    )
    vision = CLIPVisionConfig(
        hidden_size=32,
        projection_dim=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        image_size=224,
        intermediate_size=37,
        patch_size=56,
    )
    pipeline = StableVideoDiffusionPipeline(
        vae=vae,
        image_encoder=CLIPVisionModelWithProjection(vision),
        unet=unet,
        scheduler=EulerDiscreteScheduler(prediction_type="v_prediction", use_karras_sigmas=True),
        feature_extractor=CLIPImageProcessor(),
    )
    pipeline.save_pretrained(folder)
    return folder


def write_wan(folder: Path) -> Path:
    """Wan 2.1: its VAE makes a latent of 8 x 8 pixels and 4 frames, as the real one does."""
    torch.manual_seed(0)
    tokenizer = make_tokenizer(512)
    vision = CLIPVisionConfig(
        hidden_size=4,
        projection_dim=4,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        intermediate_size=16,
        patch_size=8,
    )
    pipeline = WanImageToVideoPipeline(
        tokenizer=tokenizer,
        text_encoder=UMT5EncoderModel(UMT5Config(**text_settings(tokenizer))),
        vae=AutoencoderKLWan(
            base_dim=3,
            z_dim=16,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
        image_processor=CLIPImageProcessor(crop_size=32, size=32),
        image_encoder=CLIPVisionModel(vision),
        transformer=WanTransformer3DModel(
            patch_size=(1, 2, 2),
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=36,
            out_channels=16,
            text_dim=TEXT_WIDTH,
            freq_dim=32,
            ffn_dim=32,
            num_layers=1,
            cross_attn_norm=True,
            qk_norm="rms_norm_across_heads",
            rope_max_seq_len=32,
            image_dim=4,
        ),
    )
    pipeline.save_pretrained(folder)
    return folder


def write_cogvideox(folder: Path) -> Path:
    """CogVideoX-5b-I2V: 32 x 48 pixels and 9 frames alone, since its positions are learned."""
    torch.manual_seed(0)
    tokenizer = make_tokenizer(226)
    pipeline = CogVideoXImageToVideoPipeline(
        tokenizer=tokenizer,
        text_encoder=T5EncoderModel(T5Config(**text_settings(tokenizer))),
        vae=AutoencoderKLCogVideoX(
            down_block_types=("CogVideoXDownBlock3D",) * 4,
            up_block_types=("CogVideoXUpBlock3D",) * 4,
            block_out_channels=(8, 8, 8, 8),
            latent_channels=4,
            layers_per_block=1,
            norm_num_groups=2,
            temporal_compression_ratio=4,
        ),
        transformer=CogVideoXTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=16,
            in_channels=8,
            out_channels=4,
            time_embed_dim=2,
            text_embed_dim=TEXT_WIDTH,
            num_layers=1,
            sample_width=6,
            sample_height=4,
            sample_frames=9,
            patch_size=2,
            temporal_compression_ratio=4,
            max_text_seq_length=16,
            use_rotary_positional_embeddings=True,
            use_learned_positional_embeddings=True,
        ),
        scheduler=CogVideoXDDIMScheduler(),
    )
    pipeline.save_pretrained(folder)
    return folder


def write_ltx(folder: Path) -> Path:
    """LTX-Video, whose repository names the text-to-video pipeline of the same parts."""
    torch.manual_seed(0)
    tokenizer = make_tokenizer(128)
    channels, layers = (8, 8, 8, 8), (1, 1, 1, 1, 1)
    pipeline = LTXPipeline(
        tokenizer=tokenizer,
        text_encoder=T5EncoderModel(T5Config(**text_settings(tokenizer))),
        vae=AutoencoderKLLTXVideo(
            latent_channels=8,
            block_out_channels=channels,
            decoder_block_out_channels=channels,
            layers_per_block=layers,
            decoder_layers_per_block=layers,
            spatio_temporal_scaling=(True, True, False, False),
            decoder_spatio_temporal_scaling=(True, True, False, False),
            decoder_inject_noise=(False,) * 5,
            upsample_residual=(False,) * 4,
            upsample_factor=(1,) * 4,
            patch_size=1,
            encoder_causal=True,
            decoder_causal=False,
        ),
        transformer=LTXVideoTransformer3DModel(
            in_channels=8,
            out_channels=8,
            num_attention_heads=4,
            attention_head_dim=8,
            cross_attention_dim=32,
            num_layers=1,
            caption_channels=TEXT_WIDTH,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )
    pipeline.save_pretrained(folder)
    return folder


def write_lora(
    folder: Path, *, layer: str = "transformer.blocks.0.attn1.to_q", width: int = 24, up: float = 1
) -> Path:
    """Write an adapter of rank 1 as diffusers saves it, by default of one layer of Wan's toy."""
    folder.mkdir(parents=True)
    tensors = {
        f"{layer}.lora_A.weight": torch.ones(1, width),
        f"{layer}.lora_B.weight": torch.full((width, 1), float(up)),
    }
    save_file(tensors, folder / WEIGHTS_NAME)
    return folder
