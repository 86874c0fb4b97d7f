"""The dataset card of a corpus: its YAML tells Hugging Face `datasets` which tars count."""

import json

from flipsketch.corpus.plan import Plan
from flipsketch.corpus.shard import ShardFacts, tar_name
from flipsketch.storage.folder import Folder

ORIGINS = {
    "flipsketch": "made by FlipSketch (Bandyopadhyay and Song, CVPR 2025)",
    "t2v": "made by a text-to-video model from the prompts alone",
    "still": "each the sketch, repeated",
    "svd": "made by Stable Video Diffusion (Blattmann et al., 2023)",
}
TEMPLATE = """---
license: {licence}
pretty_name: Sketch animations
task_categories:
- text-to-video
{more_tags}tags:
- sketch
- animation
- webdataset
configs:
- config_name: default
  data_files:
{data_files}---

# Sketch animations

{num_ok:,} clips of {num_rows:,} {inputs} with prompts ({num_failed:,} failed), in {num_shards:,}
shards, {origin}.

| file | holds |
|---|---|
| `{tars}/*.tar` | WebDataset samples: `<key>.png` the clip as a filmstrip, frames stacked top to \
bottom; `<key>.txt` the prompt; `<key>.json` how it was made |
| `metadata/*.parquet` | a row for each input row, good or failed; where a failed row was tried \
again, the file with the highest number counts; a tar without one is a leftover |
| `run.json` | the plan: every setting that determines the clips |

```python
from datasets import load_dataset

clips = load_dataset(FOLDER, split="train", streaming=True)
for clip in clips:
    strip = clip["png"]  # (num_frames * height) x width
    frames = [
        strip.crop((0, top, strip.width, top + clip["json"]["height"]))
        for top in range(0, strip.height, clip["json"]["height"])
    ]
```

{more}Settings:

```json
{settings}
```
"""


def write_card(folder: Folder, plan: Plan, shards: list[ShardFacts], more: str = "") -> None:
    """Write README.md for the shards that are committed.

    Args:
        more: Markdown to stand before the settings.
    """
    shards = sorted(shards, key=lambda shard: shard.index)
    is_drawn = plan.settings.get("kind") == "rasterize"
    card = TEMPLATE.format(
        licence=plan.log["licence"] if is_drawn else plan.settings["model_licence"],
        more_tags="" if is_drawn else "- image-to-video\n",
        inputs="vector animations" if is_drawn else "sketches",
        origin="drawn from SVG frames" if is_drawn else ORIGINS[plan.settings["method"]],
        tars=plan.tars,
        data_files=list_files(plan, shards),
        more=more,
        num_ok=sum(shard.ok for shard in shards),
        num_failed=sum(shard.failed - shard.superseded for shard in shards),
        num_rows=plan.num_rows,
        num_shards=len(shards),
        settings=json.dumps(plan.settings, indent=1, sort_keys=True),
    )
    folder.publish("README.md", card.encode())


def list_files(plan: Plan, shards: list[ShardFacts]) -> str:
    """Return the YAML that says which tars are which split's."""
    tars: dict[str, list[str]] = {name: [] for name in plan.splits}
    for shard in shards:
        if shard.ok:
            tars[plan.split_of(shard.index)].append(tar_name(shard.index, plan.tars))
    return "".join(
        f"  - split: {name}\n    path:{''.join(f'{chr(10)}    - {tar}' for tar in own) or ' []'}\n"
        for name, own in tars.items()
    )
