"""The folder of what was damaged: files are moved there to make room, never deleted."""

from itertools import count

from pyarrow import fs

from flipsketch.storage.folder import Folder

DAMAGED = "_damaged"


def set_aside(folder: Folder, name: str) -> str:
    """Move a file into `_damaged/`, beside what is there already; return its new name.

    Raises:
        OSError: it cannot be moved.
    """
    for number in count(1):
        target = f"{DAMAGED}/{name}" + (f".{number}" if number > 1 else "")
        if not exists(folder, target):
            break
    if folder.is_local:
        folder.filesystem.create_dir(folder.join(target).rpartition("/")[0])
    folder.filesystem.move(folder.join(name), folder.join(target))
    return target


def exists(folder: Folder, name: str) -> bool:
    return folder.filesystem.get_file_info(folder.join(name)).type != fs.FileType.NotFound
