"""How much is measured at each size of model."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Scale:
    name: str
    batches: tuple[int, ...]
    """Rows of a UNet pass; the first two decide the most."""
    clip_batches: tuple[int, ...]
    """Clips made at once, beside the batch that was the fastest in a UNet pass."""
    aligned_batches: tuple[int, ...]
    """With alignment, whose gradients take memory."""
    frames: tuple[int, ...]
    """Of a call of the VAE."""
    training_batches: tuple[int, ...]
    matrices: tuple[int, ...]
    """Sides of square matrices."""
    copied_bytes: int
    repeat_s: float
    """How long each case is repeated."""
    repeats: int = 3
    """How often at least."""
    whole_share: float = 0.15
    """Of the time that is left, what all steps of one batch of clips may take."""
    short_steps: int = 10
    """Steps that are timed instead if they would take more; enough for some to align."""
    warm_up_steps: int = 10
    """Steps before: the reference stream loses a frame in each of the first ten."""
    published_calls: int = 3
    """Timed ones of each kind of the published schedule."""
    training_warm_up: int = 4
    """Steps of training before; the last of four records a graph."""
    training_steps: int = 6
    """Timed ones, of one batch each."""
    livesketch_batches: tuple[int, ...] = (1, 8)
    """Clips of Live-Sketch at once."""
    livesketch_steps: int = 6
    """Timed ones."""


SCALES = {
    "modelscope": Scale(
        name="modelscope",
        # Of 64 rows the plain attention over frames has more sequences than CUDA's grids take.
        batches=(8, 1, 16, 32, 4, 64),
        clip_batches=(1, 8, 16, 32),
        aligned_batches=(4, 8, 1, 16),
        frames=(8, 1, 4, 16, 32, 80),
        training_batches=(1, 4),
        matrices=(2048, 4096, 8192, 16384),
        copied_bytes=2**30,
        repeat_s=0.6,
    ),
    "doodle": Scale(
        name="doodle",
        batches=(8, 1, 4),
        clip_batches=(1, 8),
        aligned_batches=(4, 1),
        frames=(8, 1, 128),
        training_batches=(1, 4),
        matrices=(1024, 2048),
        copied_bytes=2**28,
        repeat_s=0.2,
    ),
    # The same code in a minute, not figures.
    "tiny": Scale(
        name="tiny",
        batches=(1, 2),
        clip_batches=(),
        aligned_batches=(1,),
        frames=(1, 4),
        training_batches=(1,),
        matrices=(128, 256),
        copied_bytes=2**20,
        repeat_s=0.0,
        repeats=1,
        whole_share=0.0,
        short_steps=3,
        warm_up_steps=1,
        published_calls=1,
        training_warm_up=1,
        training_steps=1,
        livesketch_batches=(1,),
        livesketch_steps=1,
    ),
}
