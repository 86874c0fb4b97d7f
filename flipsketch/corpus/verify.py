"""Whether a run's files are still what was written: each says what is wrong with itself, and a file
that cannot be read at all ends no check of the others."""

import hashlib
import re
import shlex
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pyarrow import fs

from flipsketch.corpus.damaged import DAMAGED
from flipsketch.corpus.kinds import CURATE, PLAN_COPY, PLAN_FILE
from flipsketch.corpus.manifest import ManifestSummary
from flipsketch.corpus.plan import Plan, is_earlier, read_whole_plan
from flipsketch.corpus.row_digests import ROWS_FILE, has_wrong_digests
from flipsketch.corpus.sample import locate_samples
from flipsketch.corpus.shard import ShardFacts, metadata_name, read_metadata, tar_name
from flipsketch.storage.folder import Folder
from flipsketch.storage.sealed import check_bytes, check_parquet
from flipsketch.storage.text import describe_error

CHANGED = "its bytes are not those that were written"
AGAIN = "add --repair to move it aside, then rerun the same command to make it again"
PNG = b"\x89PNG\r\n\x1a\n"
# What is in the folder of a run beside what its kind says: where files are written, what was
# damaged, and what training keeps of the shards that it reads.
OTHER_FOLDERS = {"_tmp", DAMAGED, "latents"}


@dataclass(frozen=True)
class Problem:
    file: str
    reason: str
    remedy: str = AGAIN
    is_damaged: bool = True
    """The file is to be moved aside; else it may stay."""

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}; {self.remedy}"


def checked(name: str, check: Callable[[], list[Problem]]) -> list[Problem]:
    """Return what a check finds, and what it raises as something that it found."""
    try:
        return check()
    # Readers of broken files raise whatever these lead them to.
    except Exception as error:
        reason = f"cannot be read: {describe_error(error)}"
        # A disk or server that fails says nothing of the file.
        if isinstance(error, OSError) and error.errno:
            remedy = "see that its disk or server works, then check again"
            return [Problem(name, reason, remedy, is_damaged=False)]
        return [Problem(name, reason)]


def verify_shard(
    folder: Folder, plan: Plan, facts: ShardFacts, keys: Counter[str]
) -> list[Problem]:
    """Return what is wrong with a shard; count its samples' keys."""
    rows: list[dict[str, Any]] = []
    problems = checked(
        metadata_name(facts.index), lambda: verify_metadata(folder, plan, facts, rows)
    )
    good = [row for row in rows if row["status"] == "ok"]
    keys.update(row["key"] for row in good)
    # Without rows that can be trusted nothing is known of the tar; it is made again with them.
    if problems:
        return problems
    name = tar_name(facts.index, plan.tars)
    return checked(name, lambda: verify_tar(folder, name, facts, good))


def verify_metadata(
    folder: Folder, plan: Plan, facts: ShardFacts, rows: list[dict[str, Any]]
) -> list[Problem]:
    """Return what is wrong with a shard's metadata; `rows` gains its rows."""
    name = metadata_name(facts.index)
    if check_parquet(folder, name) == "broken":
        return [Problem(name, CHANGED)]
    rows += read_metadata(folder, facts.index).to_pylist()
    num_ok = sum(row["status"] == "ok" for row in rows)
    expected = plan.part_of(facts.index).rows_in(facts.index).tolist()
    if (num_ok, len(rows) - num_ok) != (facts.ok, facts.failed):
        reason = f"{num_ok} ok and {len(rows) - num_ok} failed rows, but {facts.ok} and "
        return [Problem(name, f"{reason}{facts.failed} were counted")]
    if [row["manifest_row"] for row in rows] != expected:
        return [Problem(name, "its rows are not those of the plan")]
    return []


def verify_tar(
    folder: Folder, name: str, facts: ShardFacts, good: list[dict[str, Any]]
) -> list[Problem]:
    tar = folder.read(name) if facts.ok else b""
    if tar is None:
        remedy = "put it back, or rerun the same command to make it again"
        return [Problem(name, "is missing", remedy, is_damaged=False)]
    if facts.ok and hashlib.sha256(tar).hexdigest() != facts.tar_sha256:
        return [Problem(name, "its bytes are not those that were committed")]
    return compare_samples(name, tar, good)


def compare_samples(name: str, tar: bytes, rows: list[dict[str, Any]]) -> list[Problem]:
    """Return the samples that are not where the rows say, or of which no row says anything."""
    found = locate_samples(tar) if tar else {}
    expected = {row["key"]: (row["tar_offset"], row["tar_length"]) for row in rows}
    return [
        Problem(
            name,
            f"sample {key} at {found.get(key)}, its row says {expected.get(key)} (offset and "
            f"length in bytes)",
        )
        for key in sorted({*found, *expected})
        if found.get(key) != expected.get(key)
    ]


def verify_run_files(folder: Folder, plan: Plan) -> list[Problem]:
    """Return what is wrong with the files that stand beside the plan and are read by jobs."""
    problems = checked(PLAN_COPY, lambda: verify_copy(folder))
    problems += checked("manifest.json", lambda: verify_summary(folder))
    if has_wrong_digests(folder, plan):
        problems.append(Problem(ROWS_FILE, "does not have the digests of the plan's rows"))
    if name := plan.kind.manifest:
        problems += checked(name, lambda: verify_own_manifest(folder, name))
    return problems


def verify_copy(folder: Folder) -> list[Problem]:
    """Return what is wrong with the copy of the plan; it may be absent, or one step behind."""
    copy, plan = folder.read(PLAN_COPY), read_whole_plan(folder, PLAN_FILE)
    if copy is None or copy == plan or (plan is not None and is_earlier(copy, plan)):
        return []
    if check_bytes(copy) != "whole":
        remedy = "add --repair, or rerun the same command, to copy it again"
        return [Problem(PLAN_COPY, CHANGED, remedy)]
    # The plan is the one at fault, and is named as such.
    if plan is None:
        return []
    reason = f"is whole, but no earlier state of {PLAN_FILE}, so one of the two was replaced"
    remedy = (
        f"if {PLAN_FILE} is the wrong one, move it away and add --repair to put back its copy; "
        f"else add --repair to move the copy aside"
    )
    return [Problem(PLAN_COPY, reason, remedy)]


def find_old_copy(folder: Folder) -> list[Problem]:
    """Return a note on a copy that its plan is ahead of: a run was killed between the two."""
    plan = folder.read(PLAN_FILE)
    # Those of earlier versions have no copy, and one that is damaged is named as such.
    if plan is None or check_bytes(plan) != "whole" or verify_copy(folder):
        return []
    if folder.read(PLAN_COPY) == plan:
        return []
    reason = f"is missing or older than {PLAN_FILE}, which harms nothing as long as this is whole"
    return [Problem(PLAN_COPY, reason, "rerun the same command, or add --repair, to copy it again")]


def verify_summary(folder: Folder) -> list[Problem]:
    content = folder.read("manifest.json")
    if content is None:
        return []
    if check_bytes(content) == "broken":
        return [Problem("manifest.json", CHANGED)]
    ManifestSummary.from_json(content)
    return []


def verify_own_manifest(folder: Folder, name: str) -> list[Problem]:
    """Return what is wrong with the table of a run's rows that lies in its own folder."""
    if name not in folder.list(""):
        remedy = "put it back, or rerun the same command to make it again"
        return [Problem(name, "is missing", remedy, is_damaged=False)]
    return [Problem(name, CHANGED)] if check_parquet(folder, name) == "broken" else []


def verify_pages(folder: Folder, plan: Plan) -> list[Problem]:
    """Return the texts and pictures for people that are not as they were written.

    No job reads them, though `datasets` reads the list of tars in the card, and a person may have
    edited them, so this is worth a note, no more.
    """
    makes = {
        "README.md": "rerun the same command",
        "report.html": "run jobs/report.py",
        "sample.png": "rerun the same command",
    }
    problems: list[Problem] = []
    for name in [name for name in folder.list("") if name in makes]:
        remedy = f"keep it if you edited it, or {makes[name]} to write it again"

        def check(name: str = name, remedy: str = remedy) -> list[Problem]:
            content = folder.read(name) or b""
            is_broken = (
                not is_whole_png(content)
                if name.endswith(".png")
                else check_bytes(content) == "broken"
            )
            reason = "is not as it was written, which harms no clip: no job reads it"
            return [Problem(name, reason, remedy)] if is_broken else []

        problems += checked(name, check)
    return problems


def is_whole_png(content: bytes) -> bool:
    """Tell whether a PNG has its chunks from beginning to end, each with its checksum."""
    place = len(PNG) if content.startswith(PNG) else len(content)
    name = b""
    while len(content) >= place + 12 and name != b"IEND":
        end = place + 8 + int.from_bytes(content[place : place + 4], "big")
        name = content[place + 4 : place + 8]
        if zlib.crc32(content[place + 4 : end]).to_bytes(4, "big") != content[end : end + 4]:
            return False
        place = end + 4
    return name == b"IEND" and place == len(content)


def find_strangers(folder: Folder, plan: Plan) -> Iterator[str]:
    """Yield the files and folders that are none of the run's; no reader looks at them."""
    patterns = plan.kind.files
    for name in (name for name in patterns if name in ("", *top_folders(folder))):
        for file in folder.list(name):
            if not re.fullmatch(patterns[name], file):
                yield f"{name}/{file}" if name else file
    own = {name.partition("/")[0] for name in patterns}
    yield from (f"{name}/" for name in top_folders(folder) if name not in {*own, *OTHER_FOLDERS})


def top_folders(folder: Folder) -> list[str]:
    selector = fs.FileSelector(folder.path, allow_not_found=True)
    found = folder.filesystem.get_file_info(selector)
    return sorted(file.base_name for file in found if file.type == fs.FileType.Directory)


def remake_command(plan: Plan) -> str:
    """Return the command that makes what is missing of a run: that which began it."""
    command = plan.log.get("command")
    if not command:
        return "the command that made it"
    try:
        words = shlex.split(command)
    # Earlier versions noted it without quotes.
    except ValueError:
        words = command.split()
    # Those who began again then do not mean to now, and a pilot makes no more than itself.
    pairs = zip(["", *words], words, strict=False)
    kept = [word for before, word in pairs if "--pilot" not in (before, word.partition("=")[0])]
    python = ["python"] if kept and kept[0].endswith(".py") else []
    return shlex.join([*python, *(word for word in kept if word != "--overwrite")])


def scores_remedy(plan: Plan) -> str:
    if plan.kind is CURATE:
        return AGAIN
    return "add --repair to move it aside, then run jobs/evaluate.py to make it again"
