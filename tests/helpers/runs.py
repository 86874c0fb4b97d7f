"""One run of each kind, all from one manifest, and what the same commands make of them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from flipsketch.animations.reader import RasterConfig
from pipelines.animate import animate_manifest
from pipelines.curate import CurateConfig, curate
from pipelines.evaluate import EvaluateConfig, evaluate
from pipelines.execution.config import ExecutorConfig
from pipelines.rasterize import RasterizeConfig, make_training_shards
from pipelines.report import ReportConfig, write_report
from tests.helpers.animations import write_animation
from tests.helpers.corpora import good_rows, make_job, make_manifest

LOCAL = ExecutorConfig(executor="local")


class Runs:
    """A corpus with scores and a report, what was chosen from it, and training shards."""

    def __init__(self, folder: Path, model: Path, clip: Path) -> None:
        rows = good_rows(6)
        rows[3]["sketch"] = "none.svg"
        job = make_job(model, folder)
        self.animate = replace(job, manifest=make_manifest(folder, rows), max_failures="1")
        self.evaluate = EvaluateConfig(corpus=job.output, clip_model=str(clip), executor=LOCAL)
        self.report = ReportConfig(corpus=job.output)
        self.curate = CurateConfig(
            corpus=job.output,
            output=str(folder / "chosen"),
            keep=(),
            duplicate_cosine=None,
            splits=("train=1",),
            rows_per_shard=3,
        )
        for index in range(3):
            write_animation(folder / "in" / f"thing {index}", 3, f"way {index}")
        self.rasterize = RasterizeConfig(
            animations=str(folder / "in"),
            output=str(folder / "shards"),
            raster=RasterConfig(size=16),
            rows_per_shard=2,
            executor=LOCAL,
        )

    def make(self) -> None:
        """Run the commands: they make what is missing."""
        assert animate_manifest(self.animate) == 0
        assert evaluate(self.evaluate) == 0
        assert write_report(self.report) == 0
        assert curate(self.curate) == 0
        assert make_training_shards(self.rasterize) == 0

    @property
    def outputs(self) -> list[Path]:
        return [Path(one.output) for one in (self.animate, self.curate, self.rasterize)]

    def files(self) -> Iterator[tuple[Path, Path]]:
        """Yield each folder of a run with each file in it, but for what was moved aside."""
        for output in self.outputs:
            for path in sorted(output.rglob("*")):
                if path.is_file() and not {"_damaged", "_tmp"} & set(path.parts):
                    yield output, path

    def contents(self) -> dict[str, object]:
        """Return what each file holds: its bytes, or of metadata the rows less how long they took
        and how often they were tried, which are not the plan's to say."""
        return {
            f"{output.name}/{path.relative_to(output)}": [
                {**row, "seconds": None, "attempts": None}
                for row in pq.read_table(path).to_pylist()
            ]
            if path.parent.name == "metadata"
            else path.read_bytes()
            for output, path in self.files()
        }
