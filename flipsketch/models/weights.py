"""The weights that a run uses: as the user names them, at the commit that the run began with, and
where they are on this machine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flipsketch.models.hub import HubPlace
from flipsketch.models.places import locate, pin


@dataclass(frozen=True)
class Weights:
    place: str
    """As the user gave it."""
    pinned: str
    """At its commit, as all workers load it."""
    folder: Path | None
    """Here; None where it is not, as in a dry run without the Hub."""

    def notes(self, name: str) -> dict[str, str]:
        """Return what a plan notes, from which `find_weights` finds the same weights again.

        Args:
            name: of what they are, such as "model".
        """
        found = locate(self.pinned)
        if isinstance(found, HubPlace) and found.is_pinned:
            return {name: self.place, commit_name(name): str(found.revision)}
        return {name: self.place}


def find_weights(
    place: str, name: str, known: Mapping[str, Any], find: Callable[[str], Path]
) -> Weights:
    """Return the weights at a place, at the commit that a run has noted if it was given the same
    place, else at the one that the place means now.

    Args:
        name: of what they are, as in `Weights.notes`.
        known: the notes of the run that is resumed, if it is one.
        find: returns the local folder of a pinned place.

    Raises:
        ValueError, OSError: they are not there, or cannot be fetched.
    """
    is_noted = place == known.get(name) and commit_name(name) in known
    pinned = str(noted_place(known, name)) if is_noted else pin(place)
    return Weights(place, pinned, find(pinned))


def noted_place(known: Mapping[str, Any], name: str) -> str | None:
    """Return the place that a run's notes name, at its commit if they have one."""
    place, commit = known.get(name), known.get(commit_name(name))
    if not place or not commit:
        return place
    found = locate(place)
    if isinstance(found, HubPlace):
        return str(HubPlace(found.repository, found.folder, commit))
    return place


def commit_name(name: str) -> str:
    return f"{name}_commit"
