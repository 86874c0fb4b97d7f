"""Rows of measurements: each in a file before the next is begun, and none lost with a process."""

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]
LINES, TABLES, BEGUN = "gpu.jsonl", "gpu.md", "gpu.begun"
# Columns that every table has, after its own.
LAST = ["took_s", "outcome"]
SKIPPED = "skipped"
# Of rows that say what others show.
DERIVED = "from the rows above"


class Rows:
    """The rows of one folder: `gpu.jsonl`, a line each, and `gpu.md`, a table for each kind.

    A row has a `table`, whose first letter is its part; a `case` that names it there; what was
    measured; `took_s`; and an `outcome`: "ok", or why nothing was measured. Rows measured together
    share a case.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.rows = folder, read_rows(folder / LINES)

    def add(self, rows: Iterable[Row]) -> None:
        with open(self.folder / LINES, "a") as file:
            for row in rows:
                self.rows.append(row)
                file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)
        self.write_tables()

    def forget_unmeasured(self) -> None:
        """Drop the rows that there was no time for, those that follow from others, and half a line
        of a killed process."""
        self.rows = [row for row in self.rows if not row["outcome"].startswith((SKIPPED, DERIVED))]
        write_whole(self.folder / LINES, "".join(json.dumps(row) + "\n" for row in self.rows))

    def replace_derived(self, rows: Iterable[Row]) -> None:
        self.rows = [row for row in self.rows if row["outcome"] != DERIVED]
        write_whole(self.folder / LINES, "".join(json.dumps(row) + "\n" for row in self.rows))
        self.add(rows)

    def begin(self, row: Row) -> None:
        """Note what is about to be measured, for whoever finds this process dead."""
        write_whole(self.folder / BEGUN, json.dumps({**row, "begun": time.time()}))

    def begun(self) -> Row | None:
        path = self.folder / BEGUN
        return json.loads(path.read_text()) if path.exists() else None

    def end(self) -> None:
        (self.folder / BEGUN).unlink(missing_ok=True)

    def measured(self, table: str) -> list[Row]:
        return [row for row in self.rows if row["table"] == table and row["outcome"] == "ok"]

    def has(self, table: str, case: str) -> bool:
        return any((row["table"], row["case"]) == (table, case) for row in self.rows)

    def write_tables(self) -> None:
        lines = []
        for table in sorted({row["table"] for row in self.rows}):
            rows = [row for row in self.rows if row["table"] == table]
            names = dict.fromkeys(name for row in rows for name in row if name != "table")
            columns = [name for name in names if name not in LAST] + LAST
            lines += [f"## {table}", "", as_line(name.replace("_", " ") for name in columns)]
            lines.append("|" + "---|" * len(columns))
            lines += [as_line(as_cell(row.get(name)) for name in columns) for row in rows]
            lines.append("")
        write_whole(self.folder / TABLES, "\n".join(lines))


def read_rows(path: Path) -> list[Row]:
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue  # half a line, of a process that was killed
    return rows


def write_whole(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.replace(part, path)


def as_line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def as_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).replace("|", "/").replace("\n", " ")
