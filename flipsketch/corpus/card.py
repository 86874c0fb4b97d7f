"""The dataset card of a corpus: its YAML tells Hugging Face `datasets` which tars count and what is
in them; its text shows how to load the clips."""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from flipsketch.corpus.kinds import ANIMATE, CURATE, RASTERIZE
from flipsketch.corpus.plan import UNKNOWN, Plan
from flipsketch.corpus.sample import Sample, json_type
from flipsketch.corpus.shard import ShardFacts, read_metadata, read_sample, tar_name
from flipsketch.corpus.terms_table import PartLicense, count_licenses, draw_terms
from flipsketch.storage.folder import Folder
from flipsketch.storage.sealed import to_text
from flipsketch.storage.text import one_line

ORIGINS = {
    "flipsketch": "made by FlipSketch (Bandyopadhyay and Song, CVPR 2025)",
    "livesketch": "made by Live-Sketch (Gal et al., 2023)",
    "t2v": "made by a text-to-video model from the prompts alone",
    "still": "each the sketch, repeated",
    "i2v": "made by an image-to-video model ({pipeline} of diffusers)",
    "svd": "made by Stable Video Diffusion (Blattmann et al., 2023)",
}
SKETCHES = {
    ANIMATE.name: "`<key>.sketch.png` the sketch, as the method saw it",
    RASTERIZE.name: "`<key>.sketch.png` the first frame, which stands for a sketch",
    None: "no sketches, which samples of the format that they were copied from do not hold",
}
VECTOR = (
    "; `<key>.svg` the clip as one SVG that plays, whose frames `flipsketch.svg.animated` reads"
)
TEMPLATE = """# Sketch animations

{num_ok:,} clips of {num_rows:,} {inputs} with prompts ({num_failed:,} failed), in {num_shards:,}
shards, {origin}.

| file | holds |
|---|---|
| `{tars}/*.tar` | WebDataset samples: {sketches}; `<key>.txt` the prompt; `<key>.png` the clip \
as a filmstrip, frames stacked top to bottom{vector}; `<key>.json` how it was made{more_in_json} |
| `metadata/*.parquet` | a row for each input row, good or failed, with the shard, offset and \
length of its sample; where a failed row was tried again, the file with the highest number counts; \
a tar without one is a leftover |
| `run.json` | the plan: every setting that determines the clips |

## Load the clips

Each of these yields sketch (height, width, 3), prompt, and frames (frame, height, width, 3), 8 bits
a channel, of the folder in which this card is. With Hugging Face `datasets`, which also takes the
name of a dataset on the Hub:

```python
{with_datasets}```

With `webdataset`:

```python
{with_webdataset}```

With `pyarrow`, any clip by its row:

```python
{with_pyarrow}```

## License

{terms}

{more}## Settings

```json
{settings}
```
"""
WITH_DATASETS = """import numpy as np
from datasets import load_dataset


def read_clips(folder):
    for clip in load_dataset(folder, split="<split>", streaming=True):
        strip = np.array(clip["png"].convert("RGB"))
        frames = strip.reshape(clip["json"]["num_frames"], -1, *strip.shape[1:])
        sketch = np.array(clip["sketch.png"].convert("RGB"))
        yield sketch, clip["txt"], frames
"""
WITH_WEBDATASET = """import pyarrow.parquet as pq
import webdataset


def read_clips(folder):
    good = pq.read_table(f"{folder}/metadata", columns=["shard"], filters=<filters>)
    shards = sorted(set(good["shard"].to_pylist()))
    tars = [f"{folder}/<tars>/{shard:05d}.tar" for shard in shards]
    for clip in webdataset.WebDataset(tars, shardshuffle=False).decode("rgb8"):
        strip = clip["png"]
        frames = strip.reshape(clip["json"]["num_frames"], -1, *strip.shape[1:])
        sketch = clip["sketch.png"]
        yield sketch, clip["txt"], frames
"""
WITH_PYARROW = """import io
import tarfile

import numpy as np
import pyarrow.parquet as pq
from PIL import Image


def read_clips(folder):
    for row in pq.read_table(f"{folder}/metadata", filters=<filters>).to_pylist():
        with open(f"{folder}/<tars>/{row['shard']:05d}.tar", "rb") as tar:
            tar.seek(row["tar_offset"])
            sample = tarfile.open(fileobj=io.BytesIO(tar.read(row["tar_length"])))
        strip = read_png(sample, f"{row['key']}.png")
        frames = strip.reshape(row["num_frames"], -1, *strip.shape[1:])
        sketch = read_png(sample, f"{row['key']}.sketch.png")
        yield sketch, row["prompt"], frames


def read_png(sample, name):
    return np.array(Image.open(sample.extractfile(name)).convert("RGB"))
"""


def describe_origin(plan: Plan) -> str:
    # Runs of svd that are older than i2v do not name the class.
    return ORIGINS[plan.method].format(pipeline=plan.settings.get("pipeline"))


def write_card(
    folder: Folder,
    plan: Plan,
    shards: list[ShardFacts],
    more: str = "",
    licenses: Mapping[PartLicense, int] | None = None,
) -> None:
    """Write README.md for the shards that are committed.

    Args:
        more: Markdown to stand before the settings.
        licenses: number of clips by part and license; by default as plan and shards have it.
    """
    # Imported late: it is needed once a run, when all clips are made.
    from huggingface_hub import DatasetCardData

    shards = sorted(shards, key=lambda shard: shard.index)
    licenses = licenses or count_licenses(plan, shards)
    is_drawn = plan.kind is RASTERIZE
    found = find_sample(folder, plan, shards)
    has_sketch = found is None or found[0].sketch is not None
    has_svg = found is not None and found[0].svg is not None
    kind = RASTERIZE.name if is_drawn else ANIMATE.name
    data = DatasetCardData(
        license=plan.licence,
        pretty_name="Sketch animations",
        task_categories=["text-to-video"] if is_drawn else ["text-to-video", "image-to-video"],
        tags=["sketch", "animation", "webdataset"],
        configs=[{"config_name": "default", "data_files": list_files(plan, shards)}],
        dataset_info=found and {"features": describe_features(*found)},
    )
    text = TEMPLATE.format(
        inputs="vector animations" if is_drawn else "sketches",
        origin="drawn from SVG frames" if is_drawn else describe_origin(plan),
        tars=plan.tars,
        sketches=SKETCHES[kind if has_sketch else None],
        vector=VECTOR if has_svg else "",
        with_datasets=fill_example(WITH_DATASETS, plan, has_sketch),
        with_webdataset=fill_example(WITH_WEBDATASET, plan, has_sketch),
        with_pyarrow=fill_example(WITH_PYARROW, plan, has_sketch),
        more_in_json="" if is_drawn else ", and the manifest's own columns",
        terms=f"{describe_license(plan)}\n\n{draw_terms(licenses, plan.licence)}",
        more=more,
        num_ok=sum(shard.ok for shard in shards),
        num_failed=sum(shard.failed - shard.superseded for shard in shards),
        num_rows=plan.num_rows,
        num_shards=len(shards),
        settings=json.dumps(plan.settings, indent=1, sort_keys=True),
    )
    folder.publish("README.md", to_text(f"---\n{data.to_yaml()}\n---\n\n{text}"))


def describe_license(plan: Plan) -> str:
    """Return the license of the corpus, which its user gives by rights in the input."""
    if plan.licence == UNKNOWN:
        return (
            "Nobody has named the license of this corpus: rerun the command that made it with "
            "--license."
        )
    return (
        f"This corpus is licensed under: {one_line(plan.licence)}. What the clips were made of and "
        f"with may allow less, and a freer license of the corpus does not free them:"
    )


def list_files(plan: Plan, shards: list[ShardFacts]) -> list[dict[str, Any]]:
    """Return which tars are which split's, as `datasets` reads it."""
    tars: dict[str, list[str]] = {name: [] for name in plan.splits}
    for shard in shards:
        if shard.ok:
            tars[plan.split_of(shard.index)].append(tar_name(shard.index, plan.tars))
    return [{"split": name, "path": own} for name, own in tars.items()]


def find_sample(
    folder: Folder, plan: Plan, shards: list[ShardFacts]
) -> tuple[Sample, pa.Schema] | None:
    """Return one sample and the schema of its row; None if no shard has any."""
    for shard in shards:
        if shard.ok:
            table = read_metadata(folder, shard.index)
            row = table.slice(table["status"].to_pylist().index("ok"), 1).to_pylist()[0]
            return read_sample(folder, shard.index, row, plan.tars), table.schema
    return None


def describe_features(sample: Sample, schema: pa.Schema) -> list[dict[str, Any]]:
    """Return the types of a sample's parts, as `datasets` writes them into cards.

    Without these it takes the types of the first five samples, in which any column may be null.
    """
    types = {field.name: field.type for field in schema}
    # Curating renames a column of the manifest where it adds one of that name to the metadata.
    names = json.loads(sample.json)
    about = pa.struct([(name, types.get(f"manifest_{name}", types.get(name))) for name in names])
    features = [
        {"name": "json", **feature(about)},
        {"name": "png", "dtype": "image"},
        {"name": "txt", "dtype": "string"},
        {"name": "__key__", "dtype": "string"},
        {"name": "__url__", "dtype": "string"},
    ]
    more = [("sketch.png", "image", sample.sketch), ("svg", "binary", sample.svg)]
    features[2:2] = [{"name": name, "dtype": kind} for name, kind, file in more if file is not None]
    return features


def feature(kind: pa.DataType) -> dict[str, Any]:
    kind = json_type(kind)
    if pa.types.is_struct(kind):
        return {"struct": [{"name": field.name, **feature(field.type)} for field in kind]}
    if pa.types.is_list(kind):
        inner = feature(kind.value_type)
        # Written short where that says all, as `datasets` has it.
        return {"list": next(iter(inner.values())) if "list" not in inner else inner}
    return {"dtype": "float64" if kind == pa.float64() else str(kind)}


def fill_example(code: str, plan: Plan, has_sketch: bool) -> str:
    split = next(iter(plan.splits))
    filters = '("status", "=", "ok")'
    if plan.kind is CURATE:
        filters += f', ("split", "=", {json.dumps(split)})'
    if not has_sketch:
        code = "".join(
            f"{line.partition(' = ')[0]} = frames[0]\n" if "sketch = " in line else line
            for line in code.splitlines(keepends=True)
        )
    shown = {"split": split, "tars": plan.tars, "filters": f"[{filters}]"}
    for name, value in shown.items():
        code = code.replace(f"<{name}>", value)
    return code
