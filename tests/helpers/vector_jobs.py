"""A job of Live-Sketch at toy size."""

from dataclasses import replace
from pathlib import Path

from PIL import Image

from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.media.sketch import load_sketch
from pipelines.animating.config import AnimateConfig
from tests.helpers.corpora import good_rows, make_job, make_manifest

SIZE = 32
COLOURED = '<svg viewBox="0 0 9 9"><path d="M1 1H8V8Z" fill="#f00"/></svg>'
BAD: dict[str, dict[str, object]] = {
    "raster": {"sketch": "raster.png"},
    "coloured": {"sketch": "coloured.svg"},
    "perhaps": {"sketch": "raster.png", "trace": "perhaps"},
    "long": {"prompt": None, "prompts": ["on"] * 3, "num_frames": 100},
}


def make_vector_job(model: Path, folder: Path) -> AnimateConfig:
    """Return a job on nine rows: one of two segments, one that is traced, and four that cannot be
    animated."""
    job = make_job(model, folder)
    rows = good_rows(5)
    rows[2] = {"prompts": ["it sails", "it rocks"], **rows[2]}
    del rows[2]["prompt"]
    rows[4] |= {"sketch": "raster.png", "trace": True}
    bad = [{**rows[0], "id": name, **fields} for name, fields in BAD.items()]
    manifest = make_manifest(folder, [rows[0], bad[0], *rows[1:3], *bad[1:], *rows[3:]])
    (folder / "coloured.svg").write_text(COLOURED)
    Image.fromarray(load_sketch(folder / "sketches" / "cat.svg", 64)).save(folder / "raster.png")
    return replace(
        job,
        manifest=manifest,
        method="livesketch",
        livesketch=LiveSketchConfig(draft_steps=0, optimization_steps=2, output_size=SIZE),
        rows_per_shard=4,
        max_failures="4",
    )
