"""The plan of a run: what determines its pixels and layout, written first and held to on resume."""

import functools
import hashlib
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from flipsketch.storage.folder import Folder

# Of a corpus. Since 4 a sample has its sketch and the manifest's own columns with it, and tars are
# packed by webdataset.
FORMAT_VERSION = 4
TRAINING_FORMAT_VERSION = 3
PLAN_FILE = "run.json"
# What a corpus that was chosen from another has for its own, sketches included.
MANIFEST_FILE = "manifest.parquet"
# What a run writes, by folder, and so what `--overwrite` may delete.
CORPUS_FILES = {
    "metadata": r"\d{5,}\.parquet",
    "clips": r"\d{5,}\.tar",
    "shards": r"\d{5,}\.tar",
    "scores": r"\d{5,}\.parquet|summary\.json|prompts\.jsonl",
    "": r"README\.md|run\.json|manifest\.json|(animations|manifest)\.parquet|sample\.png"
    r"|report\.html",
}
TRAINING_FILES = {
    "checkpoints": r"step-\d{6,}\.pt",
    "samples": r"step-\d{6,}\.png",
    "logs": r"events\.out\.tfevents\..+",
    "lora/unet": r"adapter_.+|README\.md",
    "lora/text_encoder": r"adapter_.+|README\.md",
    "lora": r"",
    "model/unet": r".+\.(json|safetensors)",
    "model/vae": r".+\.(json|safetensors)",
    "model/text_encoder": r".+\.(json|safetensors)",
    "model/tokenizer": r".+\.(json|txt)",
    "model/scheduler": r".+\.json",
    "model": r"model_index\.json|README\.md",
    "": r"README\.md|loss\.png|run\.json",
}


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
            parts.append(Part(added["kind"], shard, rows, self.settings["rows_per_shard"]))
            shard += parts[-1].num_shards
        return parts

    @property
    def splits(self) -> dict[str, int]:
        """Rows of each split, by its name: each has shards of its own."""
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
    def tars(self) -> str:
        """Name of the folder of the tars: clips that a model made, or shards to train one on."""
        return "shards" if self.settings.get("kind") == "rasterize" else "clips"

    @property
    def manifest_fingerprint(self) -> str:
        """Of the manifest as it was last extended."""
        extended = [added for added in self.additions if added["kind"] == "extend"]
        return (extended[-1] if extended else self.settings)["manifest_fingerprint"]

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
        is_training = plan.settings.get("kind") == "train"
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
    if plan is None or plan.tars != "clips":
        raise ValueError(f"{folder}: no corpus of clips; give the --output of an animate job")
    return plan


def manifest_of(folder: Folder, plan: Plan) -> str:
    """Return where the rows of a corpus are, and so its sketches."""
    if plan.settings.get("kind") == "curate":
        return folder.locate(MANIFEST_FILE)
    return plan.log["manifest"]


def begin_run(
    folder: Folder, plan: Plan, *, overwrite: bool = False, prefix_fingerprint: str | None = None
) -> Plan:
    """Write the plan, or return the one that is already there if this one goes on with it.

    Args:
        overwrite: first delete what an earlier run wrote here, and nothing else.
        prefix_fingerprint: of as many rows as the run in the folder has, from the beginning of
            this plan's manifest; the rows after them are then added to the run.

    Raises:
        ValueError: another plan's run, or other files, are in the folder.
    """
    before = read_plan(folder)
    if before is None:
        refuse_strange_files(folder)
    if before is not None and overwrite:
        delete_run(folder, CORPUS_FILES)
    elif before is not None:
        refuse_older_format(folder, before)
        # The manifest's rows are compared with those of the last extension, all else with the
        # settings that the run began with.
        rows = {"num_rows": before.num_rows, "manifest_fingerprint": before.manifest_fingerprint}
        num_new = plan.num_rows - before.num_rows
        now = dict(plan.settings)
        if num_new > 0 and prefix_fingerprint == before.manifest_fingerprint:
            now |= rows
        refuse_changes(folder, before, {**before.settings, **rows}, now)
        if now == plan.settings:
            return before
        plan = before.add(
            kind="extend", num_rows=num_new, manifest_fingerprint=plan.manifest_fingerprint
        )
    folder.publish(PLAN_FILE, plan.to_json())
    return plan


def begin_training(folder: Folder, plan: Plan, *, overwrite: bool = False) -> Plan:
    """As `begin_run`, of a run that trains; its log is the latest command's.

    Raises:
        ValueError: another plan's run, or other files, are in the folder.
    """
    before = read_plan(folder, trains=True)
    if before is None:
        refuse_strange_files(folder)
    elif overwrite:
        delete_run(folder, TRAINING_FILES)
    else:
        refuse_changes(folder, before, before.settings, plan.settings)
        plan = replace(plan, chosen=before.chosen)
    folder.publish(PLAN_FILE, plan.to_json())
    return plan


def refuse_strange_files(folder: Folder) -> None:
    if not folder.is_empty():
        raise ValueError(
            f"{folder}: holds files but no {PLAN_FILE}, so it is not the folder of a run; give an "
            f"empty or a new one"
        )


def refuse_older_format(folder: Folder, before: Plan) -> None:
    found = before.settings.get("format", FORMAT_VERSION)
    if found != FORMAT_VERSION:
        raise ValueError(
            f"{folder}: holds a run of format {found}, and this version writes format "
            f"{FORMAT_VERSION}, whose samples hold their sketches and the manifest's columns too; "
            f"samples of two kinds do not make one corpus. What is there can still be read, scored "
            f"and chosen from. To go on, check out the version that began the run; to have all in "
            f"the new format, give another --output, or say --overwrite to delete what is there"
        )


def refuse_changes(folder: Folder, plan: Plan, before: dict[str, Any], now: dict[str, Any]) -> None:
    changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    if not changed:
        return
    ways = ["Run with the same settings to go on with it"]
    if named := [name for name in changed if name in plan.chosen]:
        ways.append(f"leave out {', '.join(named)}, which was chosen for you then")
    if set(changed) <= {"num_rows", "manifest_fingerprint"}:
        ways.append(
            "if the manifest has only gained rows at its end, say --extend (which refuses when any "
            "earlier row has changed or is gone)"
        )
    ways.append("give another --output, or say --overwrite to delete what it made and start again")
    raise ValueError(
        "\n".join(
            [
                f"{folder}: holds a run with another plan, and what two plans make does not mix:",
                *(
                    f"  {name}: {before.get(name)!r} there, {now.get(name)!r} now"
                    for name in changed
                ),
                "; ".join(ways) + ".",
            ]
        )
    )


def delete_run(folder: Folder, own_files: dict[str, str]) -> None:
    """Delete an earlier run's files: commits first and the plan last, so that a kill half-way
    leaves a run that is merely less complete."""
    for name, pattern in own_files.items():
        files = [file for file in folder.list(name) if re.fullmatch(pattern, file)]
        for file in sorted(files, key=PLAN_FILE.__eq__):
            folder.delete(f"{name}/{file}" if name else file)
        if folder.is_local and name:
            # One in which somebody else has put something stays.
            with suppress(OSError):
                os.rmdir(folder.join(name))
