import io
import tarfile

import numpy as np
import pyarrow as pa
import pytest

from flipsketch.corpus.shard import (
    ROW_SCHEMA,
    committed_shards,
    encode_sample,
    read_facts,
    read_metadata,
    read_sample,
    write_shard,
)
from flipsketch.media.clip import Clip, decode_filmstrip
from flipsketch.storage.folder import open_folder

SCHEMA = pa.schema([*ROW_SCHEMA, ("mood", pa.string())])


def make_rows(num_ok: int, num_failed: int):
    rng = np.random.default_rng(0)
    rows, samples = [], []
    for number in range(num_ok + num_failed):
        failed = number < num_failed
        row = {"id": f"row {number}", "key": f"key{number}", "num_frames": 2, "mood": "glad"}
        row |= {"status": "failed", "error": "blank"} if failed else {"status": "ok", "error": None}
        rows.append(row)
        if not failed:
            frames = np.repeat(rng.integers(0, 256, (2, 8, 8, 1), np.uint8), 3, axis=-1)
            samples.append(encode_sample(Clip(f"key{number}", "a cät", frames), {"seed": number}))
    return rows, samples


def write(folder, num_ok=2, num_failed=1):
    rows, samples = make_rows(num_ok, num_failed)
    write_shard(folder, 3, rows, reversed(samples), SCHEMA, "plan")
    return rows, samples


def test_a_shard_reads_back_row_by_row(tmp_path):
    folder = open_folder(str(tmp_path))
    _, samples = write(folder)
    rows = read_metadata(folder, 3).to_pylist()
    assert [row["status"] for row in rows] == ["failed", "ok", "ok"]
    assert rows[0]["tar_offset"] is None and rows[0]["mood"] == "glad"
    for row, sample in zip(rows[1:], samples, strict=True):
        found = read_sample(folder, 3, row)
        assert found == sample
        assert decode_filmstrip(found.png, row["num_frames"]).shape == (2, 8, 8, 3)
    facts = read_facts(folder, 3)
    assert (facts.index, facts.ok, facts.failed, facts.plan) == (3, 2, 1, "plan")
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
    assert names == [f"key{n}.{kind}" for n in (1, 2) for kind in ("json", "png", "txt")]


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
        write_shard(folder, 0, rows, samples[:1], SCHEMA, "plan")
    assert committed_shards(folder) == [] and folder.list("clips") == []
