"""Write a page that shows a corpus."""

import logging
from dataclasses import dataclass, field

from pipelines.execution.sources import SourcesConfig

log = logging.getLogger(__name__)

REPORT_FILE = "report.html"


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    corpus: str
    """Folder of a corpus of clips, a path or a URI."""
    versus: tuple[str, ...] = ()
    """More corpora of the same manifest, by other methods or settings, whose clips are shown beside
    those of this one."""
    output: str | None = None
    """HTML file to write, a path or a URI; by default report.html in the corpus."""
    manifest: str | None = None
    """Where the corpus's manifest is now, if it has moved; it names the sketches."""
    num_clips: int = 2000
    """Number of rows in the gallery, chosen at random where the corpus has more."""
    max_megabytes: float = 19.0
    """Size of the file at which no more clips are added to the gallery."""
    seed: int = 0
    """Seed of the random choice."""
    sources: SourcesConfig = field(default_factory=SourcesConfig)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")
        if self.num_clips < 1:
            raise ValueError(f"num_clips must be at least 1, got {self.num_clips}")
        if not self.max_megabytes > 0:
            raise ValueError(f"max_megabytes must be more than 0, got {self.max_megabytes}")


def write_report(config: ReportConfig) -> int:
    """Write the page and return the exit code.

    Raises:
        ValueError: the folder has no corpus of clips.
    """
    from flipsketch.corpus.plan import read_clips_plan
    from flipsketch.report.page import MEGABYTE, build_page
    from flipsketch.report.side_by_side import open_corpora
    from flipsketch.storage.folder import open_folder
    from flipsketch.storage.output_file import write_file
    from flipsketch.storage.sealed import to_text

    for corpus in (config.corpus, *config.versus):
        read_clips_plan(open_folder(corpus))
    corpora = open_corpora(config.corpus, *config.versus)
    folder = corpora[0].folder
    page = to_text(
        build_page(
            corpora,
            sources=config.sources.of(config.manifest or ""),
            num_clips=config.num_clips,
            max_megabytes=config.max_megabytes,
            seed=config.seed,
        )
    )
    if config.output is None:
        folder.publish(REPORT_FILE, page)
    else:
        write_file(config.output, page)
    where = config.output or f"{folder}/{REPORT_FILE}"
    log.info("%.1f MB -> %s", len(page) / MEGABYTE, where)
    return 0
