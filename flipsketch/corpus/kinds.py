"""The kinds of run: the format that each is written in, its folders, and the names of its files."""

from dataclasses import dataclass
from typing import Any

# Since 4 a sample has its sketch and the manifest's own columns with it.
CORPUS_FORMAT = 4
TRAINING_FORMAT = 3
PLAN_FILE = "run.json"
# The same bytes, so that a plan that was damaged can be put back.
PLAN_COPY = "run.copy.json"


@dataclass(frozen=True)
class RunKind:
    name: str
    format: int
    files: dict[str, str]
    """What a run writes, by folder, as patterns: and so what `--overwrite` may delete."""
    tars: str = ""
    """Folder of the tars; none where no corpus is made."""
    manifest: str = ""
    """File in the run's folder that has its rows; none where the user's own is read."""

    @property
    def makes_clips(self) -> bool:
        """Whether it makes clips from sketches; training shards are drawn from animations."""
        return self.tars == "clips"

    @property
    def settings(self) -> dict[str, Any]:
        """What a plan of this kind begins with."""
        return {"format": self.format, "kind": self.name}


TAR, PARQUET = r"\d{5,}\.tar", r"\d{5,}\.parquet"
SCORES = rf"{PARQUET}|summary\.json|prompts\.jsonl"

ANIMATE = RunKind(
    "animate",
    CORPUS_FORMAT,
    tars="clips",
    files={
        "metadata": PARQUET,
        "clips": TAR,
        "scores": SCORES,
        "": r"README\.md|run\.json|run\.copy\.json|rows\.sha256|manifest\.json|report\.html",
    },
)
RASTERIZE = RunKind(
    "rasterize",
    CORPUS_FORMAT,
    tars="shards",
    manifest="animations.parquet",
    files={
        "metadata": PARQUET,
        "shards": TAR,
        "": r"README\.md|run\.json|run\.copy\.json|rows\.sha256|manifest\.json|animations\.parquet",
    },
)
CURATE = RunKind(
    "curate",
    CORPUS_FORMAT,
    tars="clips",
    manifest="manifest.parquet",
    files={
        "metadata": PARQUET,
        "clips": TAR,
        "scores": SCORES,
        "": r"README\.md|run\.json|run\.copy\.json|rows\.sha256|manifest\.parquet|sample\.png"
        r"|report\.html",
    },
)
TRAIN = RunKind(
    "train",
    TRAINING_FORMAT,
    files={
        "checkpoints": r"step-\d{6,}\.pt",
        "samples": r"step-\d{6,}\.png",
        "logs": r"events\.out\.tfevents\..+",
        "lora/unet": r"adapter_.+|README\.md",
        "lora/text_encoder": r"adapter_.+|README\.md",
        "lora": r"README\.md",
        "model/unet": r".+\.(json|safetensors)",
        "model/vae": r".+\.(json|safetensors)",
        "model/text_encoder": r".+\.(json|safetensors)",
        "model/tokenizer": r".+\.(json|txt)",
        "model/scheduler": r".+\.json",
        "model": r"model_index\.json|README\.md",
        "": r"README\.md|loss\.png|run\.json|run\.copy\.json",
    },
)
KINDS = {kind.name: kind for kind in (ANIMATE, RASTERIZE, CURATE, TRAIN)}
