"""A message repeats at most 200 characters of what somebody has written, wherever that stands."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flipsketch.corpus.manifest import parse_rows, read_rows, summarize_manifest
from flipsketch.media.sketch import load_sketch
from flipsketch.storage.sources import Sources
from flipsketch.storage.text import MAX_CONTENT, describe_error, one_line

LONG = "x" * 5000
ROW = {"id": "a", "sketch": "a.svg", "prompt": "it moves"}
VALUES = (LONG, [LONG], {LONG: LONG}, LONG + "\udc80", " ".join(LONG), 3.5, None)
FIELDS = (*ROW, "prompts", "sketch_bytes", "seed", "reference_scale", "num_frames", "align")
ADDRESSES = ("s3://h/", "file:///", "http://u:p@h/", "../", "/", "x/" * 1500, "data:image/svg+xml,")


def longest(message: str) -> int:
    """Return the length of the longest stretch of LONG and such in a message."""
    return max((len(match) for match in re.findall(r"x[x ]+", message)), default=0)


def messages_of(manifest: Path) -> list[str]:
    """Return what is said of a manifest and of the sketches that its rows name."""
    said = []

    def note(read):
        try:
            return read()
        except (OSError, ValueError) as error:
            said.append(str(error))

    def read_all():
        summary = summarize_manifest(str(manifest), ["status"])
        said.extend(summary.bad_examples)
        said.extend(row.error for row in read_rows(str(manifest), summary) if row.error)

    note(read_all)
    for row in note(lambda: list(parse_rows(str(manifest)))) or []:
        if row.error is None:
            note(lambda row=row: load_sketch(Sources(str(manifest)).read(row.sketch), 16))
    return said


JSONL = {
    **{
        f"{name} {number}": [{**ROW, name: value}]
        for name in FIELDS
        for number, value in enumerate(VALUES)
    },
    **{f"at {start:.9}": [{**ROW, "sketch": start + LONG}] for start in ADDRESSES},
    "repeated id": [{**ROW, "id": LONG}] * 2,
    "column": [{**ROW, LONG: 1}],
    "only column": [{LONG: 1}],
    "many columns": [{f"xxxxxxxx {number}": 1 for number in range(900)}],
    "no object": [LONG],
}
TEXTS = {
    "line.jsonl": LONG,
    "half.jsonl": f'{{"id": "{LONG}',
    "twice.jsonl": f'{{"id": "a", "{LONG}": 1, "{LONG}": 2}}',
    "header.csv": f"{LONG},{LONG}\na,b\n",
    "reserved.csv": f"id,sketch,prompt,status,{LONG}\na,b,c,d,e\n",
    "quote.csv": f'id,sketch,prompt\n"{LONG}\n',
    "field.csv": f"id,sketch,prompt\na,b,c,{LONG}\n",
    "header.tsv": f"{LONG}\t{LONG}\na\tb\n",
}


def test_what_is_said_of_jsonl(tmp_path):
    found = {}
    for name, rows in JSONL.items():
        manifest = tmp_path / "manifest.jsonl"
        manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
        found[name] = max(map(longest, messages_of(manifest)), default=0)
    assert {name: n for name, n in found.items() if n > MAX_CONTENT} == {}
    # It is said at all.
    assert found["id 1"] and found["repeated id"] and found["only column"]


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_said_of_text(name, tmp_path):
    manifest = tmp_path / name
    manifest.write_text(TEXTS[name])
    assert 0 < len(said := messages_of(manifest))
    assert max(map(longest, said)) <= MAX_CONTENT


@pytest.mark.parametrize("columns", [{LONG: [1]}, {**ROW, "id": [LONG]}, {**ROW, "status": LONG}])
def test_what_is_said_of_parquet(columns, tmp_path):
    manifest = tmp_path / "manifest.parquet"
    pq.write_table(pa.table({name: [value] for name, value in columns.items()}), manifest)
    assert 0 < len(said := messages_of(manifest))
    assert max(map(longest, said)) <= MAX_CONTENT


def test_a_line_shortens_what_it_quotes_and_leaves_sentences_whole():
    words = "it is said of the row's sketch, the other rows' too, that it draws nothing " * 6
    assert one_line(words) == words.strip()
    for content in (repr("x " * 900), f'"{"x, " * 900}"', LONG, repr(LONG)):
        line = one_line(f"{words}{content}; mend it")
        assert line.startswith(words[:300]) and line.endswith("; mend it")
        assert sum(line.count(char) for char in "x") <= MAX_CONTENT
    assert longest(describe_error(KeyError(LONG))) <= MAX_CONTENT
