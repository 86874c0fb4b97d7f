"""The settings of a training job."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from flipsketch.corpus.dataset import ReaderConfig
from flipsketch.media.config import SketchConfig
from flipsketch.method.config import MAX_STEPS, SamplingConfig, model_defaults
from flipsketch.models.registry import NO_LORA, choose_lora
from flipsketch.training.config import TrainingConfig
from pipelines.execution.config import ExecutorConfig
from pipelines.execution.sources import SourcesConfig


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    shards: str
    """Folder of training shards, as `make shards` writes them: a path that all workers see, or a
    URI."""
    model: str
    """Folder in diffusers' layout, or a name: doodle, which comes with this project, or one on the
    Hugging Face Hub (damo-vilab/text-to-video-ms-1.7b is the paper's; docs/models.md lists
    others)."""
    lora: str | None = None
    """Adapter to continue training from, by folder or name. Default: doodle-lora with the model
    doodle, a new adapter with others; none starts a new one. Training all weights takes none."""
    motion_adapter: str | None = None
    """Motion adapter of AnimateDiff, a folder or a name on the Hugging Face Hub
    (guoyww/animatediff-motion-adapter-v1-5-2), which makes a video model of one of pictures: Stable
    Diffusion 1.5 or one that was fine-tuned from it. Models of video take none."""
    model_license: str | None = None
    """License of the model, such as openrail or the address of its terms, where neither the card in
    its folder nor that of its repository states one."""
    output: str
    """Output folder, on a disk that all workers see: empty, or a run with the same settings to
    resume."""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Precision of the networks; by default bfloat16 on a GPU and float32 elsewhere. Trained
    weights are always kept in float32."""
    kernels: Literal["fast", "plain"] | None = None
    """Kernels of the UNet: fast, as in sampling, or plain, which are diffusers' own. Weights differ
    in their last digits alone, but a resumed run must use the same. By default fast on a GPU, plain
    elsewhere, and what a run began with when it is resumed."""
    device: Literal["cuda", "cpu"] | None = None
    """Where the networks run; by default on GPUs if there are any."""
    threads: int | None = None
    """CPU threads of each worker; by default an equal share of the machine's. A resumed run must
    use the same number, since it changes the last digits."""
    checkpoint_gradients: bool = False
    """Spend a third more time to save memory. Turn it on when a batch of one does not fit; weights
    do not change."""
    cache_latents: bool = True
    """Encode all clips once, before training, and keep their latents on a disk. Turn it off when no
    disk has room for them; each step then reads its clips and encodes them."""
    latent_cache: str | None = None
    """Folder on a local disk for the latents, shared by all runs. Default: beside the shards, or,
    if these are in an object store, ~/.cache/flipsketch/latents of each machine."""
    on_device: bool = False
    """Keep the latents of all clips on the device and draw random numbers there, so that a whole
    step is one CUDA graph, the update of the weights included. Many times as fast for a model as
    small as doodle; it needs one worker with the whole batch, and its steps differ from those
    without it."""
    checkpoint_every: int = 250
    """Steps between checkpoints, and so the steps that a kill costs at most."""
    keep_checkpoints: int = 2
    """Number of checkpoints to keep; older ones are deleted."""
    validate_every: int = 500
    """Steps between samples of fixed sketches and prompts, which are also made at step 0, unless
    the run is shorter than this, and at the end; 0 turns them off."""
    validation: str | None = None
    """Manifest of the sketches and prompts for the samples; by default first frames of some
    training clips."""
    num_validation: int = 4
    """Number of sketches in the samples."""
    validation_steps: int = 25
    """Number of DDIM steps for the samples."""
    sketches: SketchConfig = field(default_factory=SketchConfig)
    sources: SourcesConfig = field(default_factory=SourcesConfig)
    max_restarts: int = 3
    """How often dead workers are restarted."""
    overwrite: bool = False
    """Delete what an earlier run left in the output folder, and start again."""
    executor: ExecutorConfig = field(default_factory=ExecutorConfig)

    def __post_init__(self) -> None:
        least = {"checkpoint_every": 1, "keep_checkpoints": 1, "validate_every": 0}
        least |= {"num_validation": 1, "validation_steps": 1, "max_restarts": 0, "threads": 1}
        for name, value in least.items():
            found = getattr(self, name)
            if found is not None and found < value:
                raise ValueError(f"{name} must be at least {value}, got {found}")
        if self.validation_steps > MAX_STEPS:
            raise ValueError(
                f"validation_steps must be at most {MAX_STEPS}, got {self.validation_steps}"
            )
        if self.latent_cache is not None and (self.on_device or not self.cache_latents):
            raise ValueError(
                "--latent-cache is a folder for latents, but none are kept with --on-device or "
                "--no-cache-latents; leave one of them out"
            )
        if self.lora not in (None, NO_LORA) and self.training.train != "lora":
            raise ValueError(
                "--lora gives an adapter to continue from, but --train full trains none; merge it "
                "into the model first (jobs/merge_lora.py)"
            )

    @property
    def adapter(self) -> str | None:
        """The adapter to continue from, by folder or name."""
        return choose_lora(self.model, self.lora) if self.training.train == "lora" else None

    @property
    def reading(self) -> ReaderConfig:
        """How the training clips are read."""
        return ReaderConfig(
            num_frames=self.training.num_frames,
            prompt_dropout=self.training.prompt_dropout,
            seed=self.training.seed,
        )

    @property
    def validation_sampling(self) -> SamplingConfig:
        """How samples are made.

        Raises:
            ValueError: none can be, of so few steps or frames.
        """
        try:
            return replace(
                model_defaults(self.model),
                num_frames=self.training.num_frames,
                num_inference_steps=self.validation_steps,
                binarize=False,
            )
        except ValueError as error:
            raise ValueError(
                f"no samples can be made: {error}; change that, or give --validate-every 0 for none"
            ) from error

    @property
    def result_folder(self) -> Path:
        return Path(self.output) / ("lora" if self.training.train == "lora" else "model")
