"""Files of a local disk as strangers may name them: regular ones, below folders that are allowed.

Links are followed first and judged by where they lead. Nothing else is opened: no device, which
may act on it, and no pipe, which may wait.
"""

import contextlib
import errno
import functools
import os
import stat
from collections.abc import Sequence
from typing import BinaryIO

# Their files are the state of this machine and its processes: the environment, for example.
STATE = ("/proc", "/sys")
IS_STATE = "leads into /proc or /sys, which is not read in any case"
# Enough to look below a folder, also in one that may not be listed.
SEARCH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC


class OutsideError(ValueError):
    """A path leads out of the folders that are allowed."""

    def __init__(self, target: str) -> None:
        super().__init__(f"leads to {target}, outside of what may be read")
        self.target = target


# Folders of the machine itself, which nobody should let rows read: no advice names them.
MACHINE = ("/boot", "/dev", "/etc", *STATE)


def explain_outside(path: str, target: str, folder: str) -> str:
    """Return what a path that leads out of what may be read is, and what to do.

    Args:
        folder: what to allow, if that is what the user wants.
    """
    if os.path.islink(path) and not os.path.exists(target):
        return f"is a broken link, to {target}; mend it, or remove it"
    with contextlib.suppress(OSError):
        mode = os.stat(target).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return f"leads to {target}, a device, pipe or socket, which is not read; remove it"
    return f"leads to {target}, outside of the manifest's folder; {advise(folder)}"


def advise(folder: str) -> str:
    """Return how rows may read what lies in a folder that is not allowed yet."""
    if is_of_machine(folder):
        return "copy the file to below the manifest's folder, and name it there"
    return f"to let rows read there, add --allow-source {folder}"


def is_of_machine(folder: str) -> bool:
    return folder in ("", "/") or any(is_below(folder, own) for own in MACHINE)


def is_below(path: str, root: str) -> bool:
    """Tell whether a path is a folder or lies in it; both without links, dots or a final slash."""
    return path == root or path.startswith(root.rstrip("/") + "/")


def find_root(path: str, roots: Sequence[str]) -> tuple[str, str]:
    """Return where a path leads, and which of some folders that is below.

    Raises:
        OutsideError: it is below none of them.
        ValueError: it is no path, or state of the machine.
    """
    if "\0" in path:
        raise ValueError("a path cannot have NUL in it")
    target = os.path.realpath(path)
    if any(is_below(target, state) for state in STATE):
        raise ValueError(IS_STATE)
    for root in map(os.path.realpath, roots):
        if is_below(target, root):
            return target, root
    raise OutsideError(target)


def open_below(path: str, roots: Sequence[str]) -> BinaryIO:
    """Open a file for reading that lies below one of some folders.

    Raises:
        OutsideError, ValueError: it does not, or is no file.
        OSError: it is not there, or cannot be read.
    """
    target, root = find_root(path, roots)
    if target == root:
        root = os.path.dirname(root)
    *folders, name = os.path.relpath(target, root).split("/")
    # Step by step: what has become a link since the path was looked at is not followed.
    parent = os.open(root, SEARCH)
    try:
        for folder in folders:
            above, parent = parent, os.open(folder, SEARCH, dir_fd=parent)
            os.close(above)
        refuse_other_than_file(os.stat(name, dir_fd=parent, follow_symlinks=False))
        descriptor = os.open(name, READ, dir_fd=parent)
    finally:
        os.close(parent)
    try:
        found = os.fstat(descriptor)
        refuse_other_than_file(found)
        if found.st_dev in state_devices():
            raise ValueError(IS_STATE)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def refuse_other_than_file(found: os.stat_result) -> None:
    mode = found.st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "expected a file, found a folder")
    if stat.S_ISLNK(mode):
        raise ValueError("expected a file, found a link to itself")
    if not stat.S_ISREG(mode):
        raise ValueError("expected a file, found a device, pipe or socket")


@functools.cache
def state_devices() -> set[int]:
    """Return the devices of `STATE`, which may be mounted elsewhere too."""
    return {os.stat(folder).st_dev for folder in STATE if os.path.ismount(folder)}


def read_below(path: str, roots: Sequence[str], max_bytes: int) -> bytes:
    """Return the bytes of a file that lies below one of some folders.

    Raises:
        OutsideError, ValueError: it does not, or is no file, or too large.
        OSError: it is not there, or cannot be read.
    """
    with open_below(path, roots) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= max_bytes:
            # One byte more tells that it has grown, or that its size is not what it says.
            content = file.read(size + 1)
            if len(content) > size:
                content += file.read(max_bytes + 1 - len(content))
            size = len(content)
    if size > max_bytes:
        raise ValueError(f"has more than {max_bytes:,} bytes; make it smaller")
    return content
