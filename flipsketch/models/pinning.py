"""A run's models and adapters at the commits that it began with: resolved once, by the driver, and
noted in its plan."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from flipsketch.models.places import find_on_hub, pin
from flipsketch.models.registry import NO_LORA

Config = TypeVar("Config")

NAMES = ("model", "lora", "motion_adapter", "clip_model", "xclip_model")
"""Fields of jobs' settings that are places."""


def pin_places(config: Config, known: Mapping[str, Any]) -> Config:
    """Return a job's settings with each place on the Hub at its commit: that which the run has
    noted, if it was given the same place, else the one that the place means now.

    Args:
        known: notes of the run that is resumed, if it is one.

    Raises:
        ValueError: a place is not there.
    """
    own: Any = config
    pinned = {}
    for name, place in places_of(config).items():
        is_noted = place == known.get(name) and commit_name(name) in known
        pinned[name] = noted_place(known, name) if is_noted else pin(place)
    return replace(own, **pinned)


def note_places(asked: Any, pinned: Any) -> dict[str, str]:
    """Return what a plan notes of a job's places on the Hub, from which `pin_places` finds the same
    commits again: each as the user gave it, and its commit.

    Args:
        asked, pinned: the job's settings before `pin_places` and after.
    """
    notes: dict[str, str] = {}
    for name, place in places_of(pinned).items():
        if (found := find_on_hub(place)) is not None:
            notes |= {name: str(getattr(asked, name)), commit_name(name): str(found.revision)}
    return notes


def noted_place(known: Mapping[str, Any], name: str) -> str | None:
    """Return the place that a run's notes name, at its commit if they have one."""
    place, commit = known.get(name), known.get(commit_name(name))
    if place and commit and (found := find_on_hub(place)) is not None:
        return str(replace(found, revision=commit))
    return place


def places_of(config: Any) -> dict[str, str]:
    found = {name: getattr(config, name, None) for name in NAMES}
    return {name: str(place) for name, place in found.items() if place not in (None, "", NO_LORA)}


def commit_name(name: str) -> str:
    return f"{name}_commit"
