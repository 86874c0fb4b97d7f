"""A manifest whose rows try to read elsewhere: nothing is opened, nobody is called, none waits."""

import os
import select
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.execution.sources import SourcesConfig
from tests.helpers.corpora import exit_code, good_rows, make_manifest, read_rows, start_child
from tests.helpers.hostile_rows import hostile_sources, lay_traps

# No sketch has it, and every process that the job starts has it in its environment.
MARK = "gXq7tZ-not-for-anybody"


def test_rows_that_name_what_is_not_theirs_read_nothing(job, tmp_path, monkeypatch, capfd):
    data, outside = tmp_path / "data", tmp_path / "outside"
    data.mkdir()
    rows = good_rows(4)
    make_manifest(data, rows)
    lay_traps(data, outside)
    (outside / "secret.svg").write_bytes(
        (outside / "secret.svg").read_bytes() + f"<!-- {MARK} -->".encode()
    )
    monkeypatch.setenv("SECRET_OF_THE_MACHINE", MARK)
    server = socket.create_server(("127.0.0.1", 0))
    hostile = hostile_sources(data, outside, server.getsockname()[1])
    assert len(set(hostile)) == len(hostile) > 140
    for number, source in enumerate(hostile):
        rows.insert(
            number * 3 // 2, {"id": f"bad {number}", "sketch": source, "prompt": "it moves"}
        )
    # In Parquet, since a NUL would not come through as text in every format.
    pq.write_table(pa.Table.from_pylist(rows), data / "manifest.parquet")
    job = replace(
        job,
        manifest=str(data / "manifest.parquet"),
        method="still",
        rows_per_shard=50,
        sources=SourcesConfig(read_timeout=20),
    )
    seen = tmp_path / "seen"
    assert exit_code(start_child(job, before=lambda: note_opens(seen))) == 1

    found = {row["id"]: row for row in read_rows(job.output)}
    good = {row_id for row_id, row in found.items() if row["status"] == "ok"}
    assert good == {f"row {number}" for number in range(4)} and len(found) == len(rows)
    errors = [row["error"] for row_id, row in found.items() if row_id not in good]
    assert not [error for error in errors if "took longer" in error or len(error) > 1000]
    # Nobody was called, not even to ask where a server is.
    assert select.select([server], [], [], 0)[0] == []
    server.close()
    events = seen.read_text().splitlines()
    assert not [event for event in events if event.startswith("socket.")]
    opened = {event.partition(" ")[2] for event in events if event.startswith("open ")}
    assert "ball.svg" in opened
    for name in ("secret.svg", "passwd", "shadow", "environ", "zero", "pipe.svg", "socket.svg"):
        assert not [path for path in opened if path.endswith(name)], name
    # What was there to be read is in nothing that was written or said.
    said = capfd.readouterr()
    written = [path.read_bytes() for path in Path(job.output).rglob("*") if path.is_file()]
    table = "".join(map(repr, found.values())) + said.out + said.err
    assert MARK not in table and not [content for content in written if MARK.encode() in content]
    assert "root:" not in table and "<svg" not in "".join(errors)
    assert "key:word" not in table and "user:word" not in table


def note_opens(file: Path) -> None:
    """Write down what this process opens and whom it calls, from now on."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(event: str, args: tuple) -> None:
        if event in ("open", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
            os.write(descriptor, f"{event} {args[0]}\n".encode(errors="replace"))

    sys.addaudithook(note)
