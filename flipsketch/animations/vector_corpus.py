"""A corpus that Live-Sketch made, as animations: its good rows are read as if each lay in a folder
in Live-Sketch's own layout, so what finds and reads such folders finds and reads a corpus as well.

    <name>/svg_logs/svg_step<N>/frame000.svg ...
    <name>/license.txt
    <name>/prompt.txt
"""

import functools
import logging
import posixpath
import re
from shlex import quote
from typing import Any

from flipsketch.animations.layout import ALL_ARCHIVES, LICENSE_FILE, PROMPT_FILE, STEPS
from flipsketch.corpus.kinds import PLAN_COPY, PLAN_FILE
from flipsketch.corpus.passport import LICENSE, PARTS, join_licenses, licenses_of
from flipsketch.corpus.plan import UNKNOWN, Plan, read_plan
from flipsketch.corpus.shard import metadata_name, read_sample, read_shards
from flipsketch.storage.archives import (
    ArchiveFiles,
    FolderFiles,
    Listing,
    check_size,
    open_files,
)
from flipsketch.storage.folder import Folder, open_folder
from flipsketch.storage.parquet import read_known_columns
from flipsketch.storage.text import count, describe_error, quote_briefly
from flipsketch.storage.threads import in_threads
from flipsketch.svg.animated import read_animated_svg

log = logging.getLogger(__name__)

METHOD = "livesketch"
# An id that can be the name of a folder as it is; other rows go by their keys, which this excludes.
PLAIN_ID = re.compile(r"(?!(?:[0-9a-f]{20}|svg_logs)$)[^\W_][\w .()+=@-]{0,59}")
# Where a sample is, what it shows, and how many steps it was optimized for.
PLACE = ["shard", "key", "tar_offset", "tar_length", "svg_sha256"]
COLUMNS = [*PLACE, "id", "manifest_row", "status", "prompt", "optimization_steps"]


class VectorCorpus:
    """The files of the animations in a corpus; only committed shards count."""

    def __init__(self, folder: Folder) -> None:
        """Raises ValueError: the folder's run did not make vector animations, or none yet."""
        self.folder, self.plan = folder, read_vector_plan(folder)
        shards, self.doubts = read_shards(folder, self.plan)
        # Of a row that was tried again, the last shard counts.
        last = {
            row["manifest_row"]: row
            for rows in in_threads(self.read_rows, sorted(shards))
            for row in rows
        }
        self.num_failed = sum(row["status"] == "failed" for row in last.values())
        self.num_missing = self.plan.num_rows - len(last)
        good = (row for row in last.values() if row["status"] == "ok")
        self.rows = {name_animation(row["id"], row["key"]): row for row in good}
        if not self.rows:
            raise ValueError(
                f"{folder}: has no animation yet ({self.describe_others()}); see jobs/status.py "
                f"--corpus {quote(folder.location)}"
            )
        self.contents = functools.lru_cache(2)(self.read_contents)

    def read_rows(self, index: int) -> list[dict[str, Any]]:
        """Return what a shard says of its rows; none if it is damaged, which becomes a doubt."""
        try:
            names = [*COLUMNS, LICENSE, *(name for names in PARTS.values() for name in names)]
            table = read_known_columns(self.folder, metadata_name(index), names)
            return table.select([*COLUMNS, *(set(table.column_names) - {*COLUMNS})]).to_pylist()
        # Readers of broken files raise whatever these lead them to.
        except Exception as error:
            self.doubts.append(f"{metadata_name(index)}: not readable: {describe_error(error)}")
            return []

    def list(self, path: str) -> Listing:
        if not path:
            return sorted(self.rows), []
        name, _, below = path.partition("/")
        row = self.find(name)
        step = f"svg_step{row['optimization_steps']}"
        if not below:
            return [STEPS], [*self.text_files(row)]
        if below == STEPS:
            return [step], []
        if below == f"{STEPS}/{step}":
            files = [posixpath.basename(file) for file in self.contents(name)]
            return [], sorted(file for file in files if file not in self.text_files(row))
        named = f"the corpus's animation {quote_briefly(name)}"
        raise FileNotFoundError(f"{named} has no folder {quote_briefly(below)}")

    def read(self, path: str, max_bytes: int) -> bytes:
        name, _, below = path.partition("/")
        # Without its frames, since each animation's prompt is wanted before any frames are.
        texts = self.text_files(self.find(name))
        contents = texts if below in texts else self.contents(name)
        if below not in contents:
            named = f"the corpus's animation {quote_briefly(name)}"
            raise FileNotFoundError(f"{named} has no file {quote_briefly(below)}")
        return check_size(contents[below], max_bytes)

    def find(self, name: str) -> dict[str, Any]:
        """Return what the metadata says of an animation.

        Raises:
            FileNotFoundError: there is none of that name.
            OSError: there may be one, in what cannot be read at the moment.
        """
        if name in self.rows:
            return self.rows[name]
        if self.doubts:
            raise OSError(f"no good row named {quote_briefly(name)} can be read: {self.doubts[0]}")
        raise FileNotFoundError(f"the corpus has no good row named {quote_briefly(name)}")

    def read_contents(self, name: str) -> dict[str, bytes]:
        """Return what an animation's files hold, by their paths in its folder, the prompt's last.

        Raises:
            OSError, ValueError: its sample is gone or damaged, or has no SVG.
        """
        row = self.find(name)
        svg = read_sample(self.folder, row["shard"], row, self.plan.tars).svg
        if svg is None:
            raise ValueError(f"the sample {row['key']} has no {row['key']}.svg; make the row again")
        folder = f"{STEPS}/svg_step{row['optimization_steps']}"
        frames = {
            f"{folder}/frame{number:03d}.svg": frame
            for number, frame in enumerate(read_animated_svg(svg))
        }
        return {**frames, **self.text_files(row)}

    def text_files(self, row: dict[str, Any]) -> dict[str, bytes]:
        """Return the animation's prompt, and before it the licenses of all that it was made of and
        with, if any is known."""
        licenses = join_licenses(licenses_of(row, self.plan).values())
        files = {PROMPT_FILE: f"{row['prompt']}\n".encode()}
        return files if licenses == UNKNOWN else {LICENSE_FILE: f"{licenses}\n".encode(), **files}

    def warn_of_others(self) -> None:
        """Say which rows of the corpus are no animations, if there are any."""
        for doubt in self.doubts:
            log.warning("%s: %s", self.folder, doubt)
        if self.num_failed or self.num_missing:
            log.warning("%s: left out: %s", self.folder, self.describe_others())

    def describe_others(self) -> str:
        others = ((self.num_failed, "that failed"), (self.num_missing, "not made yet"))
        return ", ".join(f"{count(number, 'row')} {why}" for number, why in others if number)


def read_vector_plan(folder: Folder) -> Plan:
    """Return the plan of a corpus, as made or as curated, whose clips are vector animations.

    Raises:
        ValueError: the folder holds another run.
    """
    plan = read_plan(folder)
    if plan is None or not plan.kind.makes_clips:
        raise ValueError(
            f"{folder}: holds training shards, which are drawn already; give the animations that "
            f"they were made of"
        )
    if plan.method != METHOD:
        raise ValueError(
            f"{folder}: holds clips made by {plan.method}, which are pixels; only a corpus made "
            f"with --method {METHOD} holds vector animations. Give one of those, or a folder of "
            f"SVG frames"
        )
    return plan


def name_animation(row_id: str, key: str) -> str:
    """Return the name of a row's animation: its id, or its key where that can be no folder's."""
    is_plain = PLAIN_ID.fullmatch(row_id) and not row_id.lower().endswith(ALL_ARCHIVES)
    return row_id if is_plain else key


def open_animations(
    root: str, allowed: tuple[str, ...] = ()
) -> FolderFiles | ArchiveFiles | VectorCorpus:
    """Return the files of animations: of a folder, an archive or a corpus, a path or a URI.

    Args:
        allowed: folders that links in a folder may lead into.

    Raises:
        OSError: nothing is there.
        ValueError: it is no archive that can be read, a corpus of other clips, or a file.
    """
    files = open_files(root, allowed)
    if isinstance(files, FolderFiles) and {PLAN_FILE, PLAN_COPY} & {*files.list("")[1]}:
        return VectorCorpus(open_folder(root))
    return files
