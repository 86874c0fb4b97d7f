"""The matrices of an adapter by the names of their layers, whoever trained it: checked, and written
in peft's format."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from peft import LoraConfig
from torch import Tensor, nn

from flipsketch.models.adapter import check_fits, read_adapter
from flipsketch.models.inspection import squeeze
from flipsketch.models.lora import layer_shapes, write_adapter

REMEDY = "give the model that the adapter was trained on"


@dataclass(frozen=True)
class LoraLayer:
    """What is added to a layer's weights: scale * up @ down."""

    down: Tensor
    """(rank, in, *kernel)"""
    up: Tensor
    """(out, rank, *ones)"""
    scale: float = 1.0
    magnitude: Tensor | None = None
    """Of DoRA (Liu et al., 2024): the length of each row of the sum."""

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    @property
    def is_zero(self) -> bool:
        return not (self.down.any() and self.up.any() and self.scale)


def fit_layers(layers: Mapping[str, LoraLayer], network: nn.Module) -> dict[str, LoraLayer]:
    """Return an adapter's layers in the shapes of a network's, in the network's order.

    Args:
        network: on the meta device will do, only names and shapes are needed.

    Raises:
        ValueError: they do not fit, with the first layer that does not.
    """
    fitted = {}
    for name, shape in layer_shapes(network).items():
        if name in layers:
            fitted[name] = fit_layer(name, layers[name], shape)
    if strange := layers.keys() - fitted.keys():
        raise ValueError(f"the model has no layer {min(strange):.200}; {REMEDY}")
    with_magnitude = sum(layer.magnitude is not None for layer in fitted.values())
    if with_magnitude not in (0, len(fitted)):
        raise ValueError(
            f"{with_magnitude} of its {len(fitted)} layers have DoRA's magnitudes; an adapter has "
            f"them for all layers or for none"
        )
    return fitted


def fit_layer(name: str, layer: LoraLayer, shape: tuple[int, ...]) -> LoraLayer:
    out_size, in_size, *kernel = shape
    up, down = layer.up, layer.down
    for factor, matrix in (("up", up), ("down", down)):
        if not matrix.is_floating_point() or matrix.ndim < 2:
            raise ValueError(
                f"{name:.200}: its {factor} matrix is of type {matrix.dtype} and shape "
                f"{tuple(matrix.shape)}, which no layer's is; {REMEDY}"
            )
        # A view may pretend to a size that no memory has.
        if matrix.untyped_storage().nbytes() < matrix.numel() * matrix.element_size():
            raise ValueError(f"{name:.200}: its {factor} matrix is larger than its data")
    rank = down.shape[0]
    if rank != up.shape[1] or rank == 0:
        raise ValueError(
            f"{name:.200}: its down matrix has the rank {rank}, but its up matrix {up.shape[1]}; "
            f"both must be of one adapter"
        )
    shapes = {"up": (out_size, rank, *[1] * len(kernel)), "down": (rank, in_size, *kernel)}
    for factor, matrix in (("up", up), ("down", down)):
        # A convolution over single pixels is a matrix, and written as one or as the other.
        if squeeze(tuple(matrix.shape)) != squeeze(shapes[factor]):
            raise ValueError(
                f"{name:.200}: its {factor} matrix has the shape {tuple(matrix.shape)}, where "
                f"{shapes[factor]} fits; {REMEDY}"
            )
        if not matrix.isfinite().all():
            raise ValueError(f"{name:.200}: its {factor} matrix has values that are not finite")
    return replace(layer, up=up.reshape(shapes["up"]), down=down.reshape(shapes["down"]))


def write_layers(layers: Mapping[str, LoraLayer], network: nn.Module, folder: Path) -> int:
    """Write layers that fit a network as its adapter in peft's format, and return their rank, that
    of most of them."""
    ranks = {name: layer.rank for name, layer in layers.items()}
    alphas = {name: layer.scale * layer.rank for name, layer in layers.items()}
    rank, alpha = (Counter(each.values()).most_common(1)[0][0] for each in (ranks, alphas))
    config = LoraConfig(
        r=int(rank),
        lora_alpha=alpha,
        target_modules=list(layers),
        # Exactly these layers, not others whose names end so.
        rank_pattern={f"^{name}": own for name, own in ranks.items() if own != rank},
        alpha_pattern={f"^{name}": own for name, own in alphas.items() if own != alpha},
        use_dora=any(layer.magnitude is not None for layer in layers.values()),
    )
    weights: dict[str, Tensor] = {}
    for name, layer in layers.items():
        weights[f"{name}.lora_A.weight"], weights[f"{name}.lora_B.weight"] = layer.down, layer.up
        if layer.magnitude is not None:
            weights[f"{name}.lora_magnitude_vector"] = layer.magnitude.flatten()
    write_adapter(config, {name: weight.float() for name, weight in weights.items()}, folder)
    check_fits(read_adapter(folder), layer_shapes(network), "the network that it was read for")
    return int(rank)
