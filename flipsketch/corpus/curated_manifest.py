"""The manifest of a curated corpus, which has the sketches of its clips with it."""

import logging
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa

from flipsketch.corpus.kinds import CURATE
from flipsketch.corpus.manifest import parse_rows, summarize_manifest
from flipsketch.corpus.passport import LICENSE, ROW_LICENSES
from flipsketch.corpus.plan import Plan
from flipsketch.media.sketch import check_sketch
from flipsketch.storage.folder import resolve
from flipsketch.storage.location import split_query
from flipsketch.storage.sealed import to_parquet
from flipsketch.storage.sources import Sources, names_file
from flipsketch.storage.text import one_line
from flipsketch.storage.threads import in_threads

log = logging.getLogger(__name__)

MANIFEST_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("sketch", pa.string()),
        ("sketch_bytes", pa.binary()),
        ("prompts", pa.list_(pa.string())),
        ("seed", pa.int64()),
    ]
)


def write_manifest(sources: Sources, metadata: pa.Table, plan: Plan) -> bytes:
    """Return a Parquet manifest of the clips, including the sketches that are available.

    Args:
        plan: of the corpus that the clips are from.

    Raises:
        ValueError: the corpus's manifest cannot be read.
    """
    own = [LICENSE] if ROW_LICENSES in plan.settings else []
    schema = pa.schema([*MANIFEST_SCHEMA, *(pa.field(name, pa.string()) for name in own)])
    clips = metadata.select(["id", "prompts", "seed", "sketch_sha256", *own]).to_pylist()
    wanted = {clip["id"] for clip in clips}
    sketches: dict[str, str | bytes] = {}
    lost: list[str] = []
    manifest = sources.manifest
    try:
        for row in parse_rows(manifest):
            if row.id in wanted:
                # Of those with one id the first was animated.
                sketches.setdefault(row.id, row.sketch)
    except OSError as error:
        raise ValueError(
            f"{manifest}: cannot be read ({error}); if it has moved, pass --manifest with its "
            f"new place, since it names the sketches"
        ) from error

    def read(clip: dict[str, Any]) -> dict[str, Any]:
        sha256 = clip.pop("sketch_sha256")
        source = sketches.get(clip["id"])
        try:
            if source is None:
                raise ValueError(f"{manifest} has no such row")
            content = sources.read(source)
            check_sketch(content, sha256)
        except (OSError, ValueError) as error:
            lost.append(f"{one_line(clip['id'], 80)}: {error}")
            if source is None or not names_file(source):
                return clip
            # Without options of the store, which a row cannot have.
            return {**clip, "sketch": split_query(resolve(source, manifest))[0]}
        return {**clip, "sketch_bytes": content}

    rows = in_threads(read, clips)
    if lost:
        log.warning("%d clips go without their sketches, such as %s", len(lost), min(lost))
    return to_parquet(pa.Table.from_pylist(rows, schema))


def digest_rows(manifest: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / CURATE.manifest
        path.write_bytes(manifest)
        return summarize_manifest(str(path)).digests
