"""The plan of a run: what determines its pixels and layout, written first and held to on resume."""

import functools
import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from flipsketch.corpus.kinds import KINDS, PLAN_FILE, RASTERIZE, TRAIN, RunKind
from flipsketch.storage.folder import Folder


@dataclass(frozen=True, eq=False)
class Part:
    """Consecutive shards of a plan: the manifest's rows, rows added to it, or a second try."""

    kind: Literal["manifest", "extend", "retry"]
    first_shard: int
    rows: np.ndarray
    """Positions in the manifest, in order."""
    rows_per_shard: int

    @property
    def num_shards(self) -> int:
        return -(-len(self.rows) // self.rows_per_shard)

    @property
    def shards(self) -> range:
        return range(self.first_shard, self.first_shard + self.num_shards)

    def rows_in(self, shard: int) -> np.ndarray:
        first = (shard - self.first_shard) * self.rows_per_shard
        return self.rows[first : first + self.rows_per_shard]


@dataclass(frozen=True)
class Plan:
    settings: dict[str, Any]
    """Compared on resume: format, fingerprints, sampling, batch size, dtype, threads, layout."""
    chosen: tuple[str, ...] = ()
    """Settings that were chosen for the user; a resume that does not name them takes them."""
    log: dict[str, Any] = field(default_factory=dict)
    """Noted only: executor, workers, device, versions, command."""
    additions: tuple[dict[str, Any], ...] = ()
    """What was appended: by `--extend` {"kind", "num_rows", "manifest_fingerprint"}, by
    `--retry-failed` {"kind", "rows"}, which are written like "3 7-12"."""

    @functools.cached_property
    def parts(self) -> list[Part]:
        parts: list[Part] = []
        shard = num_rows = 0
        first = [{"kind": "manifest", "num_rows": count} for count in self.splits.values()]
        for added in (*first, *self.additions):
            if added["kind"] == "retry":
                rows = parse_ranges(added["rows"])
            else:
                rows = np.arange(num_rows, num_rows + added["num_rows"])
                num_rows += added["num_rows"]
            parts.append(Part(added["kind"], shard, rows, self.rows_per_shard))
            shard += parts[-1].num_shards
        return parts

    @property
    def splits(self) -> dict[str, int]:
        """Number of rows of each split, by name; a shard belongs to one split."""
        return dict(self.settings.get("splits") or [("train", self.settings["num_rows"])])

    def split_of(self, shard: int) -> str:
        """Return the split that a shard belongs to; what was added to a run goes to its last."""
        names = list(self.splits)
        return names[min(self.parts.index(self.part_of(shard)), len(names) - 1)]

    @property
    def num_shards(self) -> int:
        return sum(part.num_shards for part in self.parts)

    @property
    def num_rows(self) -> int:
        """Rows of the manifest, each once however often it is tried."""
        return sum(len(part.rows) for part in self.parts if part.kind != "retry")

    @property
    def kind(self) -> RunKind:
        return KINDS[self.settings.get("kind", "animate")]

    @property
    def tars(self) -> str:
        """Name of the folder of the tars: clips that a model made, or shards to train one on."""
        return self.kind.tars

    @property
    def format(self) -> int:
        return self.settings.get("format", self.kind.format)

    @property
    def num_clips(self) -> int:
        """Clips that training reads."""
        return self.settings["num_clips"]

    @property
    def rows_per_shard(self) -> int:
        return self.settings["rows_per_shard"]

    @property
    def batch_size(self) -> int:
        return self.settings["batch_size"]

    @property
    def threads(self) -> int:
        """CPU threads of each worker."""
        return self.settings.get("threads", 1)

    @property
    def dtype(self) -> Literal["float32", "bfloat16", "float16"]:
        return self.settings["dtype"]

    @property
    def method(self) -> str:
        """What animates; of training, what is trained."""
        return self.settings.get("method", "flipsketch")

    @property
    def licence(self) -> str:
        """License of the corpus: that of the model, or of the animations."""
        # That of animations may be given later, so it is not compared on resume.
        found = self.log if self.kind is RASTERIZE else self.settings
        return found.get("licence" if self.kind is RASTERIZE else "model_licence") or "unknown"

    @property
    def manifest_fingerprint(self) -> str:
        """Fingerprint of the manifest as it was last extended."""
        extended = [added for added in self.additions if added["kind"] == "extend"]
        return (extended[-1] if extended else self.settings)["manifest_fingerprint"]

    @property
    def rows_fingerprint(self) -> str | None:
        """SHA-256 of the digests of its rows, one after another; None where it is not known."""
        # Of animations the manifest's fingerprint is another: prompts that they lack may come
        # later, and it was begun before there were digests.
        if self.kind is RASTERIZE:
            return self.log.get("rows_sha256")
        return self.manifest_fingerprint

    def part_of(self, shard: int) -> Part:
        return next(part for part in reversed(self.parts) if part.first_shard <= shard)

    def add(self, **addition: Any) -> "Plan":
        return replace(self, additions=(*self.additions, addition))

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> bytes:
        document = {
            "fingerprint": self.fingerprint,
            "settings": self.settings,
            "chosen": sorted(self.chosen),
            "log": self.log,
            "additions": list(self.additions),
        }
        return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def format_ranges(numbers: list[int]) -> str:
    """Return ascending numbers as text: [3, 7, 8, 9] as "3 7-9"."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return " ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in ranges)


def parse_ranges(text: str) -> np.ndarray:
    ends = (entry.partition("-")[::2] for entry in text.split())
    return np.concatenate([np.arange(int(first), int(last or first) + 1) for first, last in ends])


def read_plan(folder: Folder, *, trains: bool = False) -> Plan | None:
    """Return the plan of the run in a folder, None if there is none.

    Args:
        trains: the plan is expected to be of training, else of making a corpus.

    Raises:
        ValueError: the file is no plan, or one of the other sort.
    """
    content = folder.read(PLAN_FILE)
    if content is None:
        return None
    try:
        document = json.loads(content)
        plan = Plan(
            document["settings"],
            tuple(document["chosen"]),
            document["log"],
            tuple(document.get("additions", ())),
        )
        is_training = plan.kind is TRAIN
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder}/{PLAN_FILE}: not a plan of this project ({error}); move the folder away, or "
            f"give another one"
        ) from error
    if is_training != trains:
        found, wanted = ("training", "a corpus") if is_training else ("a corpus", "training")
        raise ValueError(f"{folder}: holds a run of {found}, not of {wanted}; give another folder")
    return plan


def read_clips_plan(folder: Folder) -> Plan:
    """Return the plan of a corpus of clips; raise ValueError if the folder has none."""
    plan = read_plan(folder)
    if plan is None or not plan.kind.makes_clips:
        raise ValueError(f"{folder}: no corpus of clips; give the --output of an animate job")
    return plan


def manifest_of(folder: Folder, plan: Plan) -> str:
    """Return where the rows of a corpus are, and so its sketches."""
    return folder.locate(plan.kind.manifest) if plan.kind.manifest else plan.log["manifest"]
