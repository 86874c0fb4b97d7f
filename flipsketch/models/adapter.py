"""One network's adapter as its files state it, in peft's format: its settings, checked, and the
layers that its weights are for. Nothing heavy is imported and no weights are read."""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flipsketch.models.headers import TensorInfo, read_header, read_settings, refuse_integers

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
MAX_ALPHA = 1e6
# ModelScope's UNet has 574 layers that an adapter can be put on.
MAX_LAYERS, MAX_PATTERNS = 10_000, 1_000
TENSOR = re.compile(r"([\w.-]{1,500})\.lora_(A|B|magnitude_vector)(?:\.weight)?")
# Settings of peft's that change what is computed in ways that merging does not follow.
UNSUPPORTED = (
    *("bias", "lora_bias", "modules_to_save", "layer_replication", "target_parameters"),
    *("trainable_token_indices", "alora_invocation_tokens", "use_qalora", "use_bdlora"),
    *("arrow_config", "kasa_config", "monteclora_config", "velora_config"),
)
# Those that start from other weights than the model's own.
OTHER_START = ("pissa", "olora", "corda", "loftq", "lora_ga")
# A layer's name or its end; no repetition, on which matching could take for ever.
LAYER_PATTERN = re.compile(r"[\w.^$\\-]{1,500}")
Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerFactors:
    """Shapes of the two matrices of one layer, and of DoRA's magnitudes."""

    down: Shape
    up: Shape
    magnitude: Shape | None = None


@dataclass(frozen=True)
class Adapter:
    folder: Path
    rank: int
    alpha: float
    layers: dict[str, LayerFactors]
    """By the names of the layers in their network."""
    targets: tuple[str, ...] | None = None
    """Names or ends of names of the layers that it is put on; None where an expression tells."""
    ranks: dict[str, int] = field(default_factory=dict)
    alphas: dict[str, float] = field(default_factory=dict)
    """Of layers that have other ones than the rest, by name or pattern."""
    use_rslora: bool = False
    use_dora: bool = False

    @property
    def config_path(self) -> Path:
        return self.folder / CONFIG_FILE

    @property
    def weights_path(self) -> Path:
        return self.folder / WEIGHTS_FILE


def read_adapter(folder: str | Path) -> Adapter:
    """Return what the files of one network's adapter state.

    Raises:
        ValueError: a file is missing or damaged, a setting cannot be used, or settings and weights
            do not belong together.
    """
    folder = Path(folder)
    path = folder / CONFIG_FILE
    settings = read_settings(path)
    try:
        read = parse_settings(settings)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path}: not an adapter's configuration in peft's format: {error}; copy or train the "
            f"adapter again"
        ) from error
    layers = read_layers(folder / WEIGHTS_FILE)
    adapter = Adapter(folder=folder, layers=layers, **read)
    patterns = [(compile_pattern(key), rank) for key, rank in adapter.ranks.items()]
    for name, factors in layers.items():
        matching = (rank for pattern, rank in patterns if pattern and pattern.match(name))
        rank = next(matching, adapter.rank)
        found = {factors.down[0], *factors.up[1:2]}
        if found != {rank}:
            raise ValueError(
                f"{path}: gives the layer {name:.200} the rank {shorten(rank)}, but its matrices "
                f"in {WEIGHTS_FILE} have the rank {', '.join(map(str, sorted(found)))}; both files "
                f"must be of one adapter"
            )
        if (factors.magnitude is not None) != adapter.use_dora:
            raise ValueError(
                f"{path}: use_dora is {adapter.use_dora}, but {WEIGHTS_FILE} says otherwise of the "
                f"layer {name:.200}; both files must be of one adapter"
            )
    return adapter


def parse_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an adapter that its configuration gives.

    Raises:
        ValueError: one cannot be used.
    """
    kind = settings.get("peft_type", "LORA")
    if kind != "LORA":
        raise ValueError(f"peft_type must be LORA, found {kind!r:.80}")
    for name in UNSUPPORTED:
        if settings.get(name) not in (None, False, "none", [], {}):
            raise ValueError(
                f"{name} must be off, found {settings[name]!r:.80}: only adapters that are merged "
                f"into the weights of their layers are supported"
            )
    start = settings.get("init_lora_weights", True)
    if not isinstance(start, bool | str | None) or str(start).startswith(OTHER_START):
        raise ValueError(
            f"init_lora_weights must not change the model's own weights, found {start!r:.80}: "
            f"convert the adapter to a plain one (peft's path_initial_model_for_weight_conversion)"
        )
    flags = {name: settings.get(name) or False for name in ("use_rslora", "use_dora")}
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise ValueError(f"{name} must be true or false, found {flag!r:.80}")
    return {
        "rank": parse_rank("r", settings.get("r")),
        "alpha": parse_alpha("lora_alpha", settings.get("lora_alpha")),
        "targets": parse_targets(settings),
        "ranks": parse_pattern("rank_pattern", settings.get("rank_pattern"), parse_rank),
        "alphas": parse_pattern("alpha_pattern", settings.get("alpha_pattern"), parse_alpha),
        **flags,
    }


def parse_rank(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, found {shorten(value)}")
    return value


def parse_alpha(name: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared first: an integer of JSON may be larger than any float.
    if not is_number or not -MAX_ALPHA <= value <= MAX_ALPHA or not math.isfinite(value):
        raise ValueError(
            f"{name} must be a finite number of at most {MAX_ALPHA:,.0f}, found {shorten(value)}"
        )
    return float(value)


def parse_targets(settings: dict[str, Any]) -> tuple[str, ...] | None:
    value: Any = settings.get("target_modules")
    # An expression is never matched with anything, which could take for ever: the weights tell
    # which layers it was put on.
    if isinstance(value, str) and value:
        return None
    is_list = isinstance(value, list) and 1 <= len(value) <= MAX_LAYERS
    if not is_list or not all(isinstance(one, str) for one in value):
        raise ValueError(
            f"target_modules must be an expression, or a list of up to {MAX_LAYERS:,} layers' "
            f"names, found {shorten(value)}"
        )
    is_whole = not settings.get("exclude_modules") and settings.get("layers_to_transform") is None
    return tuple(value) if is_whole else None


def parse_pattern(name: str, value: Any, parse: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > MAX_PATTERNS:
        raise ValueError(
            f"{name} must be an object by the names of up to {MAX_PATTERNS:,} layers, found "
            f"{shorten(value)}"
        )
    for key in value:
        if not LAYER_PATTERN.fullmatch(key) or compile_pattern(key) is None:
            raise ValueError(f"{name} must name layers, found {key!r:.80}")
    return {key: parse(f"{name} of {key:.80}", one) for key, one in value.items()}


def compile_pattern(key: str) -> re.Pattern[str] | None:
    """Return what peft matches layers' names with; None if it is no expression."""
    try:
        return re.compile(rf"(.*\.)?({key})$")
    except re.error:
        return None


def read_layers(path: Path) -> dict[str, LayerFactors]:
    """Return the layers that a file has weights for."""
    factors: dict[str, dict[str, Shape]] = {}
    for name, tensor in read_header(path).items():
        match = TENSOR.fullmatch(name)
        if match is None:
            raise ValueError(
                f"{path}: its tensor {name!r:.200} is none of a LoRA adapter, whose tensors are "
                f"named LAYER.lora_A.weight and LAYER.lora_B.weight; export it in peft's format"
            )
        refuse_integers(path, name, tensor)
        factors.setdefault(match[1], {})[match[2]] = check_factor(path, name, tensor)
    if not 1 <= len(factors) <= MAX_LAYERS:
        raise ValueError(
            f"{path}: has weights for {len(factors):,} layers, but an adapter has 1 to "
            f"{MAX_LAYERS:,}; copy or train the adapter again"
        )
    for layer, own in factors.items():
        if missing := {"A", "B"} - own.keys():
            raise ValueError(
                f"{path}: has no tensor {layer:.200}.lora_{missing.pop()}.weight, only the other "
                f"one of the layer; copy or train the adapter again"
            )
    return {
        layer: LayerFactors(own["A"], own["B"], own.get("magnitude_vector"))
        for layer, own in factors.items()
    }


def check_factor(path: Path, name: str, tensor: TensorInfo) -> Shape:
    least = 1 if "magnitude_vector" in name else 2
    if not least <= len(tensor.shape) <= 5 or 0 in tensor.shape:
        raise ValueError(
            f"{path}: its tensor {name!r:.200} has the shape {tensor.shape!s:.80}, which no matrix "
            f"of a layer has; copy or train the adapter again"
        )
    return tensor.shape


def check_fits(adapter: Adapter, shapes: dict[str, Shape], what: str) -> None:
    """Raise ValueError unless an adapter can be put on a network.

    Args:
        shapes: of the weights of the network's linear and convolutional layers, by name.
        what: the network, for the message.
    """
    remedy = "give the adapter that was trained on this model"
    where = f"{adapter.weights_path}: does not fit {what}"
    for name, factors in adapter.layers.items():
        if name not in shapes:
            raise ValueError(f"{where}, which has no layer {name:.200} to adapt; {remedy}")
        out_size, in_size, *kernel = shapes[name]
        rank = factors.down[0]
        for factor, found, expected in (
            ("A", factors.down, (rank, in_size, *kernel)),
            ("B", factors.up, (out_size, rank, *[1] * len(kernel))),
        ):
            if found != expected:
                raise ValueError(
                    f"{where}: its matrix {name:.200}.lora_{factor} has the shape {found}, where "
                    f"{expected} fits; {remedy}"
                )
        if factors.magnitude is not None and math.prod(factors.magnitude) != out_size:
            raise ValueError(
                f"{where}: {name:.200} has {factors.magnitude} magnitudes, where {out_size} fit; "
                f"{remedy}"
            )
    if adapter.targets is None:
        return
    ends = tuple(f".{target}" for target in adapter.targets)
    named = {name for name in shapes if name in adapter.targets or name.endswith(ends)}
    if strange := adapter.layers.keys() - named:
        raise ValueError(
            f"{adapter.config_path}: its target_modules do not name the layer {min(strange):.200}, "
            f"for which {WEIGHTS_FILE} has weights; both files must be of one adapter"
        )
    if missing := named - adapter.layers.keys():
        raise ValueError(
            f"{adapter.weights_path}: has no weights for {len(missing)} layers that target_modules "
            f"names, such as {min(missing)}; copy or train the adapter again"
        )


def shorten(value: Any) -> str:
    """Return a value as text for a message; whole numbers may have more digits than are printed."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**18:
        return f"a number of {value.bit_length()} bits"
    return f"{value!r:.80}"
