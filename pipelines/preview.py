"""Show clips of a corpus in one picture."""

import logging
from dataclasses import dataclass, field

from flipsketch.storage.location import split_query
from pipelines.execution.sources import SourcesConfig

log = logging.getLogger(__name__)

# In all corpora shown: a picture of more would have more pixels than readers of images take.
MAX_CLIPS = 300


@dataclass(frozen=True, kw_only=True)
class PreviewConfig:
    corpus: str
    """Folder of the corpus, a path or a URI."""
    versus: tuple[str, ...] = ()
    """More corpora of the same manifest, by other methods or settings: each row's clips are shown
    together, named after their method, or their folder where the methods are the same."""
    output: str
    """PNG file to write, a path or a URI."""
    num_clips: int = 12
    """Number of clips to show, chosen at random; fewer if the corpus has fewer."""
    seed: int = 0
    """Seed of the random choice."""
    ids: tuple[str, ...] = ()
    """Ids of the rows to show, in place of a random choice."""
    manifest: str | None = None
    """Where the corpus's manifest is now, if it has moved; it names the sketches."""
    gifs: str | None = None
    """Folder to which a GIF of each shown row is written, with --versus its clips side by side."""
    sources: SourcesConfig = field(default_factory=SourcesConfig)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")
        if not split_query(self.output)[0].endswith(".png"):
            raise ValueError(f"--output must end in .png, got {self.output}")
        most = MAX_CLIPS // (1 + len(self.versus))
        for name, number in (("num_clips", self.num_clips), ("ids", len(self.ids) or 1)):
            if not 1 <= number <= most:
                raise ValueError(
                    f"{name} must be 1 to {most} clips, as many as one picture shows, got {number}"
                )


def write_preview(config: PreviewConfig) -> int:
    """Write the picture, and the GIFs if asked for; return the exit code.

    Raises:
        ValueError: the folder has no such clips.
    """
    from flipsketch.media.contact_sheet import encode_png
    from flipsketch.report.preview import draw_preview
    from flipsketch.storage.output_file import write_file

    picture = draw_preview(
        config.corpus,
        *config.versus,
        num_clips=config.num_clips,
        seed=config.seed,
        ids=config.ids,
        sources=config.sources.of(config.manifest or ""),
        gifs=config.gifs,
    )
    write_file(config.output, encode_png(picture))
    log.info("-> %s", config.output)
    return 0
