"""What `run.json` may hold. Everything that is read of it later is checked here, once, for it may
have been damaged, edited by hand, or written by another version."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, get_args

from flipsketch.corpus.kinds import CORPUS_FORMAT, KINDS, TRAIN, TRAINING_FORMAT
from flipsketch.media.config import Fit, Paper
from flipsketch.storage.sealed import SEAL, check_bytes
from flipsketch.storage.text import is_text

MAX_BYTES = 64 * 1024 * 1024
MAX_ROWS = 1_000_000_000
MAX_SHARDS = 10_000_000
# Their positions are held in memory, 8 bytes each.
MAX_RETRIED = 50_000_000
MAX_PILOT = 100_000
MAX_DEPTH = 32
RANGES = re.compile(r"\d{1,10}(-\d{1,10})?( \d{1,10}(-\d{1,10})?)*")

KEYS = {"fingerprint", "settings", "chosen", "log", "additions", *SEAL}
NEEDED_KEYS = {"settings", "chosen", "log"}
NEEDED_SETTINGS = {
    name: ("num_clips",)
    if kind is TRAIN
    else ("num_rows", "rows_per_shard", "manifest_fingerprint")
    for name, kind in KINDS.items()
}
NEWER = "it was written by a newer version of this project, which can read it, or edited by hand"
EDITED = "is not as it was written: it is damaged, or was edited by hand"

Check = tuple[Callable[[Any], bool], str]


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_ROWS


def is_name(value: Any) -> bool:
    return value is None or isinstance(value, str)


def is_splits(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(split, list)
        and len(split) == 2
        and isinstance(split[0], str)
        and is_count(split[1])
        for split in value
    )


COUNT: Check = (is_count, f"a whole number from 1 to {MAX_ROWS:,}")
NAME: Check = (is_name, "a text")
NUMBER: Check = (
    lambda value: value is None or (isinstance(value, int) and not isinstance(value, bool)),
    "a whole number",
)
FLAG: Check = (lambda value: isinstance(value, bool), "true or false")
SETTINGS: dict[str, Check] = {
    **dict.fromkeys(("num_rows", "rows_per_shard", "num_clips", "batch_size", "threads"), COUNT),
    **dict.fromkeys(("method", "model_licence", "model_fingerprint", "lora_fingerprint"), NAME),
    "manifest_fingerprint": (lambda value: isinstance(value, str), "a text"),
    "dtype": (
        lambda value: value in ("float32", "bfloat16", "float16"),
        "float32, bfloat16 or float16",
    ),
    "extra_columns": (lambda value: isinstance(value, dict), "an object of column types"),
    **dict.fromkeys(("lora_license", "motion_license", "motion_fingerprint"), NAME),
    "row_licenses": (lambda value: value is True, "true"),
    "kernels": (lambda value: value is None or isinstance(value, dict), "an object of switches"),
    "vae_slicing": FLAG,
    "paper": (lambda value: value in get_args(Paper), f"one of {', '.join(get_args(Paper))}"),
    "fit": (lambda value: value in get_args(Fit), f"one of {', '.join(get_args(Fit))}"),
    "pipeline": NAME,
    "pipeline_settings": (lambda value: isinstance(value, dict), "an object of settings"),
    **dict.fromkeys(("video_height", "video_width", "video_frames", "video_fps"), NUMBER),
    "motion_bucket": NUMBER,
    "vae_tiling": FLAG,
    "splits": (is_splits, "a list of names and numbers of rows"),
}
LOG: dict[str, Check] = {
    **dict.fromkeys(("command", "manifest", "model", "lora", "device", "executor"), NAME),
    **dict.fromkeys(("corpus", "animations", "captions", "motion_adapter"), NAME),
    **dict.fromkeys(("licence", "data_licence", "lora_licence", "motion_licence"), NAME),
    "scorer_license": NAME,
    "versions": (
        lambda value: isinstance(value, dict) and all(map(is_name, value.values())),
        "an object of texts",
    ),
}


def parse_document(content: bytes) -> dict[str, Any]:
    """Return what a plan's file holds.

    Raises:
        ValueError: it is no plan, is damaged, or is not of this version; the text says what.
    """
    if len(content) > MAX_BYTES:
        raise ValueError(f"has {len(content):,} bytes, more than the {MAX_BYTES:,} of any plan")
    if check_bytes(content) == "broken":
        raise ValueError(EDITED)
    try:
        document = json.loads(content.decode(), object_pairs_hook=refuse_twins)
    except RecursionError as error:
        raise ValueError("not a plan of this project (it is nested too deeply)") from error
    except ValueError as error:
        raise ValueError(f"not a plan of this project ({error})") from error
    if not isinstance(document, dict) or is_deep(document):
        raise ValueError("not a plan of this project (expected an object, not deeply nested)")
    if not is_text(json.dumps(document, ensure_ascii=False)):
        raise ValueError("not a plan of this project (a text in it cannot be encoded in UTF-8)")
    if missing := sorted(NEEDED_KEYS - document.keys()):
        raise ValueError(f"not a plan of this project (it has no {missing[0]!r})")
    if problem := next(find_problems(document), None):
        raise ValueError(problem)
    return document


def refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has the key {twin!r:.80} twice")
    return found


def is_deep(value: Any, depth: int = 0) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth > MAX_DEPTH or any(is_deep(one, depth + 1) for one in inner)


def find_problems(document: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a plan, in the order in which it would matter to a reader."""
    settings, additions = document["settings"], document.get("additions", [])
    types = {"settings": dict, "log": dict, "chosen": list, "additions": list}
    for name, kind in types.items():
        if not isinstance(document.get(name, kind()), kind):
            yield f"{name!r} must be {'an object' if kind is dict else 'a list'}"
            return
    yield from find_version_problems(settings)
    if unknown := sorted(document.keys() - KEYS):
        yield f"has a key {unknown[0]!r:.80} that this version does not know; {NEWER}"
    kind = settings.get("kind", "animate")
    if missing := [name for name in NEEDED_SETTINGS[kind] if name not in settings]:
        yield f"its settings have no {missing[0]!r}; it is damaged, or was edited by hand"
    for where, found, checks in (
        ("settings", settings, SETTINGS),
        ("log", document["log"], LOG),
    ):
        for name, (holds, wanted) in checks.items():
            if name in found and not holds(found[name]):
                yield f"{where}: {name!r} must be {wanted}, found {found[name]!r:.80}"
    if not all(isinstance(name, str) for name in document["chosen"]):
        yield "'chosen' must be a list of names of settings"
    if KINDS[kind] is not TRAIN:
        yield from find_row_problems(settings, additions)


def find_version_problems(settings: dict[str, Any]) -> Iterator[str]:
    kind = settings.get("kind", "animate")
    if not isinstance(kind, str) or kind not in KINDS:
        yield f"is of a kind that this version does not know ({kind!r:.80}); {NEWER}"
        return
    newest = TRAINING_FORMAT if KINDS[kind] is TRAIN else CORPUS_FORMAT
    found = settings.get("format", newest)
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        yield f"is of a format that no version has written ({found!r:.80})"
    elif found > newest:
        yield f"is of format {found!r:.80}, and this version reads up to format {newest}; {NEWER}"


def find_row_problems(settings: dict[str, Any], additions: list[Any]) -> Iterator[str]:
    """Yield what is wrong with the rows and shards of a plan and of what was added to it."""
    splits = settings.get("splits")
    if splits and sum(count for _, count in splits) != settings["num_rows"]:
        yield f"its splits do not have the {settings['num_rows']} rows of the plan together"
    if splits and len({name for name, _ in splits}) < len(splits):
        yield "two of its splits have one name"
    yield from find_pilot_problems(settings, additions)
    num_rows, num_retried = settings["num_rows"], 0
    for number, added in enumerate(additions, start=1):
        where = f"addition {number}"
        kind = added.get("kind") if isinstance(added, dict) else None
        if kind == "extend":
            count, fingerprint = added.get("num_rows"), added.get("manifest_fingerprint")
            if not is_count(count) or not isinstance(fingerprint, str):
                yield f"{where}: needs num_rows, a whole number, and manifest_fingerprint, a text"
                return
            num_rows += count
        elif kind == "retry":
            rows = added.get("rows")
            if not isinstance(rows, str) or not (ranges := read_ranges(rows, num_rows)):
                yield (
                    f"{where}: its rows must be ascending ranges like '3 7-12', each below the "
                    f"{num_rows} rows of the plan, found {rows!r:.80}"
                )
                return
            num_retried += sum(len(one) for one in ranges)
        elif kind != "pilot":
            yield f"{where}: is of no kind that this version knows ({kind!r:.80}); {NEWER}"
            return
    if num_rows > MAX_ROWS or num_retried > MAX_RETRIED:
        yield (
            f"has {num_rows:,} rows and {num_retried:,} that are tried again; at most "
            f"{MAX_ROWS:,} and {MAX_RETRIED:,} are possible"
        )
    elif num_rows // settings["rows_per_shard"] > MAX_SHARDS:
        yield f"has {num_rows // settings['rows_per_shard']:,} shards, more than {MAX_SHARDS:,}"


def find_pilot_problems(settings: dict[str, Any], additions: list[Any]) -> Iterator[str]:
    """Yield what is wrong with the pilots of a plan, which come before all else that was added."""
    drawn: list[range] = []
    for number, added in enumerate(additions, start=1):
        if not isinstance(added, dict):
            return
        if added.get("kind") != "pilot":
            continue
        where, rows = f"addition {number}", added.get("rows")
        ranges = read_ranges(rows, settings["num_rows"]) if isinstance(rows, str) else []
        if not ranges or not is_count(added.get("rows_per_shard")):
            yield (
                f"{where}: a pilot needs rows_per_shard, a whole number, and rows, ascending "
                f"ranges like '3 7-12', each below the {settings['num_rows']} rows of the plan"
            )
            return
        if settings.get("splits"):
            yield f"{where}: a pilot is of a plan without splits"
        if any(before.get("kind") != "pilot" for before in additions[: number - 1]):
            yield f"{where}: a pilot is drawn before anything else is added"
        drawn += ranges
    drawn.sort(key=lambda one: one.start)
    if sum(map(len, drawn)) > MAX_PILOT:
        yield f"its pilots have {sum(map(len, drawn)):,} rows, more than {MAX_PILOT:,}"
    if any(one.stop > other.start for one, other in zip(drawn, drawn[1:], strict=False)):
        yield "its pilots have a row twice"


def read_ranges(text: str, num_rows: int) -> list[range]:
    """Return the ranges of a text like "3 7-12", none if it is not like that."""
    if not RANGES.fullmatch(text):
        return []
    ends = [entry.partition("-")[::2] for entry in text.split(" ")]
    ranges = [range(int(first), int(last or first) + 1) for first, last in ends]
    starts = [0, *(one.stop for one in ranges)]
    are_ascending = all(
        len(one) and before <= one.start for before, one in zip(starts, ranges, strict=False)
    )
    return ranges if are_ascending and starts[-1] <= num_rows else []
