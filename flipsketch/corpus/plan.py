"""The plan of a run: what determines its pixels and layout, written first and held to on resume."""

import functools
import hashlib
import json
import logging
import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from shlex import quote
from typing import Any, Literal

import numpy as np

from flipsketch.corpus.damaged import set_aside
from flipsketch.corpus.kinds import KINDS, PLAN_COPY, PLAN_FILE, RASTERIZE, TRAIN, RunKind
from flipsketch.corpus.parts import Part, RowsWithout, count_shards, parse_ranges, sorted_rows
from flipsketch.corpus.plan_document import EDITED, parse_document
from flipsketch.storage.folder import Folder
from flipsketch.storage.sealed import check_bytes, to_json

log = logging.getLogger(__name__)

UNKNOWN = "unknown"  # of a license that nobody has named
# Of a plan's log, what each command may note anew; those that train note all of it.
RENEWED_NOTES = {"manifest", "rows_sha256", "licence"}


@dataclass(frozen=True)
class Plan:
    settings: dict[str, Any]
    """Compared on resume: format, fingerprints, sampling, batch size, dtype, threads, layout."""
    chosen: tuple[str, ...] = ()
    """Settings that were chosen for the user; a resume that does not name them takes them."""
    log: dict[str, Any] = field(default_factory=dict)
    """Noted only: executor, workers, device, versions, command."""
    additions: tuple[dict[str, Any], ...] = ()
    """What was appended: by `--pilot` {"kind", "rows", "rows_per_shard", "seed"}, by `--extend`
    {"kind", "num_rows", "manifest_fingerprint"}, by `--retry-failed` {"kind", "rows"}; rows are
    written like "3 7-12"."""

    @functools.cached_property
    def parts(self) -> list[Part]:
        parts: list[Part] = []
        rows: np.ndarray | range | RowsWithout
        # The shards of a pilot come first, and those of the manifest have the other rows.
        for added in self.additions:
            if added["kind"] == "pilot":
                rows = parse_ranges(added["rows"])
                parts.append(Part("pilot", count_shards(parts), rows, added["rows_per_shard"]))
        drawn = sorted_rows(parts)
        num_rows = 0
        first = [{"kind": "manifest", "num_rows": count} for count in self.splits.values()]
        for added in (*first, *self.additions):
            if added["kind"] == "pilot":
                continue
            if added["kind"] == "retry":
                rows = parse_ranges(added["rows"])
            else:
                rows = range(num_rows, num_rows + added["num_rows"])
                num_rows += added["num_rows"]
            if added["kind"] == "manifest" and len(drawn):
                rows = RowsWithout(len(rows), drawn)
            parts.append(Part(added["kind"], count_shards(parts), rows, self.rows_per_shard))
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
        return count_shards(self.parts)

    @property
    def pilots(self) -> list[Part]:
        return [part for part in self.parts if part.kind == "pilot"]

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
    def kernels(self) -> dict[str, Any] | None:
        """Switches of the kernels that the networks run; None of a run from before there were."""
        return self.settings.get("kernels")

    @property
    def vae_slicing(self) -> bool:
        """Whether frames are decoded one at a time."""
        return self.settings.get("vae_slicing", False)

    @property
    def method(self) -> str:
        """What animates; of training, what is trained."""
        return self.settings.get("method", "flipsketch")

    @property
    def licence(self) -> str:
        """License of the corpus, which its user gives: a model cannot give it."""
        # It may be given later, so it is not compared on resume.
        return self.log.get("licence") or UNKNOWN

    @property
    def model_licence(self) -> str:
        """License of the model that made the clips, as its card states it."""
        return self.settings.get("model_licence") or UNKNOWN

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
        return to_json(document, indent=1, sort_keys=True)

    @staticmethod
    def from_json(content: bytes) -> "Plan":
        """Raises ValueError: it is no plan, or not one as it was written."""
        document = parse_document(content)
        plan = Plan(
            document["settings"],
            tuple(document["chosen"]),
            document["log"],
            tuple(document.get("additions", ())),
        )
        if document.get("fingerprint", plan.fingerprint) != plan.fingerprint:
            raise ValueError("its fingerprint is not that of its settings, so they were changed")
        return plan


def read_plan(folder: Folder, *, trains: bool = False, name: str = PLAN_FILE) -> Plan | None:
    """Return the plan of the run in a folder, None if there is none.

    Args:
        trains: the plan is expected to be of training, else of making a corpus.
        name: of the plan's file, or of its copy.

    Raises:
        ValueError: the file is no plan, one of the other sort or of a newer version.
    """
    content = read_plan_file(folder, name)
    if content is None:
        if read_plan_file(folder, PLAN_COPY) is not None:
            raise ValueError(f"{folder}: its {PLAN_FILE} is gone; {plan_remedy(folder)}")
        return None
    try:
        refuse_lost_seal(folder, name, content)
        plan = Plan.from_json(content)
    except ValueError as error:
        raise ValueError(f"{folder}/{name}: {error}; {plan_remedy(folder)}") from error
    is_training = plan.kind is TRAIN
    if is_training != trains:
        found, wanted = ("training", "a corpus") if is_training else ("a corpus", "training")
        raise ValueError(f"{folder}: holds a run of {found}, not of {wanted}; give another folder")
    return plan


def read_plan_file(folder: Folder, name: str) -> bytes | None:
    """Return the bytes of a plan or its copy, None if there is none.

    Raises:
        ValueError: something other than a file is there.
    """
    # A pipe would be waited for without end.
    if folder.is_local and os.path.exists(place := folder.join(name)):
        if not os.path.isfile(place):
            raise ValueError(f"{folder}/{name}: expected a file, found a folder or device")
    return folder.read(name)


def refuse_lost_seal(folder: Folder, name: str, content: bytes) -> None:
    """Raise ValueError if a plan or its copy has no seal and the other of the two has one: those of
    earlier versions have neither, so it was edited."""
    if check_bytes(content) == "none":
        other = read_plan_file(folder, PLAN_FILE if name == PLAN_COPY else PLAN_COPY)
        if other is not None and check_bytes(other) != "none":
            raise ValueError(EDITED)


def read_whole_plan(folder: Folder, name: str) -> bytes | None:
    """Return the bytes of a plan or its copy, None if it is none as it was written."""
    with suppress(ValueError):
        content = read_plan_file(folder, name) or b""
        refuse_lost_seal(folder, name, content)
        Plan.from_json(content)
        return content
    return None


def plan_remedy(folder: Folder) -> str:
    """Return what to do about a plan that cannot be read."""
    with suppress(OSError):
        if read_whole_plan(folder, PLAN_COPY) is not None:
            status = f"jobs/status.py --corpus {quote(folder.location)}"
            return f"{status} --repair puts back its copy, {PLAN_COPY}"
    return "restore it from a backup, move the folder away, or give another one"


def write_plan(folder: Folder, plan: Plan) -> None:
    """Put a plan in place, and then its copy."""
    folder.publish(PLAN_FILE, plan.to_json())
    renew_copy(folder)


def note_licence(folder: Folder, plan: Plan, licence: str) -> Plan:
    """Return a plan with the corpus's license, which may be named after the run has begun."""
    if plan.licence == licence:
        return plan
    log.warning(
        "the license of the run was %r and is %r from now on, also in the card of the shards that "
        "exist",
        plan.licence,
        licence,
    )
    plan = replace(plan, log={**plan.log, "licence": licence})
    write_plan(folder, plan)
    return plan


def renew_copy(folder: Folder) -> str | None:
    """Make the copy that a plan lacks: one of an earlier version, or of a run that was killed.

    Returns:
        Where a copy that is no earlier state of the run was moved, if there was one.
    """
    content, copy = folder.read(PLAN_FILE), folder.read(PLAN_COPY)
    if content is None or copy == content:
        return None
    moved = None
    if copy is not None and not is_earlier(copy, content):
        moved = set_aside(folder, PLAN_COPY)
        log.warning("%s: was no copy of %s, and is kept as %s", PLAN_COPY, PLAN_FILE, moved)
    folder.publish(PLAN_COPY, content)
    return moved


def is_earlier(copy: bytes, content: bytes) -> bool:
    """Tell whether a copy is of an earlier state of the same run, as a kill leaves it."""
    try:
        before, plan = Plan.from_json(copy), Plan.from_json(content)
    except ValueError:
        return False
    renewed = before.log.keys() if plan.kind is TRAIN else RENEWED_NOTES
    return (
        before.fingerprint == plan.fingerprint
        and set(before.chosen) == set(plan.chosen)
        and before.additions == plan.additions[: len(before.additions)]
        and all(
            name in plan.log and (name in renewed or plan.log[name] == noted)
            for name, noted in before.log.items()
        )
    )


def read_clips_plan(folder: Folder) -> Plan:
    """Return the plan of a corpus of clips; raise ValueError if the folder has none."""
    plan = read_plan(folder)
    if plan is None or not plan.kind.makes_clips:
        raise ValueError(f"{folder}: no corpus of clips; give the --output of an animate job")
    return plan


def manifest_of(folder: Folder, plan: Plan) -> str:
    """Return where the rows of a corpus are, and so its sketches."""
    if plan.kind.manifest:
        return folder.locate(plan.kind.manifest)
    if not plan.log.get("manifest"):
        raise ValueError(
            f"{folder}/{PLAN_FILE}: does not say where the manifest is; pass --manifest"
        )
    return plan.log["manifest"]
