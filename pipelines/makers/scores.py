"""Score one shard of clips and put its scores beside it."""

from dataclasses import dataclass
from typing import Any

import torch

from flipsketch.corpus.row import Row
from flipsketch.corpus.run_folder import refuse_lost_folder
from flipsketch.corpus.sample import unpack_sample
from flipsketch.corpus.shard import read_facts, read_metadata, tar_name
from flipsketch.media.clip import decode_filmstrip
from flipsketch.media.config import SketchConfig
from flipsketch.media.sketch import check_sketch, load_sketch
from flipsketch.models.quiet import quiet_libraries
from flipsketch.scoring.clip_model import ClipScorer, XClipScorer
from flipsketch.scoring.evaluation import Scorers, score_clip
from flipsketch.scoring.store import ScoreFacts, write_scores
from flipsketch.storage.folder import Folder
from flipsketch.storage.sources import Sources
from flipsketch.storage.text import describe_error
from pipelines.execution.attempts import SCORES, Attempts
from pipelines.execution.work import Report

REPORT_EVERY = 16


def load_scorers(clip_model: str, xclip_model: str | None, device: str) -> Scorers:
    """Raises ValueError: one of them cannot be loaded."""
    xclip = XClipScorer(xclip_model, device) if xclip_model else None
    return Scorers(ClipScorer(clip_model, device), xclip)


@dataclass(frozen=True, kw_only=True)
class ScoreMakerConfig:
    """What a maker loads and how it runs."""

    sources: Sources
    """Reads the sketches that the corpus's manifest names."""
    clip_model: str
    xclip_model: str | None
    device: str
    threads: int
    fingerprint: str
    """Fingerprint of the checkpoints; it is written with the scores."""
    driver: str | None = None
    """Of `Resources`."""


class ScoreMaker:
    """Holds the scorers; an actor on Ray, or an object in this process."""

    def __init__(self, config: ScoreMakerConfig, *, folder: Folder) -> None:
        quiet_libraries()
        self.config, self.folder = config, folder
        self.scorers = load_scorers(config.clip_model, config.xclip_model, config.device)

    def make_shard(self, index: int, rows: list[Row], report: Report) -> ScoreFacts:
        """Score the shard's clips; others are unaffected by one that cannot be scored.

        Args:
            rows: the manifest's, with the clips' sketches.

        Raises:
            OSError: the shard cannot be read, or the scores not be written.
            ChildProcessError: processes die in this shard, and no clip is to blame.
        """
        # Here, since Ray may call from another thread than the one that loaded the models.
        torch.set_num_threads(self.config.threads)
        facts = read_facts(self.folder, index)
        clips = read_metadata(self.folder, index).to_pylist()
        clips = [clip for clip in clips if clip["status"] == "ok"]
        tar = self.folder.read(tar_name(index)) if clips else b""
        if tar is None:
            raise FileNotFoundError(f"{self.folder}/{tar_name(index)}: is missing")
        by_position = {row.index: row for row in rows}
        made_of = [by_position[clip["manifest_row"]] for clip in clips]
        scored: list[dict[str, Any]] = []
        if self.folder.is_local:
            refuse_lost_folder(self.folder, facts.plan)
        with Attempts(self.folder, index, self.config.driver, SCORES) as attempts:
            alone = attempts.are_suspect("scoring", made_of)
            for group in [[row] for row in made_of] if alone else [made_of]:
                with attempts.running("scoring", group, None):
                    for row in group:
                        scored.append(self.score(clips[len(scored)], row, tar, attempts))
                        if len(scored) % REPORT_EVERY == 0 or len(scored) == len(clips):
                            num_failed = sum("error" in scores for scores in scored)
                            report(index, len(scored) - num_failed, num_failed)
            fingerprint = self.config.fingerprint
            refuse_lost_folder(self.folder, facts.plan)
            return write_scores(self.folder, index, scored, fingerprint, facts.tar_sha256)

    def score(
        self, clip: dict[str, Any], row: Row, tar: bytes, attempts: Attempts
    ) -> dict[str, Any]:
        """Return a row of scores, or one with the reason why there are none."""
        if row.index in attempts.given_up:
            reason = attempts.given_up[row.index]
            return {"id": clip["id"], "key": clip["key"], "error": reason}
        named = {"id": clip["id"], "key": clip["key"]}
        try:
            stretch = tar[clip["tar_offset"] : clip["tar_offset"] + clip["tar_length"]]
            png = unpack_sample(clip["key"], stretch).png
            frames = decode_filmstrip(png, clip["num_frames"])
            content = self.config.sources.read(row.sketch)
            check_sketch(content, clip["sketch_sha256"])
            # As the clip's run read it; of strokes only the draft is darkened.
            darken = clip.get("darken_sketch", False) and "stroke_motion" not in clip
            sketches = SketchConfig.of_row(clip)
            sketch = load_sketch(content, clip["height"], darken=darken, config=sketches)
            return {**named, **score_clip(frames, sketch, clip["prompts"], self.scorers)}
        # Decoders of broken files, OpenCV and the models raise whatever there is.
        except BaseException as error:
            if attempts.is_interrupt(error):
                raise
            return {**named, "error": describe_error(error)}
