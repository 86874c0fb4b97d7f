"""How often a run opens its manifest, as the filesystem counts it."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem

from flipsketch.corpus.manifest import read_rows, summarize_manifest
from pipelines.animate import animate_manifest
from tests.helpers.corpora import good_rows, make_manifest
from tests.helpers.corpora import read_rows as read_metadata


class CountingFileSystem(LocalFileSystem):
    """The local disk, which notes what is opened, and how many bytes are read."""

    protocol = "counting"
    opened: Counter[str] = Counter()
    num_bytes: Counter[str] = Counter()

    def _open(self, path, mode="rb", **kwargs):
        file = super()._open(path, mode, **kwargs)
        name = Path(path).name
        self.opened[name] += 1
        read = file.f.read

        class Counted:
            def __getattr__(self, attribute):
                return getattr(file, attribute)

            def read(self, size=-1):
                content = read(size)
                CountingFileSystem.num_bytes[name] += len(content)
                return content

        return Counted()


@pytest.fixture
def counting():
    fsspec.register_implementation("counting", CountingFileSystem, clobber=True)
    CountingFileSystem.opened.clear()
    CountingFileSystem.num_bytes.clear()
    return CountingFileSystem


def on_counted_disk(path: str) -> str:
    return f"fsspec+counting://{path}"


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_first_run_reads_its_manifest_twice_and_a_resume_hashes_it(
    job, counting, tmp_path, ending
):
    manifest = Path(make_manifest(tmp_path, good_rows(6)))
    if ending == "parquet":
        rows = [json.loads(line) for line in manifest.read_text().splitlines()]
        manifest = tmp_path / "manifest.parquet"
        pq.write_table(pa.Table.from_pylist(rows), manifest)
    job = replace(job, manifest=on_counted_disk(str(manifest)))
    assert animate_manifest(job) == 0
    assert counting.opened[manifest.name] == 2
    assert len(read_metadata(job.output)) == 6
    counting.opened.clear()
    # Nothing is missing: that the file is the same is all there is to know.
    assert animate_manifest(job) == 0
    assert counting.opened[manifest.name] == 1
    shutil.rmtree(Path(job.output) / "metadata")
    counting.opened.clear()
    assert animate_manifest(job) == 0
    assert counting.opened[manifest.name] == 2


def test_hashing_a_parquet_manifest_reads_hardly_a_byte_twice(counting, tmp_path):
    rows = [
        {"id": str(n), "sketch_bytes": bytes([n % 256]) * 4000, "prompt": "x"} for n in range(999)
    ]
    path = tmp_path / "manifest.parquet"
    pq.write_table(
        pa.Table.from_pylist(rows), path, row_group_size=100, compression=None, use_dictionary=False
    )
    location = on_counted_disk(str(path))
    summary = summarize_manifest(location)
    size = path.stat().st_size
    assert size > 3_000_000
    assert counting.opened["manifest.parquet"] == 1
    assert size <= counting.num_bytes["manifest.parquet"] < 1.1 * size
    assert len(list(read_rows(location, summary))) == 999
    assert counting.opened["manifest.parquet"] == 2
