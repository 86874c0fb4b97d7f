"""Write the animations of a corpus into a folder, in Live-Sketch's own layout, each whole or not at
all; what reads one reads the other, to the same frames."""

import shutil
from pathlib import Path

from pyarrow import fs

from flipsketch.animations.layout import LICENSE_FILE, PROMPT_FILE
from flipsketch.animations.vector_corpus import VectorCorpus
from flipsketch.storage.folder import Folder


def file_sizes(folder: Folder) -> dict[str, dict[str, int]]:
    """Return the bytes of an animation's files by their paths in its folder, for all animations in
    a folder, by name."""
    selector = fs.FileSelector(folder.path, allow_not_found=True, recursive=True)
    found = folder.call(lambda: folder.filesystem.get_file_info(selector), "", "listing")
    sizes: dict[str, dict[str, int]] = {}
    for file in found:
        if file.is_file:
            name, _, path = file.path.removeprefix(f"{folder.path}/").partition("/")
            sizes.setdefault(name, {})[path] = file.size
    return sizes


def write_animation(
    corpus: VectorCorpus, name: str, output: Folder, existing: dict[str, int]
) -> bool:
    """Write an animation and return True, or False if it is there.

    Args:
        existing: of its name in the output, by `file_sizes`.

    Raises:
        ValueError: its sample has no frames, or another animation of its name is there.
        OSError: it cannot be read or written.
    """
    contents = corpus.read_contents(name)
    # In a store the prompt comes last: an animation without it is what a killed job has left.
    if PROMPT_FILE in existing or (existing and output.is_local):
        sizes = {path: len(content) for path, content in contents.items()}
        # A license may be named later, and an earlier version wrote none.
        if without_license(existing) != without_license(sizes):
            raise ValueError(
                f"{output}/{name}: is another animation than the corpus has; choose another "
                f"folder, or delete this one"
            )
        return False
    if output.is_local:
        write_locally(Path(output.path), name, contents)
    else:
        for path, content in contents.items():
            output.publish(f"{name}/{path}", content)
    return True


def without_license(sizes: dict[str, int]) -> dict[str, int]:
    return {path: size for path, size in sizes.items() if path != LICENSE_FILE}


def write_locally(output: Path, name: str, contents: dict[str, bytes]) -> None:
    # A name with a dot is not taken for an animation if the job is killed.
    unfinished = output / f".{name}"
    shutil.rmtree(unfinished, ignore_errors=True)
    for path, content in contents.items():
        file = unfinished / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    unfinished.rename(output / name)
