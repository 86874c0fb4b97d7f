#!/usr/bin/env python
"""How long the page of a corpus takes to write and to open in Chromium, and how large it is.

The corpus is one of doodles: their frames as clips, their first frame as the sketch.

    python benchmarks/report.py --num-clips 500 2000
"""

import hashlib
import io
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tyro
from PIL import Image
from selenium import webdriver

from flipsketch.corpus.kinds import ANIMATE
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.row import Row, row_digest
from flipsketch.corpus.run_folder import begin_run
from flipsketch.corpus.sample import encode_sample
from flipsketch.corpus.shard import write_shard
from flipsketch.doodles.doodle import make_doodle, render_doodle
from flipsketch.media.clip import Clip
from flipsketch.scoring.ink import motion
from flipsketch.storage.folder import open_folder
from pipelines.makers.clip_columns import row_schema
from pipelines.report import ReportConfig, write_report

ROWS_PER_SHARD = 250


@dataclass(frozen=True, kw_only=True)
class PageConfig:
    num_clips: tuple[int, ...] = (500, 2000)
    """Clips of each corpus."""
    size: int = 256
    """Height and width of a frame."""
    num_frames: int = 10
    """Frames of a clip."""


def main(config: PageConfig) -> None:
    print("| clips | frames | page | to write it | to open it |\n|---|---|---|---|---|")
    for num_clips in config.num_clips:
        with tempfile.TemporaryDirectory() as folder:
            corpus = write_corpus(Path(folder), num_clips, config)
            started = time.monotonic()
            write_report(ReportConfig(corpus=str(corpus), num_clips=num_clips))
            written = time.monotonic() - started
            page = corpus / "report.html"
            opened = time_opening(page)
            print(
                f"| {num_clips:,} | {config.num_frames} of {config.size} x {config.size} | "
                f"{page.stat().st_size / 1e6:.1f} MB | {written:.1f} s | {opened:.2f} s |",
                flush=True,
            )


def write_corpus(folder: Path, num_clips: int, config: PageConfig) -> Path:
    output, manifest = open_folder(str(folder / "corpus")), []
    settings = {
        **ANIMATE.settings,
        "num_rows": num_clips,
        "manifest_fingerprint": "",
        "rows_per_shard": ROWS_PER_SHARD,
    }
    plan = begin_run(output, Plan(settings, log={"manifest": str(folder / "manifest.parquet")}))
    for shard in plan.parts[0].shards:
        rows, samples = [], []
        for index in plan.parts[0].rows_in(shard).tolist():
            doodle = make_doodle(11, index)
            frames = render_doodle(doodle, config.num_frames, config.size, "sketch")
            row = Row(index=index, id=f"doodle {index}", prompts=(doodle.prompt,))
            sketch = to_png(frames[0])
            manifest.append({"id": row.id, "sketch_bytes": sketch, "prompt": doodle.prompt})
            clip = Clip(row.key, doodle.prompt, frames)
            samples.append(encode_sample(clip, frames[0], {}, pa.schema([])))
            rows.append(
                {
                    "id": row.id,
                    "manifest_row": index,
                    "row_digest": row_digest(row),
                    "key": row.key,
                    "prompts": [doodle.prompt],
                    "sketch_sha256": hashlib.sha256(sketch).hexdigest(),
                    "seed": index,
                    "status": "ok",
                    "num_frames": config.num_frames,
                    "height": config.size,
                    "width": config.size,
                    "motion": motion(frames),
                }
            )
        write_shard(output, plan, shard, rows, samples, row_schema())
    pq.write_table(pa.Table.from_pylist(manifest), folder / "manifest.parquet")
    return folder / "corpus"


def to_png(frame: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(frame).save(out, "PNG")
    return out.getvalue()


def time_opening(page: Path) -> float:
    """Return the seconds from asking for a page until it has laid out its first clips."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    flags = ["headless", "no-sandbox", "disable-gpu", "no-first-run", "window-size=1200,900"]
    for flag in [*flags, "disable-background-networking", "disable-component-update"]:
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        driver.get("about:blank")
        started = time.monotonic()
        driver.get(page.as_uri())
        driver.execute_script("return document.querySelector('.clip').getBoundingClientRect().top")
        return time.monotonic() - started
    finally:
        driver.quit()


if __name__ == "__main__":
    main(tyro.cli(PageConfig, description=__doc__))
