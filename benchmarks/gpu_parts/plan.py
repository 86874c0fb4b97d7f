"""What is measured on a GPU, in the order of its value."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from measuring import fill_zero_layers, make_model

from flipsketch.models.quiet import quiet_libraries
from gpu_parts.bench import Bench
from gpu_parts.card import measure_card
from gpu_parts.clips import measure_ours, measure_published
from gpu_parts.conclusions import conclude
from gpu_parts.fits import measure_fits
from gpu_parts.livesketch import measure_livesketch
from gpu_parts.profiles import measure_kernels
from gpu_parts.rows import Rows
from gpu_parts.scale import SCALES
from gpu_parts.training import measure_training
from gpu_parts.unet import (
    COMPILED,
    EAGER,
    GRAPH,
    UPDATE,
    UnetPasses,
    best_variant,
    compare_precisely,
    fastest,
    worst_variant,
)
from gpu_parts.vae import measure_vae
from gpu_parts.variants import ALL_NAME, PLAIN_NAME, SWITCHES, all_but, default_name

Step = tuple[str, Callable[[], object]]


def run_parts(arguments: argparse.Namespace) -> None:
    """Measure the parts that were asked for."""
    quiet_libraries()
    torch.manual_seed(0)
    scale = SCALES[arguments.size]
    if arguments.batches:
        scale = replace(scale, batches=tuple(arguments.batches))
    dtype = torch.bfloat16 if arguments.device == "cuda" else torch.float32
    model = make_model(arguments.size, arguments.device, dtype, tiny_pixels=16)
    if arguments.size != "doodle":
        fill_zero_layers(model.unet)
    bench = Bench(model, scale, Rows(arguments.output), arguments.until)
    for part, step in steps(bench):
        if set(part) & set(arguments.parts):
            step()


def steps(bench: Bench) -> Iterator[Step]:
    """Yield what to do, first what decides the most, and the parts that need it."""
    passes, scale = UnetPasses(bench), bench.scale
    first, later = scale.batches[:2], scale.batches[2:]
    main = list(dict.fromkeys((PLAIN_NAME, ALL_NAME, default_name(bench.model))))
    # What the goals are about.
    yield "a", lambda: measure_card(bench)
    yield "bc", passes.count_work
    yield "b", lambda: compare_precisely(bench, [ALL_NAME, *SWITCHES])
    yield "b", lambda: passes.measure(main, first, EAGER)
    yield "b", lambda: passes.measure([ALL_NAME], first, GRAPH)
    yield "b", lambda: passes.measure(main, scale.aligned_batches[:1], EAGER, UPDATE)
    yield "c", lambda: measure_published(bench, align=False)
    yield "c", lambda: measure_published(bench, align=True)
    yield "c", lambda: measure_first_clips(bench)
    yield "c", lambda: measure_fits(bench)
    yield "g", lambda: conclude(bench)
    # What the defaults are about.
    yield "b", lambda: passes.measure(SWITCHES, first[:1], EAGER)
    yield "b", lambda: passes.measure(main, later, EAGER)
    yield "b", lambda: passes.measure([ALL_NAME], later, GRAPH)
    yield "f", lambda: measure_kernels(bench, best_and_worst(bench.rows), first[0])
    yield "f", lambda: measure_kernels(bench, [best_variant(bench.rows)], first[-1])
    yield "f", lambda: measure_kernels(bench, [ALL_NAME], scale.aligned_batches[0], UPDATE)
    yield "d", lambda: measure_vae(bench)
    yield "e", lambda: measure_training(bench, scale.training_batches[:1])
    yield "g", lambda: conclude(bench)
    yield "h", lambda: measure_livesketch(bench)
    # Whether a switch that is of no use alone is of any among the others.
    yield "b", lambda: passes.measure([all_but(name) for name in SWITCHES], first[:1], EAGER)
    yield "b", lambda: passes.measure(SWITCHES, scale.aligned_batches[:1], EAGER, UPDATE)
    yield "b", lambda: passes.measure([ALL_NAME], scale.aligned_batches, GRAPH, UPDATE)
    yield "c", lambda: measure_other_clips(bench)
    yield "e", lambda: measure_training(bench, scale.training_batches[1:])
    yield "b", lambda: passes.measure(SWITCHES, scale.batches[1:4], EAGER)
    yield "b", lambda: passes.measure([best_variant(bench.rows)], scale.batches, GRAPH)
    yield "b", lambda: passes.measure([best_variant(bench.rows)], first[:1], COMPILED)
    yield "g", lambda: conclude(bench)


def best_and_worst(rows: Rows) -> list[str]:
    return [best_variant(rows), worst_variant(rows)]


def measure_first_clips(bench: Bench) -> None:
    """Measure what the goals are about, by what a UNet pass has shown to be the best."""
    best, aligned = fastest_batch(bench), bench.scale.aligned_batches[0]
    ours = {"preset": "exact", "variant": best_variant(bench.rows), "checkpointing": False}
    for graphs in (False, True):
        measure_ours(bench, {"aligned": False, "batch": best, "graphs": graphs, **ours})
    memory = {"aligned": True, "batch": 1, "graphs": False, **ours, "checkpointing": True}
    measure_ours(bench, memory)
    for graphs in (False, True):
        measure_ours(bench, {"aligned": True, "batch": aligned, "graphs": graphs, **ours})


def measure_other_clips(bench: Bench) -> None:
    ours = {"preset": "exact", "variant": best_variant(bench.rows), "checkpointing": False}
    for preset, aligned in (("fast", True), ("draft", False)):
        batch = bench.scale.aligned_batches[0] if aligned else fastest_batch(bench)
        facts = {"aligned": aligned, "batch": batch, "graphs": True}
        measure_ours(bench, {**ours, "preset": preset, **facts})
    for batch in bench.scale.clip_batches:
        for graphs in (True, False):
            measure_ours(bench, {"aligned": False, "batch": batch, "graphs": graphs, **ours})
    for batch in bench.scale.aligned_batches[1:]:
        for checkpointing in (False, True):
            facts = {"aligned": True, "batch": batch, "graphs": True, **ours}
            measure_ours(bench, {**facts, "checkpointing": checkpointing})


def fastest_batch(bench: Bench) -> int:
    best = fastest(bench.rows)
    return bench.scale.batches[0] if best is None else best["batch"]
