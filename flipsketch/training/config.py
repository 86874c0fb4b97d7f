"""How a model is trained: the settings and how they are checked."""

from dataclasses import dataclass, replace
from typing import Literal

from flipsketch.models.choices import TargetSet


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    train: Literal["lora", "full"] = "lora"
    """What is trained: a LoRA adapter, or all weights of the model."""
    target_set: TargetSet | None = None
    """Layers of the UNet that get an adapter: those of attention, all linear layers, or all linear
    and convolutional layers (as in the published checkpoint). Default: those of the adapter that
    training continues from, attention for a new one. More layers learn a style faster and take more
    memory."""
    train_text_encoder: bool = False
    """Train the text encoder too: an adapter on its linear layers, or all of it with --train
    full."""
    rank: int | None = None
    """Rank of the adapter's matrices. Default: that of the adapter that training continues from, 4
    for a new one. Raise it when the loss stops falling too early."""
    alpha: float | None = None
    """Scale of the adapter, which is multiplied by alpha / rank. Default: that of the adapter that
    training continues from, 4 for a new one."""
    num_steps: int = 2500
    """Number of optimizer steps."""
    global_batch_size: int = 8
    """Clips in each step, over all workers. It determines the result; the number of workers does
    not."""
    batch_size: int = 1
    """Clips in each forward pass of a worker; gradients of the rest of its share are accumulated.
    Raise it while memory allows."""
    graphs: bool | None = None
    """Launch the kernels of a forward and backward pass as one CUDA graph, recorded in the first
    steps, rather than one by one. Weights change in their last digits at most; what a pass needs of
    memory stays taken between steps. Default: on a GPU, unless an earlier version began the run;
    never with float16, whose losses are scaled."""
    learning_rate: float = 1e-4
    """Peak learning rate of AdamW."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Schedule of the learning rate after the warm-up: constant, or cosine, which ends at zero."""
    warmup_steps: int = 0
    """Steps in which the learning rate rises from zero."""
    weight_decay: float = 1e-2
    """Weight decay of AdamW."""
    max_grad_norm: float = 1.0
    """Norm to which gradients are clipped."""
    num_frames: int = 10
    """Frames of a training window; shorter clips are left out."""
    prompt_dropout: float = 0.1
    """Share of the samples that see the empty prompt, which classifier-free guidance needs."""
    inverted_first_frame: float = 0.0
    """Share of the samples whose first frame lies on the trajectory of its own DDIM inversion, as
    in the sampler, so that the model learns to follow it. Not in the paper; useful for small
    models."""
    signal_leak_prob: float = 0.0
    """Share of the samples that start as in the sampler, at the first timesteps, with some of the
    first frame in the noise of the later ones. Not in the paper; useful for models that are sampled
    with --sketch-in-noise."""
    reference_share: float = 0.0
    """Share of the samples that are like the sampler's reference: the first frame and its noise
    repeated, without a prompt. Not in the paper; useful for small models."""
    ema_decay: float = 0.999
    """Decay of the running mean of the weights, which --train full saves."""
    seed: int = 0
    """Seed of the adapter, the order of the clips, windows, noise and timesteps."""

    def __post_init__(self) -> None:
        for name in ("rank", "num_steps", "global_batch_size", "batch_size", "num_frames"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.global_batch_size % self.batch_size:
            raise ValueError(
                f"global_batch_size must be a multiple of batch_size ({self.batch_size}), "
                f"got {self.global_batch_size}"
            )
        for name in ("learning_rate", "max_grad_norm", "alpha"):
            if (value := getattr(self, name)) is not None and not value > 0:
                raise ValueError(f"{name} must be more than 0, got {getattr(self, name)}")
        shares = ("prompt_dropout", "inverted_first_frame", "signal_leak_prob", "reference_share")
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, got {getattr(self, name)}")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must lie in [0, 1), got {self.ema_decay}")
        if not 0 <= self.warmup_steps <= self.num_steps:
            raise ValueError(f"warmup_steps must lie in 0..num_steps, got {self.warmup_steps}")

    def uses_graphs(self, device_type: str) -> bool:
        return device_type == "cuda" if self.graphs is None else self.graphs

    def resolved(
        self, rank: int = 4, alpha: float = 4.0, target_set: TargetSet = "attention"
    ) -> "TrainingConfig":
        """Return the settings with a rank, an alpha and a target set where they name none."""
        return replace(
            self,
            rank=self.rank or rank,
            alpha=self.alpha or alpha,
            target_set=self.target_set or target_set,
        )


def check_share(config: TrainingConfig, num_ranks: int) -> None:
    """Raise ValueError unless the global batch can be divided evenly among the processes."""
    share = num_ranks * config.batch_size
    if config.global_batch_size % share:
        raise ValueError(
            f"a global batch of {config.global_batch_size} cannot be divided among "
            f"{num_ranks} workers in batches of {config.batch_size}; make it a multiple of {share}"
        )
