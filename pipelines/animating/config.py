"""The settings of a run that animates a manifest."""

from dataclasses import dataclass, field
from typing import Literal

from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.media.config import SketchConfig
from flipsketch.method.config import SamplingConfig
from flipsketch.method.methods import METHODS
from flipsketch.method.video_config import VideoConfig
from flipsketch.models.registry import NO_LORA, choose_lora
from pipelines.execution.sources import SourcesConfig
from pipelines.sharding.run import RunConfig


@dataclass(frozen=True, kw_only=True)
class AnimateConfig(RunConfig):
    manifest: str
    """Table of sketches and prompts, a path or a URI: *.parquet, or *.jsonl, *.ndjson, *.csv or
    *.tsv, each also with .gz."""
    model: str
    """Folder in diffusers' layout, or a name: doodle, which comes with this project, or one on the
    Hugging Face Hub (damo-vilab/text-to-video-ms-1.7b is the paper's; docs/models.md lists
    others)."""
    lora: str | None = None
    """Adapter folder (unet/ and perhaps text_encoder/, each in peft's format) or name. Default:
    doodle-lora with the model doodle, no adapter with others; none leaves it out."""
    motion_adapter: str | None = None
    """Motion adapter of AnimateDiff, a folder or a name on the Hugging Face Hub
    (guoyww/animatediff-motion-adapter-v1-5-2), which makes a video model of one of pictures: Stable
    Diffusion 1.5 or one that was fine-tuned from it. Models of video take none."""
    model_license: str | None = None
    """License of the model, such as openrail or the address of its terms, where neither the card in
    its folder nor that of its repository states one."""
    method: str = "flipsketch"
    """Method to animate with: flipsketch; livesketch, which moves the strokes of SVG sketches and
    writes the clips as SVG too; or a baseline: t2v (the model and adapter from the prompt alone),
    still (the sketch repeated) or i2v (an image-to-video model such as Wan, CogVideoX, LTX or
    Stable Video Diffusion, whose folder or Hub name is the model). svd is i2v with Stable Video
    Diffusion alone."""
    sketches: SketchConfig = field(default_factory=SketchConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    livesketch: LiveSketchConfig = field(default_factory=LiveSketchConfig)
    video: VideoConfig = field(default_factory=VideoConfig)
    batch_size: int | None = None
    """Rows animated together. By default as many as fit, measured on the smallest GPU, and 4 on a
    CPU and with the methods livesketch and still, and 1 with i2v and svd. It changes the last
    digits, so a resumed run has the number that it began with."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Precision of the networks; by default bfloat16 on GPUs that have it, float16 on others, and
    float32 on a CPU."""
    kernels: Literal["fast", "plain"] | None = None
    """Kernels of the networks: fast, or plain, which are diffusers' own. Clips differ in their last
    digits alone, but a resumed run must use the same. By default fast on a GPU, plain elsewhere,
    and what a run began with when it is resumed."""
    device: Literal["cuda", "cpu"] | None = None
    """Where the networks run; by default on GPUs if there are any."""
    threads: int | None = None
    """CPU threads of each worker; by default an equal share of the machine's."""
    checkpoint_gradients: bool = False
    """Spend a third more time in alignment to save memory; clips do not change. It is turned on
    where not even one row fits without."""
    gpu_memory_gb: float | None = None
    """Memory of a GPU to plan for, in units of 10^9 bytes; by default what the smallest GPU has.
    Lower it to leave room for another program, or give it with --dry-run --device cuda to plan for
    GPUs that are not here."""
    graphs: bool = True
    """On a GPU, replay the model's passes as CUDA graphs, which are recorded in the first batches,
    rather than launch their kernels one by one; clips do not change. Turn it off if memory that
    graphs keep between batches is needed."""
    offload: bool = False
    """Keep the parts of the model that are not at work (text encoder, networks, VAE) in the host's
    memory, for a GPU with too little for all of them; clips do not change. Moving them takes some
    seconds for each batch, and there are no CUDA graphs. --dry-run says which GPUs need it."""
    vae_slicing: bool = False
    """Decode one frame at a time rather than several, to save memory where frames are large. It
    changes the last digits, so a resumed run has what it began with."""
    check_sketches: bool = False
    """With --dry-run: open every sketch, in processes, and print what the run would refuse and
    repair. Exits with 1 if more rows would fail than --max-failures allows."""
    sources: SourcesConfig = field(default_factory=SourcesConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, limit in (("batch_size", 256), ("threads", 256)):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= limit:
                raise ValueError(f"{name} must lie between 1 and {limit}, got {value}")
        if self.gpu_memory_gb is not None and not 0.1 <= self.gpu_memory_gb <= 10_000:
            raise ValueError(
                f"gpu_memory_gb must lie between 0.1 and 10,000, got {self.gpu_memory_gb}"
            )
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {self.method}")
        self.livesketch.check_method(self.method)
        self.video.check_method(self.method)
        if self.check_sketches and not self.dry_run:
            raise ValueError("--check-sketches is for --dry-run; give that too, or leave it out")
        if self.lora not in (None, "", NO_LORA) and not METHODS[self.method].takes_lora:
            raise ValueError(f"the method {self.method} takes no adapter; leave out --lora")
        if self.motion_adapter and not METHODS[self.method].takes_video_model:
            raise ValueError(
                f"the method {self.method} takes no motion adapter; leave out --motion-adapter"
            )

    @property
    def adapter(self) -> str | None:
        """The adapter to load, by folder or name."""
        return choose_lora(self.model, self.lora) if METHODS[self.method].takes_lora else None
