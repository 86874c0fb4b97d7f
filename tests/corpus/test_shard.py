import io
import tarfile
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from flipsketch.corpus.plan import Plan
from flipsketch.corpus.run_folder import begin_run
from flipsketch.corpus.sample import encode_sample
from flipsketch.corpus.shard import (
    ROW_DIGEST,
    ROW_SCHEMA,
    committed_shards,
    read_facts,
    read_metadata,
    read_sample,
    write_shard,
)
from flipsketch.media.clip import Clip, decode_filmstrip
from flipsketch.storage.folder import open_folder

SCHEMA = pa.schema([*ROW_SCHEMA, ("mood", pa.string())])
SAMPLE_SCHEMA = pa.schema([("id", pa.string()), ("mood", pa.string())])
ENDINGS = ("json", "png", "sketch.png", "txt")
PLAN = Plan({"num_rows": 12, "rows_per_shard": 3, "manifest_fingerprint": "m"})


def make_rows(num_ok: int, num_failed: int):
    rng = np.random.default_rng(0)
    rows, samples = [], []
    for number in range(num_ok + num_failed):
        failed = number < num_failed
        row = {"id": f"row {number}", "key": f"key{number}", "num_frames": 2, "mood": "glad"}
        row[ROW_DIGEST] = bytes([number]) * 32
        row |= {"status": "failed", "error": "blank"} if failed else {"status": "ok", "error": None}
        rows.append(row)
        if not failed:
            frames = np.repeat(rng.integers(0, 256, (2, 8, 8, 1), np.uint8), 3, axis=-1)
            clip = Clip(f"key{number}", "a cät", frames)
            samples.append(encode_sample(clip, frames[0], row, SAMPLE_SCHEMA))
    return rows, samples


def write(folder, num_ok=2, num_failed=1):
    rows, samples = make_rows(num_ok, num_failed)
    begin_run(folder, PLAN)
    facts = write_shard(folder, PLAN, 3, rows, reversed(samples), SCHEMA)
    return facts, samples


def test_a_shard_reads_back_row_by_row(tmp_path):
    folder = open_folder(str(tmp_path))
    told, samples = write(folder)
    rows = read_metadata(folder, 3).to_pylist()
    assert [row["status"] for row in rows] == ["failed", "ok", "ok"]
    assert rows[0]["tar_offset"] is None and rows[0]["mood"] == "glad"
    for row, sample in zip(rows[1:], samples, strict=True):
        found = read_sample(folder, 3, row)
        assert found == sample
        assert decode_filmstrip(found.png, row["num_frames"]).shape == (2, 8, 8, 3)
    assert [row["shard"] for row in rows] == [3, 3, 3]
    facts = read_facts(folder, 3)
    assert facts == told
    assert (facts.index, facts.ok, facts.failed, facts.plan) == (3, 2, 1, PLAN.fingerprint)
    assert facts.tar_bytes == (tmp_path / "clips" / "00003.tar").stat().st_size


def test_the_same_shard_twice_is_the_same_bytes(tmp_path):
    one, two = open_folder(str(tmp_path / "1")), open_folder(str(tmp_path / "2"))
    write(one)
    write(two)
    for name in ("clips/00003.tar", "metadata/00003.parquet"):
        assert one.read(name) == two.read(name)
    with tarfile.open(fileobj=io.BytesIO(one.read("clips/00003.tar"))) as tar:
        names = tar.getnames()
        assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in tar} == {(0, 0, 0, "", 0o444)}
    assert names == [f"key{n}.{kind}" for n in (1, 2) for kind in ENDINGS]


def test_a_shard_of_failures_has_no_tar(tmp_path):
    folder = open_folder(str(tmp_path))
    write(folder, num_ok=0, num_failed=2)
    assert committed_shards(folder) == [3]
    assert folder.list("clips") == []
    assert read_facts(folder, 3).failed == 2


def test_a_tar_without_its_parquet_is_no_shard(tmp_path):
    folder = open_folder(str(tmp_path))
    write(folder)
    folder.publish("clips/00004.tar", b"left by a run that died here")
    folder.publish("metadata/00004.parquet.new", b"")
    assert committed_shards(folder) == [3]


def test_good_rows_without_a_sample_are_never_committed(tmp_path):
    folder = open_folder(str(tmp_path))
    rows, samples = make_rows(2, 0)
    with pytest.raises(AssertionError, match="one sample for each good row"):
        write_shard(folder, PLAN, 0, rows, samples[:1], SCHEMA)
    assert committed_shards(folder) == [] and folder.list("clips") == []


def test_a_sample_that_cannot_be_packed_leaves_no_half_shard(tmp_path):
    folder = open_folder(str(tmp_path))
    rows, samples = make_rows(2, 0)
    with pytest.raises(ValueError, match="bytes"):
        write_shard(folder, PLAN, 0, rows, [samples[0], replace(samples[1], txt=None)], SCHEMA)
    assert committed_shards(folder) == [] and folder.list("clips") == []
