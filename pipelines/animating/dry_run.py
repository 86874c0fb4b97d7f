"""What a run that animates a manifest would make and cost, without loading a model."""

import functools
import logging
from collections.abc import Callable, Mapping
from operator import attrgetter
from pathlib import Path

from flipsketch.corpus.licenses import all_licenses
from flipsketch.corpus.manifest import summarize_manifest
from flipsketch.corpus.passport import ROW_LICENSES, STILL, license_settings
from flipsketch.corpus.plan import UNKNOWN, Plan
from flipsketch.corpus.restrictions import describe_licenses, list_conflicts, list_restrictions
from flipsketch.corpus.row import Row
from flipsketch.corpus.row_licenses import strictest_first
from flipsketch.corpus.run_folder import refuse_strange_files
from flipsketch.media.config import SketchConfig
from flipsketch.method.methods import METHODS
from flipsketch.models.cards import read_statements
from flipsketch.models.hub import NotFetchedError
from flipsketch.models.motion_adapters import has_weights
from flipsketch.models.places import find_on_hub
from flipsketch.models.registry import find_settings, is_fetched
from flipsketch.storage.folder import Folder
from flipsketch.storage.text import MAX_CONTENT, one_line
from pipelines.animating.config import AnimateConfig
from pipelines.animating.planning import (
    check_clips,
    check_loads,
    find_motion,
    pin_config,
    refuse_another_run,
)
from pipelines.animating.video import settle_video
from pipelines.check_sketches import check_rows
from pipelines.makers.clip_columns import reserved_names
from pipelines.makers.clip_settings import sketch_settings
from pipelines.makers.row_settings import RowKinds, find_error
from pipelines.makers.sketch_opener import SketchOpener
from pipelines.sharding.licenses import foresee_licenses
from pipelines.sharding.summary import exceeds

log = logging.getLogger(__name__)


def dry_run(config: AnimateConfig, folder: Folder, before: Plan | None) -> int:
    """Print what the run would make and cost."""
    from pipelines.sharding.dry_run import USUAL_SIZE, print_dry_run
    from pipelines.sharding.needs import Workload

    find_bad: Callable[[Row], str | None] = attrgetter("error")
    size = config.livesketch.output_size or USUAL_SIZE
    motion_adapter = max_frames = None
    config, model = find_config(config, before)
    parts = METHODS[config.method].list_parts(config.model) if model else ()
    is_whole = model is not None and is_fetched(config.model, parts)
    config = settle_video(config, model, before)
    if model is not None:
        size, max_frames = check_clips(config, model)
        motion_adapter = find_motion(config, model)
        is_whole = is_whole and (motion_adapter is None or has_weights(motion_adapter))
        find_bad = functools.partial(
            find_error,
            config=config.sampling,
            method=config.method,
            size=size,
            max_frames=max_frames,
            has_licenses=before is None or ROW_LICENSES in before.settings,
        )
        if before is None and is_whole:
            check_loads(config, model)
    kinds = RowKinds(config.sampling, config.method)
    if before is None and not config.overwrite:
        refuse_strange_files(folder)

    def see(row: Row) -> str | None:
        if (problem := find_bad(row)) is None:
            kinds.add(row)
        return problem

    num_before = before.num_rows if before else 0
    reserved = reserved_names(config.method, before.settings if before else None)
    manifest = summarize_manifest(config.manifest, reserved, num_before, see)
    if before is not None:
        refuse_another_run(config, folder, before, manifest, model if is_whole else None)
    workload = Workload(
        model=model,
        # Without the commit; of a folder not the path to it.
        name=config.model.partition("@")[0]
        if find_on_hub(config.model)
        else Path(config.model).name,
        motion_adapter=motion_adapter,
        method=config.method,
        size=size,
        kinds=kinds.sampled(),
        sampling=config.sampling,
        livesketch=config.livesketch,
        costliest=kinds.costliest(),
        num_own=kinds.num_own,
        batch_size=config.batch_size,
        rows_per_shard=config.rows_per_shard,
        workers=1 if config.executor.executor == "local" else config.executor.workers,
        device=config.device,
        dtype=config.dtype,
        kernels=config.kernels,
        checkpoint_gradients=config.checkpoint_gradients,
        gpu_memory_gb=config.gpu_memory_gb,
        offload=config.offload,
        vae_slicing=config.vae_slicing or (before is not None and before.vae_slicing),
        video=config.video,
    )
    print_dry_run(manifest, folder, before, workload)
    print_licenses(config, before, model, manifest.licenses or {})
    if not config.check_sketches:
        return 0
    opener = SketchOpener(
        sources=config.sources.of(config.manifest),
        size=size,
        config=SketchConfig.of(sketch_settings(config.sketches, before)),
        darken=config.sampling.darken_sketch,
        livesketch=config.livesketch if METHODS[config.method].moves_strokes else None,
    )
    num_bad = check_rows(config.manifest, manifest, opener, find_bad)
    return 1 if exceeds(num_bad, manifest.num_rows, config.max_failures) else 0


def print_licenses(
    config: AnimateConfig, before: Plan | None, model: Path | None, rows: Mapping[str, int]
) -> None:
    """Print the licenses of what clips would be made of and with, and which of them do not allow
    commercial use.

    Args:
        model: None where its folder is not here.
        rows: of the manifest, by the license that they name for their sketch.
    """
    own = config.license or (before.licence if before else UNKNOWN)
    settings = before.settings if before else license_settings(None)
    sketches = Plan({**settings, "method": STILL}, log={"licence": own})
    licenses = foresee_licenses(sketches, rows)
    if model is None:
        licenses.append(("model", config.model_license or UNKNOWN))
    elif config.method != STILL:
        stated = config.model_license
        licenses.append(("model", all_licenses(*read_statements(model, stated))))
        if config.adapter is not None:
            lora = METHODS[config.method].find_lora(config.adapter)
            licenses.append(("adapter", all_licenses(*read_statements(lora))))
        if (motion := find_motion(config, model)) is not None:
            licenses.append(("motion adapter", all_licenses(*read_statements(motion))))
    licenses = strictest_first(licenses)
    print(f"terms:  license {one_line(own, MAX_CONTENT)}; {describe_licenses(licenses)}")
    for restriction in list_restrictions(licenses) + list_conflicts(own, licenses):
        print(f"        {restriction}")


def find_config(config: AnimateConfig, before: Plan | None) -> tuple[AnimateConfig, Path | None]:
    """Return the job with its places at their commits, and the folder of the model's settings; of a
    model on the Hub nothing else is fetched. The folder is None if the Hub does not answer.

    Raises:
        ValueError, OSError: there is no such model or adapter.
    """
    try:
        config = pin_config(config, before)
        method = METHODS[config.method]
        if config.adapter is not None:
            method.find_lora(config.adapter)
        return config, find_settings(config.model, method.list_parts(config.model))
    except NotFetchedError as error:
        log.warning("%s; shapes of ModelScope T2V are used in its place", error)
        return config, None
