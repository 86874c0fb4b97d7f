"""Processes that end by SIGKILL: at a step of a shard's commit, or whenever their parent says."""

import builtins
import os
import signal
import threading
import time
from pathlib import Path

import psutil
import ray

from flipsketch.storage import folder as folder_module
from tests.helpers.corpora import exit_code

# Moments while each of a shard's two files is written, in order.
DISK_STEPS = [
    f"{moment} {file}"
    for file in ("clips", "metadata")
    for moment in ("open", "half-written", "written", "synced", "in-place", "folder-synced")
]
# In a store an upload is one call: before, while and after it is made.
STORE_STEPS = [
    f"{moment} {file}"
    for file in ("clips", "metadata")
    for moment in ("uploading", "half-uploaded", "nearly-uploaded", "uploaded")
]
HALF_S = {"half-uploaded": 0.001, "nearly-uploaded": 0.004}


def start_ray(kill_at: dict[str, str] | None = None) -> None:
    """Start a Ray of two CPUs.

    Args:
        kill_at: environment variables that tell `kill_as_environment_says` when a worker ends.
    """
    runtime_env: dict = {
        "env_vars": {"PYTHONPATH": str(Path(__file__).parent.parent), **(kill_at or {})}
    }
    if kill_at:
        runtime_env["worker_process_setup_hook"] = kill_as_environment_says
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env=runtime_env,
    )


def kill_as_environment_says() -> None:
    if "KILL_AT" in os.environ:
        kill_at(os.environ["KILL_AT"], "00002", os.environ["KILL_MARK"])


def kill_at(step: str, shard: str, mark: str | None = None) -> None:
    """Have this process kill itself at a step of a shard's commit.

    Args:
        mark: file that the process creates before it ends; where it exists already, it lives on.
    """
    moment, folder = step.split()
    if step in STORE_STEPS:
        kill_at_upload(moment, f"{folder}/{shard}.", mark)
        return
    name, partial = f"{folder}/{shard}.", f"_tmp/{folder}-{shard}."
    real_open, real_fsync, real_replace = builtins.open, os.fsync, os.replace
    placed = False

    def reach(here: str, applies: bool) -> None:
        if here == moment and applies:
            die(mark)

    def open_and_die(path, mode="r", *args, **kwargs):
        file = real_open(path, mode, *args, **kwargs)
        if partial in str(path) and "w" in mode:
            reach("open", True)
            if moment == "half-written":
                whole = file.write

                class Half:
                    def __enter__(self):
                        return self

                    def __exit__(self, *error):
                        file.close()

                    def __getattr__(self, name):
                        return getattr(file, name)

                    def write(self, content):
                        whole(content[: len(content) // 2])
                        file.flush()
                        reach("half-written", True)
                        return whole(content[len(content) // 2 :])

                return Half()
        return file

    def fsync_and_die(file):
        descriptor = file if isinstance(file, int) else file.fileno()
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        reach("written", partial in path)
        real_fsync(file)
        reach("synced", partial in path)
        reach("folder-synced", placed and path.endswith(f"/{folder}"))

    def replace_and_die(source, target):
        nonlocal placed
        real_replace(source, target)
        placed = placed or name in str(target)
        reach("in-place", name in str(target))

    builtins.open, os.fsync, os.replace = open_and_die, fsync_and_die, replace_and_die


def kill_at_upload(moment: str, name: str, mark: str | None) -> None:
    """As `kill_at`, of a file whose name holds `name`, in a store."""
    real_call = folder_module.call_store

    def call_and_die(function, what, *args):
        if f"/{name}" not in what or "writing" not in what:
            return real_call(function, what, *args)
        if moment == "uploading":
            die(mark)
        elif moment in HALF_S:
            threading.Timer(HALF_S[moment], die, [mark]).start()
        result = real_call(function, what, *args)
        # Where the upload was faster than the timer.
        die(mark)
        return result

    folder_module.call_store = call_and_die


def die(mark: str | None) -> None:
    """Kill this process, unless the mark says that one has been."""
    if mark is not None:
        try:
            os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
    os.kill(os.getpid(), signal.SIGKILL)


def mute() -> None:
    """Let this process say nothing: it is to end with an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def wait(pid: int, seconds: float) -> bool:
    """Wait until the child ends, or for this long; return whether it has ended (not reaped)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
        time.sleep(0.01)
    return False


def kill(pid: int) -> bool:
    """Kill a child; return whether it had finished before."""
    os.kill(pid, signal.SIGKILL)
    code = exit_code(pid)
    assert code in (0, -signal.SIGKILL), f"a run ended with {code}"
    return code == 0


def is_actor(process: psutil.Process) -> bool:
    try:
        return "ShardActor" in " ".join(process.cmdline())
    except psutil.Error:
        return False  # it has ended since


def end_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            pass
