"""Write the vector animations of a corpus as folders of SVG frames, in Live-Sketch's own layout.

A job and not a flag of the one that animates, since all that it needs is in the corpus: it works on
one that was made elsewhere, extended or curated, and is resumed by itself.
"""

import logging
import time
from dataclasses import dataclass

from flipsketch.animations.vector_corpus import VectorCorpus
from flipsketch.animations.writer import file_sizes, write_animation
from flipsketch.corpus.kinds import PLAN_FILE
from flipsketch.storage.folder import Folder, open_folder
from flipsketch.storage.text import count
from flipsketch.storage.threads import in_threads
from pipelines.execution.locations import refuse_vanishing_output

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class WriteAnimationsConfig:
    corpus: str
    """Folder of a corpus that --method livesketch made, or of one that was curated from it; a path
    or a URI."""
    output: str
    """Folder of the animations, a path or a URI; complete ones that exist are kept."""


def write_animations(config: WriteAnimationsConfig) -> int:
    """Write the animations that the folder lacks and return the exit code: 0, or 1 if some could
    not be written.

    Raises:
        ValueError: the corpus has no vector animations, or the output cannot be their folder.
        OSError: a folder cannot be read or written.
    """
    refuse_vanishing_output(config.output)
    started = time.monotonic()
    source, output = open_folder(config.corpus), open_folder(config.output)
    refuse_run(source, output)
    corpus = VectorCorpus(source)
    corpus.warn_of_others()
    with output.locked():
        existing = file_sizes(output)

        def write(name: str) -> bool | None:
            """Return whether the animation is new; None if it could not be written."""
            try:
                return write_animation(corpus, name, output, existing.get(name, {}))
            except ValueError as error:
                log.error("%s: not written: %s", name, error)
                return None

        written = in_threads(write, sorted(corpus.rows))
    num_failed = written.count(None)
    log.info(
        "wrote %s (%d existed, %d failed) in %.0f s -> %s",
        count(written.count(True), "animation"),
        written.count(False),
        num_failed,
        time.monotonic() - started,
        config.output,
    )
    return int(num_failed > 0)


def refuse_run(source: Folder, output: Folder) -> None:
    """Raise ValueError if the output is a run's own folder, which others would take for that."""
    if f"{output.path}/".startswith(f"{source.path}/"):
        raise ValueError(f"{output}: is the corpus itself, or in it; give another --output")
    if PLAN_FILE in output.list(""):
        raise ValueError(f"{output}: holds a run; give another --output")
