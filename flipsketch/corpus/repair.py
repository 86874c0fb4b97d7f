"""Make room for what is to be made again: damaged files are moved aside, never deleted, and a plan
is put back from its copy."""

from contextlib import suppress
from itertools import count

from pyarrow import fs

from flipsketch.corpus.kinds import PLAN_COPY, PLAN_FILE
from flipsketch.corpus.plan import Plan, read_plan_file, renew_copy
from flipsketch.corpus.verify import DAMAGED
from flipsketch.storage.folder import Folder


def set_aside(folder: Folder, name: str) -> str:
    """Move a file into `_damaged/`, beside what is there already; return its new name.

    Raises:
        OSError: it cannot be moved.
    """
    for number in count(1):
        target = f"{DAMAGED}/{name}" + (f".{number}" if number > 1 else "")
        if folder.filesystem.get_file_info(folder.join(target)).type == fs.FileType.NotFound:
            break
    if folder.is_local:
        folder.filesystem.create_dir(folder.join(target).rpartition("/")[0])
    folder.filesystem.move(folder.join(name), folder.join(target))
    return target


def repair_plan(folder: Folder) -> list[str]:
    """Put back a plan that is gone or damaged, or its copy; return a line on each thing done.

    Raises:
        ValueError: neither of the two is whole.
        OSError: a file cannot be read or written.
    """
    plan, copy = read_valid(folder, PLAN_FILE), read_valid(folder, PLAN_COPY)
    if plan is None and copy is None:
        raise ValueError(
            f"{folder}: neither {PLAN_FILE} nor {PLAN_COPY} is a plan, so there is nothing to "
            f"repair by; restore one of them from a backup, or make the run again into another "
            f"folder"
        )
    done = []
    if plan is None and copy is not None:
        if exists(folder, PLAN_FILE):
            done.append(f"moved {PLAN_FILE} -> {set_aside(folder, PLAN_FILE)}: it is no plan")
        folder.publish(PLAN_FILE, copy)
        done.append(f"put back {PLAN_FILE} from its copy")
    elif copy is None or copy != plan:
        if copy is None and exists(folder, PLAN_COPY):
            done.append(f"moved {PLAN_COPY} -> {set_aside(folder, PLAN_COPY)}: it is no plan")
        renew_copy(folder)
        done.append(f"copied {PLAN_FILE} to {PLAN_COPY}")
    return done


def read_valid(folder: Folder, name: str) -> bytes | None:
    """Return the bytes of a plan, None if it is none."""
    with suppress(ValueError):
        content = read_plan_file(folder, name)
        Plan.from_json(content or b"")
        return content
    return None


def exists(folder: Folder, name: str) -> bool:
    return folder.filesystem.get_file_info(folder.join(name)).type != fs.FileType.NotFound
