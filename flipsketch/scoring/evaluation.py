"""All scores of a clip: those of its pixels, of its motion, and by CLIP and X-CLIP."""

import functools
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flipsketch.corpus.licenses import all_licenses
from flipsketch.corpus.passport import SCORER_LICENSE
from flipsketch.models.cards import read_statements
from flipsketch.models.registry import fingerprint_folder
from flipsketch.scoring.clip_model import (
    ClipScorer,
    XClipScorer,
    find_scorer,
    inspect_scorer,
    summarize,
)
from flipsketch.scoring.flow import score_flow
from flipsketch.scoring.pixel import score_pixels

# Raised when scores are computed in another way, so that older ones are not mixed with them.
SCORING_VERSION = 1


@dataclass(frozen=True)
class Scorers:
    clip: ClipScorer
    xclip: XClipScorer | None

    @functools.cached_property
    def names(self) -> dict[str, str]:
        """Which checkpoints the scores are by, and their licenses, all of which hold."""
        scorers = [scorer for scorer in (self.clip, self.xclip) if scorer is not None]
        licenses = dict.fromkeys(all_licenses(*read_statements(one.folder)) for one in scorers)
        names = {SCORER_LICENSE: ", ".join(licenses)}
        names |= {"clip_model": self.clip.location, "clip_fingerprint": self.clip.fingerprint}
        if self.xclip is not None:
            names |= {
                "xclip_model": self.xclip.location,
                "xclip_fingerprint": self.xclip.fingerprint,
            }
        return names


def fingerprint_scorers(clip_model: str, xclip_model: str | None) -> str:
    """Return a hash of what determines the scores: how they are taken, and the checkpoints."""
    checkpoints = [
        location and fingerprint_folder(find_scorer(location), ("",))
        for location in (clip_model, xclip_model)
    ]
    return hashlib.sha256(json.dumps([SCORING_VERSION, *checkpoints]).encode()).hexdigest()


def inspect_scorers(clip_model: str, xclip_model: str | None) -> None:
    """Raise ValueError unless the checkpoints can be loaded; no weights are read."""
    for location, name in ((clip_model, "CLIPModel"), (xclip_model, "XCLIPModel")):
        if location:
            inspect_scorer(find_scorer(location), name)


@torch.no_grad()
def score_clip(
    frames: np.ndarray, sketch: np.ndarray, prompts: list[str], scorers: Scorers
) -> dict[str, Any]:
    """Score frames uint8 (F, H, W, 3) of a sketch (H, W, 3), a prompt for each segment."""
    features: Tensor = scorers.clip.embed_frames(np.concatenate([sketch[None], frames]))
    consistency = features[1:] @ features[0]
    return {
        **asdict(score_pixels(frames, sketch)),
        **asdict(score_flow(frames)),
        "s2v_consistency": float(consistency.mean()),
        "frame_consistency": consistency.tolist(),
        "t2v_alignment": scorers.clip.align(features[1:], prompts),
        "xclip_alignment": scorers.xclip and scorers.xclip.align(frames, prompts),
        "features": summarize(features[1:]),
        **scorers.names,
    }
