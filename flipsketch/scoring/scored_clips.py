"""Clips that have scores, as curating chooses from them."""

import logging
from dataclasses import dataclass
from shlex import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flipsketch.corpus.kinds import CURATE
from flipsketch.corpus.plan import Plan
from flipsketch.corpus.shard import read_metadata, read_shards
from flipsketch.scoring.store import read_score_facts, read_scores, scored_shards
from flipsketch.storage.folder import Folder

log = logging.getLogger(__name__)

SPLIT, SHARD = "split", "shard"
# The format since which metadata say in which shard a sample is.
SHARD_SINCE = 4


@dataclass(frozen=True)
class ScoredClips:
    """Clips that have scores, in the corpus's order."""

    metadata: pa.Table
    scores: pa.Table
    """Theirs, row by row."""
    shards: np.ndarray
    """Shard of each clip's sample."""
    scorers: str
    """Fingerprint of the checkpoints."""

    def __len__(self) -> int:
        return len(self.metadata)

    def take(self, places: list[int]) -> "ScoredClips":
        return ScoredClips(
            self.metadata.take(places),
            self.scores.take(places),
            self.shards[places],
            self.scorers,
        )

    @property
    def numbers(self) -> pa.Table:
        """Everything that a condition may be on: the scores, and the metadata's own columns."""
        own = [name for name in self.metadata.column_names if name not in self.scores.column_names]
        table = self.scores
        for name in own:
            table = table.append_column(self.metadata.schema.field(name), self.metadata[name])
        return table


def read_clips(folder: Folder, plan: Plan) -> ScoredClips:
    """Return the clips of a corpus with their scores; those that could not be scored are left out.

    Raises:
        ValueError: the corpus is not scored, or not wholly.
    """
    shards, _ = read_shards(folder, plan)
    if len(shards) < plan.num_shards:
        log.warning("%d of %d shards are there to choose from", len(shards), plan.num_shards)
    scored = set(scored_shards(folder))
    metadata, scores, places, scorers = [], [], [], set()
    for index in sorted(shards):
        if shards[index].ok == 0:
            continue
        facts = read_score_facts(folder, index) if index in scored else None
        if facts is None or facts.tar_sha256 != shards[index].tar_sha256:
            raise ValueError(
                f"{folder}: shard {index:05d} has no scores; run jobs/evaluate.py --corpus "
                f"{quote(folder.location)} first"
            )
        scorers.add(facts.scorers)
        if facts.failed:
            log.warning(
                "shard %05d: %d clips could not be scored, and are left out", index, facts.failed
            )
        own_scores = read_scores(folder, index)
        own_scores = own_scores.filter(pc.is_null(own_scores["error"]))
        rows = read_metadata(folder, index)
        position = {key: place for place, key in enumerate(rows["key"].to_pylist())}
        own = pa.array([position[key] for key in own_scores["key"].to_pylist()], pa.int64())
        metadata.append(rows.take(own))
        scores.append(own_scores)
        places += [index] * len(own_scores)
    if len(scorers) != 1:
        raise ValueError(
            f"{folder}: has {'scores of several kinds' if scorers else 'no clips'}; see "
            f"jobs/status.py, and run jobs/evaluate.py --overwrite"
        )
    table = pa.concat_tables(metadata)
    # A manifest's own columns of these names stay, under others.
    renamed = set() if plan.kind is CURATE else {SPLIT}
    if plan.format < SHARD_SINCE:
        renamed.add(SHARD)
    names = [f"manifest_{name}" if name in renamed else name for name in table.column_names]
    table = table.rename_columns(names)
    return ScoredClips(table, pa.concat_tables(scores), np.array(places), scorers.pop())
