"""The licenses that a clip comes under: those of what it was made of and with, part by part."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from flipsketch.corpus.kinds import RASTERIZE
from flipsketch.corpus.licenses import NOT_STATED, find_terms, resolve_license
from flipsketch.corpus.plan import UNKNOWN, Plan

# Column of the metadata, and of a manifest: the license of the row's sketch.
LICENSE = "license"
# Setting of a plan whose metadata have that column; earlier runs keep to what they began with.
ROW_LICENSES = "row_licenses"
# What a model, or an adapter, is known by where it has had a part in a clip.
PARTS = {
    "model": ("model_fingerprint", "model_licence"),
    "adapter": ("lora_fingerprint", "lora_license"),
    "motion adapter": ("motion_fingerprint", "motion_license"),
}
# Stands for what the rows of an earlier run name, each for itself.
IN_COLUMN = f"as the column {LICENSE} names it for each row"
# Of many licenses that hold together.
MOST_NAMED = 100
# What chose clips by their scores, and where the plan of the chosen ones notes its license.
SCORER, SCORER_LICENSE = "scorer", "scorer_license"
# Repeats the sketch: no network has a part in it.
STILL = "still"


def license_settings(before: Plan | None, **parts: str | None) -> dict[str, Any]:
    """Return what a plan says of licenses; a plan from before it said any goes on without.

    Args:
        parts: licenses by column, None of a part that the run does without.
    """
    return {} if before and ROW_LICENSES not in before.settings else {ROW_LICENSES: True, **parts}


def take_licenses(plan: Plan) -> dict[str, Any]:
    """Return what the plan of clips that are chosen from a corpus says of licenses."""
    names = [license for _, license in PARTS.values()]
    return license_settings(plan, **{name: plan.settings.get(name) for name in names})


def read_license(value: Any) -> str | None:
    """Return the license that a row of a manifest names, as text; None if it names none."""
    if isinstance(value, list | tuple):
        # All of several hold.
        return ", ".join(filter(None, map(read_license, value))) or None
    # NaN is what a table of numbers has where nothing is.
    if value is None or value != value:
        return None
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return " ".join(text.split()) or None


def name_licenses(rows: Iterable[dict[str, Any]], plan: Plan) -> None:
    """Fill in the license of their corpus in rows whose sketch names none. It is in the metadata
    alone, since it may be named after a row was made, and samples keep their bytes."""
    if ROW_LICENSES in plan.settings and plan.licence != UNKNOWN:
        for row in rows:
            row[LICENSE] = row[LICENSE] or plan.licence


def licenses_of(row: Mapping[str, Any], plan: Plan) -> dict[str, str]:
    """Return the license of each part of a clip, "unknown" of one that names none.

    Args:
        row: of the metadata.
        plan: of its corpus, whose license holds for rows that name none.
    """
    row = {**plan.settings, **row}
    what = "animation" if plan.kind is RASTERIZE else "sketch"
    found = {what: read_license(row.get(LICENSE)) or plan.licence}
    if row.get("method", plan.method) != STILL:
        for part, columns in PARTS.items():
            if any(row.get(name) is not None for name in columns):
                found[part] = row.get(columns[1]) or UNKNOWN
    if scorer := plan.log.get(SCORER_LICENSE):
        found[SCORER] = scorer
    return found


def plan_licenses(plan: Plan) -> dict[str, str]:
    """Return the licenses of a corpus as its plan has them: what its rows have that name none."""
    is_earlier = ROW_LICENSES not in plan.settings
    if is_earlier and LICENSE in plan.settings.get("extra_columns", {}):
        # Footers of its shards do not count them, and that of the corpus need not hold for any.
        return licenses_of({LICENSE: IN_COLUMN}, plan)
    return licenses_of({}, plan)


def join_licenses(licenses: Iterable[str]) -> str:
    """Return all licenses, each once, as one text; an unknown one among them stays unknown."""
    named = list(dict.fromkeys(name for text in licenses for name in list_names(text)))
    # What is not named is unknown.
    return ", ".join(named[:MOST_NAMED] + [UNKNOWN] * (len(named) > MOST_NAMED))


def list_names(text: str) -> list[str]:
    """Return the names of several licenses; what is not known may have commas of its own."""
    names = text.split(", ")
    are_names = (find_terms(name) or resolve_license(name) == NOT_STATED for name in names)
    return names if all(are_names) else [text]
