"""Which kernels the networks run: the same numbers, by fewer and larger ones.

Every choice computes what the plain networks do, up to the last digits, and leaves weights and
their names as they are. A module whose `forward` changes gets a subclass of its class.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_type_hints

import torch
from diffusers import AutoencoderKL
from diffusers.models.attention_processor import Attention, AttnProcessor, AttnProcessor2_0
from diffusers.models.resnet import TemporalConvLayer
from torch import nn

from flipsketch.models.attention import OwnAttention, join_weights, part_weights
from flipsketch.models.blocks import OWN_CLASSES, VideoUNet
from flipsketch.models.families import ANIMATEDIFF, family_of_unet
from flipsketch.models.temporal_convolution import TemporalConvolution2d

# Latents of at most this height and width have so few tokens that fused attention gains nothing: on
# a CPU plain matrix products are faster, forward and backward, by 1.2 to 1.7 times, and on a GPU
# cuDNN's, which PyTorch prefers, first compiles a kernel for each shape, for seconds.
FEW_TOKENS = 16


@dataclass(frozen=True, kw_only=True)
class Kernels:
    """A choice of kernels; by default those of diffusers' own code."""

    temporal_attention: Literal["fused", "products"] = "fused"
    """Attention over frames, fused or as batched products."""
    temporal_convolution: Literal["3d", "2d"] = "3d"
    """Convolutions over frames, of which AnimateDiff has none."""
    fused_projections: bool = False
    """Query, key and value of an attention as one product."""
    lean_blocks: bool = False
    """Transformers that keep one layout and project a text once for all frames of a clip, and
    residual blocks that do not divide by one."""
    channels_last: bool = False
    """Images and their weights with channels last in memory, as convolutions on a GPU want them."""
    joint_guidance: bool = False
    """The passes with and without the prompt as one of twice the rows, where nothing but the text
    tells them apart."""


PLAIN = Kernels()
"""What diffusers does; what a run computes whose plan names no kernels."""
FAST = Kernels(
    temporal_attention="products",
    temporal_convolution="2d",
    fused_projections=True,
    lean_blocks=True,
    channels_last=True,
    joint_guidance=True,
)
VARIANTS = {
    "plain": PLAIN,
    "temporal attention as products": replace(PLAIN, temporal_attention="products"),
    "temporal convolutions as 2-d": replace(PLAIN, temporal_convolution="2d"),
    "fused projections": replace(PLAIN, fused_projections=True),
    "lean blocks": replace(PLAIN, lean_blocks=True),
    "channels last": replace(PLAIN, channels_last=True),
    "all": FAST,
}
"""Each switch alone, and all together: what benchmarks and tests compare."""


DIFFUSERS_CLASSES = {
    own: plain for plain, own in {TemporalConvLayer: TemporalConvolution2d, **OWN_CLASSES}.items()
}


def default_kernels(device_type: str) -> Kernels:
    """Return what is used where nothing else is asked for."""
    return FAST if device_type == "cuda" else PLAIN


def training_kernels(device_type: str) -> Kernels:
    """Return what training uses where nothing else is asked for. Layers that are trained, or have
    an adapter, cannot share a product."""
    return replace(default_kernels(device_type), fused_projections=False)


def read_kernels(switches: dict[str, Any] | None) -> Kernels:
    """Return the kernels of a plan, which names their switches, or none if it is an old one.

    Raises:
        ValueError: a switch or its value is not known.
    """
    switches = switches or {}
    types = get_type_hints(Kernels)
    known = {name: get_args(kind) or (False, True) for name, kind in types.items()}
    for name, value in switches.items():
        if value not in known.get(name, ()):
            raise ValueError(
                f"the plan's kernels have the switch {name!r:.80}: {value!r:.80}, which this "
                f"version does not know; use the version that began the run"
            )
    return Kernels(**switches)


def use_kernels(unet: VideoUNet, vae: AutoencoderKL | None, kernels: Kernels = PLAIN) -> None:
    """Have networks run some kernels, in place, whichever they ran before.

    Weights may be trained, and an adapter's layers put on or taken out, before or after; query, key
    and value of layers that have such weights are computed one by one.
    """
    own: dict[type, type] = {}
    if kernels.temporal_convolution == "2d":
        own[TemporalConvLayer] = TemporalConvolution2d
    if kernels.lean_blocks:
        own |= OWN_CLASSES
    for module in unet.modules():
        diffusers_class = DIFFUSERS_CLASSES.get(type(module), type(module))
        module.__class__ = own.get(diffusers_class, diffusers_class)
        if isinstance(module, Attention):
            part_weights(module)
            if kernels.fused_projections:
                join_weights(module)
    unet.set_attn_processor(choose_processors(unet, kernels))
    for network in (unet, vae):
        if network is not None:
            set_layout(network, kernels)
    vars(unet)["kernels"] = kernels


def kernels_of(unet: VideoUNet) -> Kernels:
    """Return the kernels that a UNet was last given."""
    return vars(unet).get("kernels", PLAIN)


def choose_processors(unet: VideoUNet, kernels: Kernels) -> Any:
    """Return a processor for each attention of a UNet, by name."""
    has_few_tokens = unet.config.sample_size <= FEW_TOKENS
    family = family_of_unet(unet)
    processors: dict[str, Any] = {}
    for name in unet.attn_processors:
        temporal = family.is_temporal(name)
        products = temporal and kernels.temporal_attention == "products"
        # Of 16 clips at 512 pixels a call has 65,536 sequences, one more than diffusers' can have.
        is_long = temporal and family is ANIMATEDIFF
        if products or kernels.fused_projections or kernels.lean_blocks or is_long:
            processors[name] = OwnAttention(
                products=products or has_few_tokens,
                frames_first=temporal and kernels.lean_blocks,
            )
        else:
            processors[name] = AttnProcessor() if has_few_tokens else AttnProcessor2_0()
    return processors


def set_layout(network: nn.Module, kernels: Kernels) -> None:
    """Lay out the weights of convolutions as their images are."""
    formats = {
        nn.Conv2d: torch.channels_last if kernels.channels_last else torch.contiguous_format,
        nn.Conv3d: torch.channels_last_3d
        if kernels.channels_last and kernels.temporal_convolution == "2d"
        else torch.contiguous_format,
    }
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            weight = module.weight
            weight.data = weight.detach().contiguous(memory_format=formats[type(module)])
