"""UNet passes by variant and batch: time, memory, and how far from the plain one's result."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import product

import torch
from diffusers import UNet3DConditionModel
from measuring import fill_zero_layers, make_model
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from flipsketch.models.gradient_checkpointing import CHECKPOINTED
from flipsketch.models.graphs import CudaRecorder, Rehearsal
from flipsketch.models.video_model import VideoModel
from gpu_parts.bench import UNKNOWN_S, Bench
from gpu_parts.card import percent_of_peak
from gpu_parts.rows import Row, Rows
from gpu_parts.variants import ALL_NAME, PLAIN_NAME, use_variant

WORK = "b. Work of one clip's UNet pass"
PASSES = "b. UNet passes"
UPDATES = "b. Alignment updates"
TOY = "b. UNet passes of the toy model"
NUM_FRAMES = 10
EAGER, GRAPH, COMPILED = "eager", "CUDA graph", "compiled blocks"
# Compiling the blocks may take as long; nothing here has been compiled before.
COMPILATION_S = 120.0
# One to warm up, three to measure, one to compare.
PASSES_A_ROW = 5
# Measured passes that say how long the next may take.
NUM_RECENT = 8
PREDICTION, UPDATE = "prediction", "alignment update"
WORKS = {PREDICTION: PASSES, UPDATE: UPDATES}
# Latents, timestep and embeddings.
Inputs = tuple[Tensor, Tensor, Tensor]


class UnetPasses:
    def __init__(self, bench: Bench) -> None:
        self.bench, self.unet = bench, bench.model.unet
        self.plain: dict[str, Tensor] = {}

    def count_work(self) -> None:
        for work in WORKS:
            facts = {"frames": NUM_FRAMES}
            self.bench.row(WORK, work, facts, lambda work=work: self.count(work), 20)

    def count(self, work: str) -> Row:
        use_variant(self.bench.model, PLAIN_NAME)
        with FlopCounterMode(display=False) as counter:
            run_pass(self.unet, make_inputs(self.unet, 1), work)
        parameters = sum(weight.numel() for weight in self.unet.parameters())
        return {"tflop": counter.get_total_flops() / 1e12, "parameters": parameters}

    def measure(
        self, names: list[str], batches: tuple[int, ...], how: str, work: str = PREDICTION
    ) -> None:
        for batch in batches:
            for name in names:
                facts = {"variant": name, "batch": batch, "how": how}
                # An update costs about two passes.
                num_passes = PASSES_A_ROW if work == PREDICTION else 2 * PASSES_A_ROW
                expected_s = 1 + self.bench.scale.repeat_s
                expected_s += num_passes * expect_pass(self.bench, batch)
                if how == COMPILED:
                    expected_s += COMPILATION_S
                self.bench.row(
                    WORKS[work],
                    f"{name}, batch {batch}, {how}",
                    facts,
                    lambda name=name, batch=batch: self.run(name, batch, how, work),
                    expected_s,
                )

    def run(self, name: str, batch: int, how: str, work: str) -> Row:
        if work not in self.plain:
            use_variant(self.bench.model, PLAIN_NAME)
            self.plain[work] = run_pass(self.unet, make_inputs(self.unet, 1), work).float()
        use_variant(self.bench.model, name)
        inputs = make_inputs(self.unet, batch)

        def call() -> Tensor:
            return run_pass(self.unet, inputs, work)

        with compiled(self.unet) if how == COMPILED else nullcontext(), self.bench.peak() as memory:
            run = as_graph(call, self.bench.device) if how == GRAPH else call
            seconds = self.bench.median_seconds(run)
            difference = relative(run()[:1].float(), self.plain[work])
        tflop = batch * work_of(self.bench.rows, work)
        return {
            "ms": round(seconds * 1e3, 2),
            "ms_a_clip": round(seconds * 1e3 / batch, 2),
            "tflop_per_s": round(tflop / seconds, 3),
            "percent_of_peak": percent_of_peak(self.bench.rows, tflop / seconds),
            **memory,
            "from_plain": f"{difference:.1e}",
        }


def run_pass(unet: UNet3DConditionModel, inputs: Inputs, work: str = PREDICTION) -> Tensor:
    """Return a prediction, or alignment's gradient, from the first frame to the latents."""
    latents, t, embeds = inputs
    if work == PREDICTION:
        with torch.no_grad():
            return unet(latents, t, embeds).sample
    latents = latents.clone().requires_grad_()
    unet(latents, t, embeds).sample[:, :, :1].float().square().mean().backward()
    return latents.grad


def make_inputs(unet: UNet3DConditionModel, batch: int) -> Inputs:
    """Return a UNet's inputs; a row's are the same in every batch."""
    config, make = unet.config, {"device": unet.device, "dtype": unet.dtype}
    side = config.sample_size
    latents, embeds = [], []
    for row in range(batch):
        generator = torch.Generator(unet.device).manual_seed(row)
        shape = (config.in_channels, NUM_FRAMES, side, side)
        latents.append(torch.randn(shape, generator=generator, **make))
        embeds.append(torch.randn(77, config.cross_attention_dim, generator=generator, **make))
    return torch.stack(latents), torch.tensor(500, device=unet.device), torch.stack(embeds)


@contextmanager
def compiled(unet: UNet3DConditionModel) -> Iterator[None]:
    """Compile each of the UNet's blocks by itself; some of them are alike, and compiled once."""
    blocks = [module for module in unet.modules() if isinstance(module, CHECKPOINTED)]
    on_gpu = unet.device.type == "cuda"
    for block in blocks:
        # On a CPU only the tracing is tried: its compiler would take minutes.
        block.compile(dynamic=False, backend="inductor" if on_gpu else "eager")
    # Each kind of block is traced anew for each of its shapes.
    with torch._dynamo.config.patch(recompile_limit=len(blocks)):
        try:
            yield
        finally:
            for block in blocks:
                block._compiled_call_impl = None


def as_graph(call: Callable[[], Tensor], device: torch.device) -> Callable[[], Tensor]:
    recorder = CudaRecorder() if device.type == "cuda" else Rehearsal()
    recorder.warm_up(call)
    result, replay = recorder.record(call)

    def run() -> Tensor:
        replay()
        return result

    return run


def compare_precisely(bench: Bench, names: list[str]) -> None:
    """Compare on the toy model, whose float64 leaves no rounding for a mistake to hide behind."""
    models: dict[torch.dtype, VideoModel] = {}
    plain: dict[torch.dtype, list[Tensor]] = {}
    for dtype, name in product((torch.float64, torch.float32), names):
        label = str(dtype).removeprefix("torch.")

        def compare(dtype: torch.dtype = dtype, name: str = name) -> Row:
            if dtype not in models:
                models[dtype] = make_model("tiny", str(bench.device), dtype, tiny_pixels=16)
                fill_zero_layers(models[dtype].unet)
                plain[dtype] = run_works(models[dtype], PLAIN_NAME)
            own = run_works(models[dtype], name)
            return {
                f"{work.replace(' ', '_')}_from_plain": f"{relative(b, a):.1e}"
                for work, a, b in zip(WORKS, plain[dtype], own, strict=True)
            }

        bench.row(TOY, f"{name}, {label}", {"variant": name, "dtype": label}, compare, 5)


def run_works(model: VideoModel, name: str) -> list[Tensor]:
    """Return a variant's prediction and alignment update."""
    use_variant(model, name)
    inputs = make_inputs(model.unet, 1)
    # By default CUDA's convolutions in float32 round their inputs to ten bits.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        return [run_pass(model.unet, inputs, work) for work in WORKS]


def relative(result: Tensor, plain: Tensor) -> float:
    """Return the largest difference, as a share of the largest value."""
    return float((result - plain).abs().max() / plain.abs().max())


def work_of(rows: Rows, case: str) -> float:
    """Return TFLOP of one clip's pass or alignment update; NaN if they were not counted."""
    return next((row["tflop"] for row in rows.measured(WORK) if row["case"] == case), math.nan)


def expect_pass(bench: Bench, batch: int) -> float:
    """Return how long a pass may take, by what others took."""
    ms = [row["ms_a_clip"] for row in bench.rows.measured(PASSES) if row["batch"] <= batch]
    # The slowest variant may be next, but not that of a batch of one, which waits for the host.
    return batch * max(ms[-NUM_RECENT:]) / 1e3 if ms else UNKNOWN_S / PASSES_A_ROW


def fastest(rows: Rows, how: str | None = None) -> Row | None:
    """Return the pass that takes the least for each clip."""
    passes = [row for row in rows.measured(PASSES) if how in (None, row["how"])]
    return min(passes, key=lambda row: row["ms_a_clip"], default=None)


def rank_variants(rows: Rows) -> list[Row]:
    """Return the passes launched one by one, from the fastest variant to the slowest, at the batch
    that most variants have."""
    passes = [row for row in rows.measured(PASSES) if row["how"] == EAGER]
    batches = Counter(row["batch"] for row in passes).most_common(1)
    at_one = [row for row in passes if row["batch"] == batches[0][0]]
    return sorted(at_one, key=lambda row: row["ms"])


def best_variant(rows: Rows) -> str:
    ranked = rank_variants(rows)
    return ranked[0]["variant"] if ranked else ALL_NAME


def worst_variant(rows: Rows) -> str:
    ranked = rank_variants(rows)
    return ranked[-1]["variant"] if ranked else PLAIN_NAME
