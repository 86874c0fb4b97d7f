import io
import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flipsketch.storage.folder import open_folder
from flipsketch.storage.sealed import check_bytes, check_parquet, to_json, to_parquet, to_text

TABLE = pa.table(
    {"key": [f"key{n}" for n in range(40)], "value": [n / 3 for n in range(40)]}
).replace_schema_metadata({"plan": "f" * 64})


def flip(content: bytes, bit: int) -> bytes:
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


def test_a_sealed_table_is_a_table_like_any_other():
    content = to_parquet(TABLE)
    assert to_parquet(TABLE) == content
    found = pq.read_table(io.BytesIO(content))
    assert found.equals(TABLE)
    metadata = pq.read_metadata(io.BytesIO(content)).metadata
    assert metadata[b"plan"] == b"f" * 64 and len(metadata[b"file_sha256"]) == 64


def test_every_bit_of_a_sealed_file_counts(tmp_path):
    folder = open_folder(str(tmp_path))
    content = to_parquet(TABLE)
    folder.publish("table.parquet", content)
    assert check_parquet(folder, "table.parquet") == "whole"
    for bit in random.Random(0).sample(range(8 * len(content)), 1000):
        (tmp_path / "table.parquet").write_bytes(flip(content, bit))
        assert check_parquet(folder, "table.parquet") == "broken", bit
    for text in (to_json({"a": 1, "b": "file_sha256"}, indent=1), to_text("# A card\n")):
        assert check_bytes(text) == "whole"
        broken = [check_bytes(flip(text, bit)) == "broken" for bit in range(8 * len(text))]
        assert all(broken)


@pytest.mark.parametrize("length", [0, 3, 7, 8, 11, 500, -1])
def test_a_file_that_is_cut_short_is_broken(tmp_path, length):
    (tmp_path / "table.parquet").write_bytes(to_parquet(TABLE)[:length])
    assert check_parquet(open_folder(str(tmp_path)), "table.parquet") == "broken"


def test_a_file_larger_than_a_block_is_hashed_whole(tmp_path):
    rng = random.Random(0)
    table = pa.table({"bytes": [rng.randbytes(300_000) for _ in range(9)]})
    content = to_parquet(table)
    folder = open_folder(str(tmp_path))
    folder.publish("table.parquet", content)
    assert check_parquet(folder, "table.parquet") == "whole"
    folder.publish("table.parquet", flip(content, 8 * 2_000_000))
    assert check_parquet(folder, "table.parquet") == "broken"


def test_what_a_file_says_of_its_own_hash_is_not_taken_from_a_users_text(tmp_path):
    folder = open_folder(str(tmp_path))
    claim = "\x0bfile_sha256\x18\x40" + "0" * 64
    folder.publish("table.parquet", to_parquet(pa.table({"prompt": [claim, "sealed_by"]})))
    assert check_parquet(folder, "table.parquet") == "whole"
    quoted = to_json({"prompt": f'"file_sha256": "{"0" * 64}"', "sealed_by": "me"})
    assert check_bytes(quoted) == "whole"
    assert check_bytes(json.dumps({"prompt": '"sealed_by": "file_sha256"'}).encode()) == "none"


def test_a_file_of_an_earlier_version_cannot_tell(tmp_path):
    pq.write_table(TABLE, tmp_path / "table.parquet")
    assert check_parquet(open_folder(str(tmp_path)), "table.parquet") == "none"
    assert check_bytes(b'{"a": 1}\n') == "none"


def test_a_page_that_has_changed_is_not_read():
    content = to_parquet(TABLE)
    column = pq.read_metadata(io.BytesIO(content)).row_group(0).column(1)
    last = column.dictionary_page_offset + column.total_compressed_size - 2
    with pytest.raises(OSError, match="checksum"):
        pq.read_table(io.BytesIO(flip(content, 8 * last)), page_checksum_verification=True)
