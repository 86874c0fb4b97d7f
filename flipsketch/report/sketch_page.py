"""A page of sketches as the model will see them, each beside its original where that differs, with
why it would be refused or what would be repaired, and how often that is so."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flipsketch.corpus.collection import Noun
from flipsketch.corpus.reasons import FailureGroups, name_row
from flipsketch.report.checked_sketch import Check, CheckedSketch, Section
from flipsketch.report.sketch_sheet import split_pages
from flipsketch.report.template import fill_template

TEMPLATE = Path(__file__).with_name("sketch_page.html")
# Some megabytes.
SKETCHES_PER_PAGE = 500
REASONS_SHOWN = 50


def build_pages(
    title: str,
    facts: list[tuple[str, str]],
    check: Check,
    sections: list[Section],
    name_page: Callable[[int], str],
) -> Iterator[str]:
    """Yield the HTML of each page, as many as it takes; one if there is no sketch to show.

    Args:
        facts: about the collection as a whole.
        name_page: returns the name of a page's file, by its number from 1.
    """
    pages = list(split_pages(sections, SKETCHES_PER_PAGE)) or [[]]
    num_shown = sum(len(section.shown) for section in sections)
    about = {
        "title": title,
        "facts": facts,
        "refused": list_reasons(check.refused),
        "repaired": list_reasons(check.repaired),
        "sampling": f"{num_shown:,} of {check.num_sketches:,} are shown.",
        "pages": [name_page(number) for number in range(1, len(pages) + 1)],
    }
    for place, page in enumerate(pages):
        yield fill_template(
            TEMPLATE, {**about, "page": place, **describe_sections(page, check.noun)}
        )


def list_reasons(groups: FailureGroups) -> list[dict[str, Any]]:
    return [
        {
            "reason": group.text,
            "title": group.reason,
            "count": group.num_rows,
            "example": name_row(group.example),
        }
        for group in groups.by_size()[:REASONS_SHOWN]
    ]


def describe_sections(sections: list[Section], noun: Noun) -> dict[str, Any]:
    return {
        "sections": [section.describe(noun) for section in sections],
        "cards": [
            describe_card(sketch, place)
            for place, section in enumerate(sections)
            for sketch in section.shown
        ],
    }


def describe_card(sketch: CheckedSketch, section: int) -> dict[str, Any]:
    return {
        "kind": sketch.kind,
        "section": section,
        "name": sketch.name,
        "reason": sketch.reason,
        "light": sketch.is_light,
        "said": [sketch.error] if sketch.error else list(sketch.notes),
        **{
            name: base64.b64encode(content).decode() if content else None
            for name, content in (
                ("picture", sketch.picture),
                # Of an accepted SVG a browser shows the file.
                ("original", None if sketch.svg and not sketch.error else sketch.original),
                ("svg", sketch.svg),
            )
        },
    }
