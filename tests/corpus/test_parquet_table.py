"""Tables that unpack to far more than they have on disk."""

import csv
import gzip
import json
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flipsketch.animations.captions import read_captions
from flipsketch.corpus.manifest import summarize_manifest
from flipsketch.corpus.parquet_pages import read_pages
from flipsketch.corpus.tables import MAX_COLUMNS, MAX_LINE_BYTES, MAX_ROWS, read_table

MEGABYTE = 1_000_000
DICTIONARY = {"dictionary_pagesize_limit": 1 << 30}


def repeated(value: str, count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([value]))


def write_parquet(path: Path, num_rows: int, columns: dict, **options) -> str:
    named = {"id": [f"row {n}" for n in range(num_rows)], "sketch": ["a.svg"] * num_rows}
    pq.write_table(pa.table({**named, **columns}), path, compression="zstd", **options)
    return str(path)


def write_gzip(path: Path, *parts: tuple[bytes, int]) -> str:
    with gzip.open(path, "wb", compresslevel=1) as file:
        for part, count in parts:
            for _ in range(count):
                file.write(part)
    return str(path)


def read_all(location: str) -> list:
    return list(read_table(location, []))


def long_values(path: Path) -> str:
    return write_parquet(path, 1000, {"prompt": repeated("a" * 10 * MEGABYTE, 1000)}, **DICTIONARY)


def many_long_columns(path: Path) -> str:
    columns = {f"extra {n}": repeated("b" * MEGABYTE, 1000) for n in range(5)}
    return write_parquet(path, 1000, columns, **DICTIONARY)


def wide_row_group(path: Path) -> str:
    values = pa.array(["a" * 10 * MEGABYTE] * 5)
    with pq.ParquetWriter(path, pa.schema([("prompt", pa.string())]), use_dictionary=False) as out:
        out.write_table(pa.table({"prompt": pa.chunked_array([values] * 90)}))
    return str(path)


def long_lists(path: Path) -> str:
    count = 40_000_000
    lists = pa.ListArray.from_arrays(pa.array([0, count], pa.int32()), pa.nulls(count, pa.int8()))
    return write_parquet(path, 1, {"prompts": lists})


def many_nulls(path: Path) -> str:
    pq.write_table(pa.table({"id": pa.nulls(MAX_ROWS + 1, pa.int8())}), path)
    return str(path)


def many_columns(path: Path) -> str:
    return write_parquet(path, 1, {f"c{number}": [1] for number in range(MAX_COLUMNS)})


@pytest.mark.parametrize(
    ("write", "found"),
    [
        (long_values, "row group 1: bytes unpacked: 10,000,000,000"),
        (many_long_columns, "row group 1: bytes unpacked: 5,000,000,000"),
        (wide_row_group, "row group 1: bytes unpacked: 4,500,"),
        (long_lists, "column 'prompts.list.element': values: 40,000,000"),
        (many_nulls, "rows: 10,000,001, and at most 10,000,000 are allowed; split it"),
        (many_columns, "columns: 1,002"),
    ],
)
def test_a_parquet_table_that_unpacks_to_too_much_is_refused(tmp_path, write, found):
    location = write(tmp_path / "manifest.parquet")
    with pytest.raises(ValueError, match=f"manifest.parquet: too large to be read: .*{found}"):
        summarize_manifest(location)
    with pytest.raises(ValueError, match="too large to be read"):
        read_captions(location)


def test_a_footer_that_lies_hides_no_page(tmp_path):
    path = tmp_path / "a.parquet"
    write_parquet(path, 1000, {"prompt": repeated("a" * 300 * MEGABYTE, 1000)}, **DICTIONARY)
    with pa.OSFile(str(path)) as file:
        chunk = pq.read_metadata(path).row_group(0).column(2)
        [dictionary, page] = read_pages(file, chunk)
    assert dictionary.is_dictionary and dictionary.num_bytes == 300 * MEGABYTE + 4
    assert (page.is_dictionary, page.num_values) == (False, 1000)
    assert path.stat().st_size < MEGABYTE
    with pytest.raises(ValueError, match="column 'prompt': bytes of a page unpacked: 300,000,004"):
        read_all(str(path))


@pytest.mark.parametrize(
    ("name", "parts", "found"),
    [
        ("a.jsonl.gz", [(b'{"id": "', 1), (b"a" * MEGABYTE, 20)], "line 1: is longer than"),
        ("a.jsonl.gz", [(b"{}\n", 3), (b" " * MEGABYTE, 20)], "line 4: is longer than"),
        ("a.csv.gz", [(b'id,prompt\na,"', 1), (b"a" * MEGABYTE, 20)], "line 2: is longer than"),
        ("a.csv.gz", [(b"a," * 500_000, 20)], "line 1: is longer than"),
        ("a.csv.gz", [(b'id,prompt\na,"', 1), (b"a\n" * 500_000, 20)], "line 2: the row that"),
        ("a.csv.gz", [(b"id\n" + b"a," * 9_000_000, 1)], "line 2: is longer than"),
        ("a.csv", [(b"a," * MAX_COLUMNS + b"b\n", 1)], "more than the 1,000 columns"),
    ],
)
def test_a_text_table_with_a_row_that_does_not_end_is_refused(tmp_path, name, parts, found):
    path = tmp_path / name
    write_gzip(path, *parts)
    if not name.endswith(".gz"):
        path.write_bytes(gzip.decompress(path.read_bytes()))
    with pytest.raises(ValueError, match=f"{name}: .*{found}"):
        read_all(str(path))


def test_a_line_of_json_may_not_bring_columns_without_end(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{f"c{number}": 1} for number in range(MAX_COLUMNS + 1)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ValueError, match="more than the 1,000 columns"):
        read_all(str(path))


def test_rows_of_csv_may_have_many_lines_and_rows_of_any_table_megabytes(tmp_path):
    text = "way\n" * 250_000
    rows = [{"id": str(number), "prompt": text} for number in range(20)]
    assert len(text) * len(rows) > MAX_LINE_BYTES
    with open(tmp_path / "a.csv", "w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        assert [fields for _, fields in read_all(str(tmp_path / name))] == rows


@pytest.mark.parametrize("codec", ["none", "snappy", "zstd", "gzip", "lz4", "brotli"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_every_kind_of_parquet_is_read_as_arrow_reads_it(tmp_path, codec, version):
    path = tmp_path / "a.parquet"
    rows = [
        {
            "id": f"row {n}",
            "prompts": ["it moves", f"way {n}"][: n % 3],
            "pairs": [("a", n), ("b", None)],
            "nested": {"name": "x" * n, "lists": [["y"], []]},
            "number": n / 3 if n % 4 else None,
            "bytes": bytes([n]) * n,
            "mood": ["glad", None][n % 2],
        }
        for n in range(70)
    ]
    pairs = pa.array([row["pairs"] for row in rows], pa.map_(pa.string(), pa.int64()))
    table = pa.Table.from_pylist([{**row, "pairs": None} for row in rows])
    table = table.set_column(2, "pairs", pairs)
    table = table.set_column(6, "mood", table["mood"].dictionary_encode())
    for dictionary in (True, False):
        pq.write_table(
            table,
            path,
            compression=codec,
            data_page_version=version,
            use_dictionary=dictionary,
            row_group_size=32,
        )
        assert [fields for _, fields in read_all(str(path))] == rows


def test_damaged_parquet_is_a_sentence_that_names_the_file(tmp_path):
    path = tmp_path / "a.parquet"
    write_parquet(path, 60, {"prompts": [["it", "moves"]] * 60}, row_group_size=25)
    content = path.read_bytes()
    rng = random.Random(0)
    num_refused = 0
    for _ in range(200):
        damaged = bytearray(content)
        damaged[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            summarize_manifest(str(path))
        except ValueError as error:
            assert str(error).startswith(str(path))
            num_refused += 1
    assert num_refused > 50


BOUNDED = """
import resource, sys
from flipsketch.corpus.tables import read_table
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
num_bytes = 0
for _, fields in read_table(sys.argv[1], []):
    num_bytes += sum(map(len, fields["prompts"])) if "prompts" in fields else len(fields["prompt"])
print(num_bytes, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


def test_what_is_allowed_takes_little_memory_at_a_time(tmp_path):
    value = "a" * 200_000
    flat = write_parquet(tmp_path / "a.parquet", 2500, {"prompt": repeated(value, 2500)})
    values = repeated("a" * 2000, 600_000)
    offsets = pa.array(range(0, 600_001, 1000), pa.int32())
    lists = pa.ListArray.from_arrays(offsets, values.dictionary_decode())
    nested = write_parquet(tmp_path / "b.parquet", 600, {"prompts": lists})
    for location, expected in ((flat, 500 * MEGABYTE), (nested, 1200 * MEGABYTE)):
        command = [sys.executable, "-c", BOUNDED, location]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        num_bytes, grown = map(int, out.split())
        assert num_bytes == expected and grown < 400 * MEGABYTE
