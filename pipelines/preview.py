"""Show clips of a corpus in one picture."""

import logging
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PreviewConfig:
    corpus: str
    """Folder of the corpus."""
    output: str
    """PNG file to write."""
    num_clips: int = 12
    """Number of clips to show, chosen at random; fewer if the corpus has fewer."""
    seed: int = 0
    """Seed of the random choice."""
    ids: tuple[str, ...] = ()
    """Ids of the rows to show, in place of a random choice."""
    manifest: str | None = None
    """Where the corpus's manifest is now, if it has moved; it names the sketches."""
    gifs: str | None = None
    """Folder to which a GIF of each shown clip is written."""

    def __post_init__(self) -> None:
        if not self.output.endswith(".png"):
            raise ValueError(f"--output must end in .png, got {self.output}")
        if self.num_clips < 1:
            raise ValueError(f"num_clips must be at least 1, got {self.num_clips}")


def write_preview(config: PreviewConfig) -> int:
    """Write the picture, and the GIFs if asked for; return the exit code.

    Raises:
        ValueError: the folder has no such clips.
    """
    from flipsketch.report.preview import draw_preview

    picture = draw_preview(
        config.corpus,
        num_clips=config.num_clips,
        seed=config.seed,
        ids=config.ids,
        manifest=config.manifest,
        gifs=config.gifs,
    )
    Path(config.output).parent.mkdir(parents=True, exist_ok=True)
    picture.save(config.output)
    log.info("-> %s", config.output)
    return 0
