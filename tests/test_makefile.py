"""The Makefile hands locations on as they are, those of a store with their query."""

import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
QUERY = "?endpoint_override=127.0.0.1:9000&scheme=http"


@pytest.mark.parametrize(
    ("target", "variable", "flag", "location", "expected"),
    [
        ("animate", "OUT", "--output", f"s3://b/c{QUERY}", f"s3://b/c{QUERY}"),
        ("animate", "MANIFEST", "--manifest", f"s3://b/m.csv{QUERY}", f"s3://b/m.csv{QUERY}"),
        ("report", "OUT", "--corpus", f"s3://b/c{QUERY}", f"s3://b/c{QUERY}"),
        ("preview", "OUT", "--output", f"s3://b/c{QUERY}", f"s3://b/c-preview.png{QUERY}"),
        ("preview", "OUT", "--output", "out/my clips", "out/my clips-preview.png"),
        ("shards", "ANIMATIONS", "--animations", f"s3://b/a.zip{QUERY}", f"s3://b/a.zip{QUERY}"),
        ("shards", "SHARDS", "--output", f"s3://b/s{QUERY}", f"s3://b/s{QUERY}"),
        ("train", "TRAINING_SHARDS", "--shards", f"s3://b/s{QUERY}", f"s3://b/s{QUERY}"),
    ],
)
def test_a_location_reaches_its_flag(target, variable, flag, location, expected):
    # Nothing is made or installed.
    command = ["make", "--dry-run", "--assume-old", ".venv/installed", target]
    shown = subprocess.check_output([*command, f"{variable}={location}"], cwd=ROOT, text=True)
    arguments = shlex.split(shown.rpartition("python jobs/")[2])
    assert arguments[arguments.index(flag) + 1] == expected
