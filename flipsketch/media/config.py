"""How the page of a sketch is read: what is done about its paper, and what of it is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

Paper = Literal["repair", "as-is", "refuse"]
Fit = Literal["none", "ink"]


@dataclass(frozen=True)
class SketchConfig:
    paper: Paper = "repair"
    """What is done about a sketch that is not dark ink on white, such as a photo of a page, chalk
    on a blackboard or faint pencil. repair whitens the paper, turns light strokes dark and makes
    faint ones black; a clean drawing keeps every pixel. as-is takes the picture as it is. refuse
    fails every sketch that repair would change."""
    fit: Fit = "none"
    """What of the page is shown. none shows all of it; ink crops it to the drawing and a margin,
    for collections in which drawings are small or off centre."""

    def __post_init__(self) -> None:
        for name, choices in (("paper", get_args(Paper)), ("fit", get_args(Fit))):
            if (value := getattr(self, name)) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r:.80}")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Return what a plan says; where it says nothing, an earlier version took pages as they
        are."""
        return cls(settings.get("paper") or AS_IS.paper, settings.get("fit") or AS_IS.fit)

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """Return what a row of the metadata says."""
        # Without that column, others of these names are the manifest's own.
        return cls.of(row if "sketch_notes" in row else {})


FIT_MARGIN = 0.06
"""Around what is cropped to its ink, as a share of the ink's longer side."""
REPAIR = SketchConfig()
# What earlier versions did, and what the plan of a corpus without these settings means.
AS_IS = SketchConfig(paper="as-is")


def refusal(repairs: Sequence[str]) -> ValueError:
    """Return the error with which `--paper refuse` fails a sketch.

    Args:
        repairs: notes on what repair would do.
    """
    return ValueError(
        f"the sketch is not dark ink on white paper: --paper repair would have "
        f"{', '.join(repairs)}; redraw or clean it, or leave out --paper refuse"
    )
