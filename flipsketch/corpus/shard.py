"""A shard: one tar of samples and one Parquet of rows, whose appearance is the commit.

Readers go by the Parquet files: a tar without one is a leftover, and a shard of failed rows alone
has no tar. The same rows give the same tar to the byte.
"""

import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from flipsketch.corpus.kinds import CURATE
from flipsketch.corpus.licenses import resolve_license
from flipsketch.corpus.notes import COLUMN, count_notes
from flipsketch.corpus.parts import format_ranges, in_ranges
from flipsketch.corpus.passport import LICENSE, ROW_LICENSES, read_license
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.reasons import FailedRow
from flipsketch.corpus.row_digests import planned_digest, read_digests, shard_digest
from flipsketch.corpus.row_licenses import keep_strictest
from flipsketch.corpus.run_folder import refuse_lost_folder
from flipsketch.corpus.sample import Sample, locate_samples, pack_samples, unpack_whole_sample
from flipsketch.storage.folder import Folder
from flipsketch.storage.parquet import read_footer, read_known_columns, read_table
from flipsketch.storage.sealed import to_parquet
from flipsketch.storage.text import describe_error
from flipsketch.storage.threads import in_threads

ROWS_PER_GROUP = 10_000
# Where a record has the digest of its row: not a name that a column of the manifest can have.
ROW_DIGEST = "\0digest"
TAR_IS_GONE = "its tar is gone"
OTHER_PLAN = "of another plan"
# A tar is followed by its metadata within moments, or by those of a slow disk or store.
ON_ITS_WAY_S = 600
# Other workers may commit meanwhile.
OTHERS_COMMIT_S = 60

# Of the licenses of a shard's sketches, those that its footer names; it puts the others together.
MOST_LICENSES = 50

# What every job says of a row: first which it is, last what became of it.
NAMING_COLUMNS = [
    ("id", pa.string()),
    ("manifest_row", pa.int64()),
    ("key", pa.string()),
    ("prompt", pa.string()),
]
OUTCOME_COLUMNS = [
    ("status", pa.string()),
    ("error", pa.string()),
    ("attempts", pa.int32()),
    ("num_frames", pa.int32()),
    ("height", pa.int32()),
    ("width", pa.int32()),
    ("seconds", pa.float64()),
    # Where the sample is: in which tar, and where in it.
    ("shard", pa.int32()),
    ("tar_offset", pa.int64()),
    ("tar_length", pa.int64()),
    ("frames_sha256", pa.string()),
]
ROW_SCHEMA = pa.schema(
    [
        *NAMING_COLUMNS,
        ("prompts", pa.list_(pa.string())),
        ("prompt_cut", pa.bool_()),
        ("sketch", pa.string()),
        ("sketch_sha256", pa.string()),
        ("seed", pa.int64()),
        *OUTCOME_COLUMNS,
    ]
)


@dataclass(frozen=True)
class ShardFacts:
    """What the footer of a shard's Parquet file says."""

    index: int
    ok: int
    failed: int
    superseded: int
    """Failed rows of earlier shards that this one tried again: its own rows count instead."""
    prompts_cut: int
    tar_bytes: int
    tar_sha256: str
    plan: str
    rows_sha256: str = ""
    """SHA-256 of the digests of the manifest's rows that it was made of; empty in older shards."""
    unread: str = ""
    """Failed rows whose disk or server did not deliver their files, written like "3 7-12"."""
    sketch_notes: str = ""
    """How many good rows have a note of each kind, as JSON; empty where none has one."""
    licenses: str = ""
    """How many good rows have a sketch of each license, as JSON; empty where none names any."""
    peak_bytes: int = 0
    """Most GPU memory that its process had taken until then; 0 on a CPU, and in a later run: it is
    no part of the footer, since it is not the plan's to say."""

    @property
    def num_rows(self) -> int:
        return self.ok + self.failed

    @property
    def notes(self) -> Counter[str]:
        """How many good rows have a note of each kind on how their sketch was read."""
        return Counter(json.loads(self.sketch_notes or "{}"))

    @property
    def row_licenses(self) -> Counter[str]:
        """How many good rows have a sketch of each license; those that name none do not count."""
        return Counter(json.loads(self.licenses or "{}"))

    def to_footer(self) -> dict[str, str]:
        values = {name: str(value) for name, value in asdict(self).items()}
        del values["peak_bytes"]
        for name in ("sketch_notes", "licenses"):
            if not values[name]:
                # Shards of runs from before there were any stay what they were.
                del values[name]
        return {"shard": values.pop("index"), **values}


class UnreadRow(dict[str, Any]):
    """A failed row whose disk or server did not deliver its file: it may do so another time."""


def write_shard(
    folder: Folder,
    plan: Plan,
    index: int,
    rows: list[dict[str, Any]],
    samples: Iterable[Sample],
    schema: pa.Schema,
) -> ShardFacts:
    """Commit a shard, the tar first, then the Parquet file that makes it count; return its facts.

    Args:
        rows: one for each input row, good or bad, in the manifest's order, each with the digest of
            that row; gain their shard, and the good ones their sample's place in its tar.
        samples: those of the rows whose status is ok, in any order.
        schema: of the Parquet file, ROW_SCHEMA and more.

    Raises:
        OSError: the shard cannot be written; nothing of it counts.
        ValueError: the folder is no longer that of the run.
    """
    by_key = {sample.key: sample for sample in samples}
    good = [row for row in rows if row["status"] == "ok"]
    assert {row["key"] for row in good} == set(by_key), "one sample for each good row"
    tar = pack_samples([by_key[row["key"]] for row in good]) if good else b""
    places = locate_samples(tar) if tar else {}
    assert list(places) == [row["key"] for row in good], "the tar has every sample"
    for row in rows:
        row["shard"] = index
    for row in good:
        row["tar_offset"], row["tar_length"] = places[row["key"]]
    # Of rows that fail none: should they be tried again, their notes would count twice.
    has_notes = COLUMN in schema.names
    notes = count_notes(row.get(COLUMN) for row in good) if has_notes else Counter[str]()
    # Clips may be chosen from a corpus that is older than licenses of rows, and names them all the
    # same, in a column of its manifest's own.
    is_licensed = ROW_LICENSES in plan.settings or plan.kind is CURATE
    licenses = count_licenses(good) if is_licensed else Counter[str]()
    facts = ShardFacts(
        index=index,
        ok=len(good),
        failed=len(rows) - len(good),
        # What a second try says of rows counts instead of what the first said.
        superseded=len(rows) if plan.part_of(index).kind == "retry" else 0,
        prompts_cut=sum(bool(row.get("prompt_cut")) for row in rows),
        tar_bytes=len(tar),
        tar_sha256=hashlib.sha256(tar).hexdigest() if tar else "",
        plan=plan.fingerprint,
        rows_sha256=shard_digest(row[ROW_DIGEST] for row in rows),
        unread=format_ranges([row["manifest_row"] for row in rows if isinstance(row, UnreadRow)]),
        sketch_notes=json.dumps(notes, sort_keys=True) if notes else "",
        licenses=json.dumps(licenses, sort_keys=True) if licenses else "",
    )
    table = pa.Table.from_pylist(rows, schema=schema.with_metadata(facts.to_footer()))
    parquet = to_parquet(table, row_group_size=ROWS_PER_GROUP)
    if tar:
        refuse_lost_folder(folder, plan.fingerprint)
        folder.publish(tar_name(index, plan.tars), tar)
    refuse_lost_folder(folder, plan.fingerprint)
    folder.publish(metadata_name(index), parquet)
    return facts


def count_licenses(rows: Iterable[dict[str, Any]]) -> Counter[str]:
    """Return how many rows have a sketch of each license, by the names that the table of licenses
    has for them; rows that name none do not count."""
    texts = [text for row in rows if (text := read_license(row.get(LICENSE)))]
    named = Counter(resolve_license(text).name for text in texts)
    return keep_strictest(named, MOST_LICENSES)


def committed_shards(folder: Folder) -> list[int]:
    """Return the indices of the existing shards, from one listing."""
    names = folder.list("metadata")
    return sorted(int(name[:-8]) for name in names if re.fullmatch(r"\d{5,}\.parquet", name))


def lost_shards(folder: Folder, plan: Plan, shards: Iterable[ShardFacts]) -> list[int]:
    """Return which of these shards are not in the folder any more as they were committed, from one
    listing of each kind of file."""
    committed, tars = set(committed_shards(folder)), folder.sizes(plan.tars)
    return sorted(
        facts.index
        for facts in shards
        if facts.index not in committed
        or (facts.ok and tars.get(f"{facts.index:05d}.tar") != facts.tar_bytes)
    )


def tar_name(index: int, tars: str = "clips") -> str:
    return f"{tars}/{index:05d}.tar"


def metadata_name(index: int) -> str:
    return f"metadata/{index:05d}.parquet"


def read_facts(folder: Folder, index: int) -> ShardFacts:
    footer = read_footer(folder, metadata_name(index))
    found = {name.decode(): value.decode() for name, value in footer.metadata.items()}
    numbers = ("ok", "failed", "superseded", "prompts_cut", "tar_bytes")
    facts = ShardFacts(
        index=index,
        **{name: int(found[name]) for name in numbers},
        tar_sha256=found["tar_sha256"],
        plan=found["plan"],
        rows_sha256=found.get("rows_sha256", ""),
        unread=found.get("unread", ""),
        sketch_notes=found.get("sketch_notes", ""),
        licenses=found.get("licenses", ""),
    )
    in_ranges(facts.unread, range(0))
    if not all(isinstance(number, int) for number in facts.notes.values()):
        raise ValueError(f"its footer counts notes as {facts.sketch_notes!r:.80}")
    if not all(isinstance(number, int) for number in facts.row_licenses.values()):
        raise ValueError(f"its footer counts licenses as {facts.licenses!r:.80}")
    if footer.num_rows != facts.num_rows:
        raise ValueError(f"has {footer.num_rows} rows, but its footer counts {facts.num_rows}")
    return facts


def read_metadata(folder: Folder, index: int, columns: list[str] | None = None) -> pa.Table:
    return read_table(folder, metadata_name(index), columns)


def read_shards(
    folder: Folder, plan: Plan, digests: bytes | None = None
) -> tuple[dict[int, ShardFacts], list[str]]:
    """Return the plan's committed shards by index, and a sentence on each file that is none.

    Args:
        digests: of the plan's rows, if they are known; else those beside the plan, if it has any.
    """
    # Before the tars, which are there first: a shard that is committed meanwhile is no doubt.
    committed = committed_shards(folder)
    tars = {f"{plan.tars}/{name}" for name in folder.list(plan.tars)}
    digests = digests or read_digests(folder, plan)

    def read(index: int) -> ShardFacts | str:
        try:
            facts = read_facts(folder, index)
        # Readers of broken files raise whatever these lead them to.
        except Exception as error:
            return f"{metadata_name(index)}: not readable: {describe_error(error)}"
        if facts.plan != plan.fingerprint or index >= plan.num_shards:
            return f"{metadata_name(index)}: {OTHER_PLAN}"
        if facts.ok and tar_name(index, plan.tars) not in tars:
            return f"{metadata_name(index)}: {TAR_IS_GONE}"
        num_planned = len(plan.part_of(index).rows_in(index))
        if facts.num_rows != num_planned:
            return f"{metadata_name(index)}: has {facts.num_rows} of the plan's {num_planned} rows"
        # Shards that were committed before there were digests are taken as they are.
        if digests and facts.rows_sha256 not in ("", planned_digest(plan, index, digests)):
            return f"{metadata_name(index)}: its rows are not those of the plan"
        return facts

    found = in_threads(read, committed)
    shards = {facts.index: facts for facts in found if isinstance(facts, ShardFacts)}
    return shards, [doubt for doubt in found if isinstance(doubt, str)]


def find_on_their_way(folder: Folder, plan: Plan, tars: list[str]) -> set[str]:
    """Return which tars without metadata a running job may have written moments ago.

    The last commits are hardly older than such a tar, and a card that is younger says that the job
    has ended.
    """
    if not tars:
        return set()
    written = {file.base_name: file.mtime_ns or 0 for file in folder.find(plan.tars)}
    last_commit = max((file.mtime_ns or 0 for file in folder.find("metadata")), default=0)
    card = folder.filesystem.get_file_info(folder.join("README.md")).mtime_ns or 0
    limits = (last_commit - OTHERS_COMMIT_S * 1e9, (time.time() - ON_ITS_WAY_S) * 1e9)
    return {name for name in tars if written.get(name, 0) > max(card, *limits)}


@dataclass(frozen=True, kw_only=True)
class Failure(FailedRow):
    """A row that failed, and has not been made good by a later shard."""

    key: str | None
    """None where the manifest itself has the row wrong: trying again cannot help."""


def read_failures(folder: Folder, shards: list[ShardFacts]) -> dict[int, Failure]:
    """Return the failed rows by their position in the manifest, as the last shard has them."""
    failures: dict[int, Failure] = {}
    telling = sorted(
        (facts for facts in shards if facts.failed or facts.superseded), key=lambda f: f.index
    )
    # Of clips the sketch, of training shards the animation.
    columns = ["manifest_row", "id", "key", "status", "error", "sketch", "animation"]
    tables = in_threads(
        lambda facts: read_known_columns(folder, metadata_name(facts.index), columns), telling
    )
    for table in tables:
        for row in table.to_pylist():
            failures.pop(row["manifest_row"], None)
            if row["status"] == "failed":
                failures[row["manifest_row"]] = Failure(
                    number=row["manifest_row"] + 1,
                    id=row["id"],
                    source=row.get("sketch") or row.get("animation"),
                    error=row["error"],
                    key=row["key"],
                )
    return failures


def read_sample(folder: Folder, index: int, row: dict[str, Any], tars: str = "clips") -> Sample:
    """Return one row's sample by its place in the shard's tar; nothing else is read.

    Raises:
        OSError, ValueError: the tar is gone or damaged.
    """
    with folder.open(tar_name(index, tars)) as file:
        content = file.read_at(row["tar_length"], row["tar_offset"])
    name = f"{folder}/{tar_name(index, tars)}"
    return unpack_whole_sample(row["key"], content, name, row.get("svg_sha256"))
