"""What a machine must have before a job begins: looked at before anything is claimed or written, so
that a job that cannot work ends at once with what is missing."""

import os
import resource
import shutil
import socket
import tempfile
from pathlib import Path

from flipsketch.storage.text import describe_error
from flipsketch.storage.waiting import call_in_time
from pipelines.execution.config import ExecutorConfig
from pipelines.execution.work import JobError

# 32 files are read at once, and training keeps 64 open; Ray has sockets for each of its processes.
MIN_OPEN_FILES = {"local": 128, "ray": 1024}
# Ray's logs, and its objects where /dev/shm is small.
MIN_FREE_BYTES = 100 * 2**20
MAX_SOCKET_PATH = 107  # of Linux
SESSION = "ray/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store"
LOCAL_INSTEAD = "or add --executor local, which does without Ray"
ANSWER_S = 5.0
# HTTP/2 as gRPC speaks it: what a client begins with, and the kind of the frame that answers.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
SETTINGS_FRAME = 4


def check_environment(config: ExecutorConfig) -> None:
    """Refuse a machine, or a cluster, on which the job could not work.

    Raises:
        JobError: what is missing, with the limit or address and the remedy.
    """
    check_open_files(config)
    if config.executor == "local":
        return
    address = ray_address(config)
    if address == "local":
        check_temporary_folder()
        check_token()
    else:
        check_address(address)


def ray_address(config: ExecutorConfig) -> str:
    """Return "local" for a cluster of the job's own, or where the one to join is."""
    return config.ray_address or os.environ.get("RAY_ADDRESS") or "local"


def find_running() -> str:
    """Return the address of the cluster that runs on this machine, as Ray finds it, or "auto"."""
    # What `ray start --head` leaves.
    left = Path(temporary_folder()) / "ray" / "ray_current_cluster"
    return os.environ.get("RAY_ADDRESS") or (left.read_text() if left.is_file() else "auto")


def remedy_for(address: str) -> str:
    """Return what helps where there is no Ray at an address."""
    if address == "local":
        return f"see its logs in {temporary_folder()}/ray/session_latest/logs"
    return (
        "start it there (ray start --head), give another --ray-address or RAY_ADDRESS, leave out "
        "both (unset RAY_ADDRESS) for a cluster of the job's own"
    )


def check_open_files(config: ExecutorConfig) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    least = MIN_OPEN_FILES[config.executor]
    if soft < least <= hard or hard == resource.RLIM_INFINITY and soft < least:
        resource.setrlimit(resource.RLIMIT_NOFILE, (least, hard))
    elif soft < least:
        raise JobError(
            f"a process may have {soft} files open here, and the job needs {least} (with "
            f"--executor {config.executor}); raise the limit in this shell (ulimit -n 8192) or "
            f"where the job is started (LimitNOFILE=, --ulimit nofile=8192)"
        )


def temporary_folder() -> str:
    """Return the folder in which Ray makes its own."""
    return os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"


def check_temporary_folder() -> None:
    """See that Ray's sockets, logs and objects find a place."""
    folder = temporary_folder()
    remedy = f"set RAY_TMPDIR to a folder on a local disk with room, {LOCAL_INSTEAD}"
    if len(os.path.join(folder, SESSION)) > MAX_SOCKET_PATH:
        most = MAX_SOCKET_PATH - len(SESSION) - 1
        raise JobError(
            f"{folder}: the path of Ray's temporary folder has {len(folder)} characters, and no "
            f"more than {most} leave room for its sockets; {remedy}"
        )
    place = os.path.join(folder, "ray")
    try:
        probe_folder(place)
        free = shutil.disk_usage(place).free
    except OSError as error:
        raise JobError(
            f"{place}: Ray's temporary folder cannot be written ({describe_error(error)}); {remedy}"
        ) from error
    if free < MIN_FREE_BYTES:
        raise JobError(
            f"{place}: {free // 2**20} MB are free where Ray keeps its logs and sockets, and "
            f"{MIN_FREE_BYTES // 2**20} MB are needed; free some, {remedy}"
        )


def check_token() -> None:
    """See that Ray can leave the token of a new cluster in the home folder, where it needs to."""
    given = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    if given or os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        return
    try:
        home = Path.home()
        if not (home / ".ray" / "auth_token").is_file():
            if not home.is_dir():
                raise NotADirectoryError("there is no such folder")
            probe_folder(str(home / ".ray"))
    except (OSError, RuntimeError) as error:
        raise JobError(
            f"{os.environ.get('HOME', 'HOME')}: Ray cannot write its token of authentication to "
            f"the home folder ({describe_error(error)}); set HOME to a folder that this user may "
            f"write, or RAY_AUTH_TOKEN to a random text of 64 characters, {LOCAL_INSTEAD}"
        ) from error


def probe_folder(folder: str) -> None:
    """Raise OSError unless files can be written to a folder, which is made if need be."""
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(4096))
        file.flush()


def check_address(address: str) -> None:
    """See that something at an address answers as Ray does; what it is shows when it is joined."""
    address = find_running().strip() if address == "auto" else address
    if "://" in address:
        raise JobError(
            f"{address}: is not the address of a Ray cluster's head, which is HOST:PORT, such as "
            f"10.0.0.1:6379; Ray Client (ray://) is not supported: run the job on a machine of "
            f"the cluster (--ray-address auto), or submit it (ray job submit)"
        )
    if address == "auto":
        raise JobError(
            f"no Ray cluster runs on this machine, as --ray-address auto or RAY_ADDRESS has it; "
            f"{remedy_for(address)}, {LOCAL_INSTEAD}"
        )
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 1 << 16):
        raise JobError(
            f"{address}: is not the address of a Ray cluster's head, which is HOST:PORT, such as "
            f"10.0.0.1:6379; mend --ray-address or RAY_ADDRESS"
        )
    try:
        # Looking up the name may take as long as it likes.
        call_in_time(lambda: greet(host.strip("[]"), int(port)), 2 * ANSWER_S, address)
    except OSError as error:
        raise JobError(
            f"{address}: no Ray cluster answers there ({describe_error(error)}); "
            f"{remedy_for(address)}, {LOCAL_INSTEAD}"
        ) from error


def greet(host: str, port: int) -> None:
    """Raise OSError unless a server there speaks HTTP/2, as Ray's do."""
    with socket.create_connection((host, port), ANSWER_S) as connection:
        if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
            return
        connection.settimeout(ANSWER_S)
        connection.sendall(PREFACE)
        answer = b""
        while len(answer) < 4:
            received = connection.recv(4 - len(answer))
            if not received:
                raise ConnectionError("it closes the connection")
            answer += received
        if answer[3] != SETTINGS_FRAME:
            raise ConnectionError("another kind of server listens there")
