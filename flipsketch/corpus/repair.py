"""A plan is put back from its copy, and a copy from its plan; what was in their place is kept."""

from flipsketch.corpus.damaged import exists, set_aside
from flipsketch.corpus.kinds import PLAN_COPY, PLAN_FILE
from flipsketch.corpus.plan import read_whole_plan, renew_copy
from flipsketch.storage.folder import Folder


def repair_plan(folder: Folder) -> list[str]:
    """Put back a plan that is gone or damaged, or its copy; return a line on each thing done.

    Raises:
        ValueError: neither of the two is whole.
        OSError: a file cannot be read or written.
    """
    plan, copy = read_whole_plan(folder, PLAN_FILE), read_whole_plan(folder, PLAN_COPY)
    if plan is None and copy is None:
        raise ValueError(
            f"{folder}: neither {PLAN_FILE} nor {PLAN_COPY} is a plan, so there is nothing to "
            f"repair by; restore one of them from a backup, or make the run again into another "
            f"folder"
        )
    done = []
    if plan is None and copy is not None:
        if exists(folder, PLAN_FILE):
            moved = set_aside(folder, PLAN_FILE)
            done.append(f"moved {PLAN_FILE} -> {moved}: it is no plan as it was written")
        folder.publish(PLAN_FILE, copy)
        done.append(f"put back {PLAN_FILE} from its copy")
    elif copy is None or copy != plan:
        if copy is None and exists(folder, PLAN_COPY):
            moved = set_aside(folder, PLAN_COPY)
            done.append(f"moved {PLAN_COPY} -> {moved}: it is no plan as it was written")
        if kept := renew_copy(folder):
            done.append(f"moved {PLAN_COPY} -> {kept}: it is no earlier state of {PLAN_FILE}")
        done.append(f"copied {PLAN_FILE} to {PLAN_COPY}")
    return done
