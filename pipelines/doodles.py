"""Draw doodles: animations with prompts, a manifest of sketches, or a picture of all subjects."""

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from pyarrow import fs

from flipsketch.doodles.overview import encode_sheet
from flipsketch.doodles.writer import (
    PROMPT_FILE,
    DrawingConfig,
    animation_files,
    draw_doodle,
    encode_manifest,
    write_doodles,
)
from flipsketch.storage.folder import Folder, open_folder
from flipsketch.storage.location import split_query
from flipsketch.storage.output_file import write_file
from flipsketch.storage.threads import in_threads

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DoodlesConfig:
    output: str | None = None
    """Folder of the animations, a path or a URI; complete ones that exist are kept."""
    drawing: DrawingConfig = field(default_factory=DrawingConfig)
    workers: int = 1
    """Number of processes that draw to a local disk; to an object store threads do."""
    manifest: str | None = None
    """Parquet manifest to write, a path or a URI: the first frame of each animation as a sketch,
    with its prompt."""
    contact_sheet: str | None = None
    """PNG file to write, a path or a URI: a few frames of each subject and motion, with their
    prompts."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")
        if self.output is None and self.manifest is None and self.contact_sheet is None:
            raise ValueError(
                "nothing to do: give --output, a folder, --manifest, a Parquet file, or "
                "--contact-sheet, a PNG"
            )
        if self.manifest is not None and not ends_in(self.manifest, ".parquet"):
            raise ValueError(f"--manifest must end in .parquet, got {self.manifest}")
        if self.contact_sheet is not None and not ends_in(self.contact_sheet, ".png"):
            raise ValueError(f"--contact-sheet must end in .png, got {self.contact_sheet}")


def ends_in(location: str, ending: str) -> bool:
    return split_query(location)[0].endswith(ending)


def make_doodles(config: DoodlesConfig) -> int:
    """Write what the config asks for and return the exit code.

    Raises:
        ValueError, OSError: the folder holds other animations, or cannot be written.
    """
    drawing = config.drawing
    if config.output is not None:
        started = time.monotonic()
        folder = open_folder(config.output)
        if folder.is_local:
            num_new = write_doodles(Path(folder.path), drawing, config.workers)
        else:
            num_new = upload_doodles(folder, drawing)
        log.info(
            "wrote %d animations in %.0f s, %d existed -> %s",
            num_new,
            time.monotonic() - started,
            drawing.num_animations - num_new,
            config.output,
        )
    if config.manifest is not None:
        write_file(config.manifest, encode_manifest(drawing))
        log.info("wrote %d sketches and prompts -> %s", drawing.num_animations, config.manifest)
    if config.contact_sheet is not None:
        sheet, num_motions = encode_sheet(drawing.seed, drawing.look)
        write_file(config.contact_sheet, sheet)
        log.info("showed %d motions -> %s", num_motions, config.contact_sheet)
    return 0


def upload_doodles(folder: Folder, config: DrawingConfig) -> int:
    """Write the animations that a folder in an object store lacks and return how many these were.

    The prompt comes last: an animation without it is what a killed job has left.

    Raises:
        ValueError: the folder holds other animations.
    """
    selector = fs.FileSelector(folder.path, allow_not_found=True, recursive=True)
    found = folder.call(lambda: folder.filesystem.get_file_info(selector), "", "listing")
    files = [file for file in found if file.is_file]
    sizes = {file.path.removeprefix(f"{folder.path}/"): file.size for file in files}
    names = {name.partition("/")[0] for name in sizes if name.endswith(f"/{PROMPT_FILE}")}
    by_index = {name.partition("-")[0]: name for name in names}

    def upload(index: int) -> bool:
        doodle = draw_doodle(config, index)
        contents = animation_files(doodle, config.num_frames, config.look)
        wanted = {f"{doodle.name}/{name}": content for name, content in contents.items()}
        there = by_index.get(doodle.name.partition("-")[0])
        if there is None:
            for name, content in wanted.items():
                folder.publish(name, content)
            return True
        found = {name: size for name, size in sizes.items() if name.startswith(f"{there}/")}
        if found != {name: len(content) for name, content in wanted.items()}:
            raise ValueError(
                f"{folder}/{there}: holds another animation (of another seed or look, or of "
                f"another number of frames); choose another folder, or delete this one"
            )
        return False

    return sum(in_threads(upload, list(range(config.num_animations))))
