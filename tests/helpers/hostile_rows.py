"""What rows of a hostile manifest name as their sketches, to read files or reach servers with."""

import os
import shutil
import socket
from pathlib import Path

from tests.helpers.corpora import SKETCHES


def lay_traps(data: Path, outside: Path) -> None:
    """Put links, pipes, sockets and folders beside a manifest; `outside` gets a sketch."""
    outside.mkdir()
    secret = outside / "secret.svg"
    shutil.copy(SKETCHES / "cat.svg", secret)
    links = {
        "absolute.svg": secret,
        "relative.svg": Path("..") / outside.name / "secret.svg",
        "folder": outside,
        "chain.svg": Path("absolute.svg"),
        "up": Path(".."),
        "root": Path("/"),
        "dead.svg": Path("nowhere.svg"),
        "dead-outside.svg": outside / "nowhere.svg",
        "itself.svg": Path("itself.svg"),
        "ping.svg": Path("pong.svg"),
        "pong.svg": Path("ping.svg"),
        "environ.svg": Path("/proc/self/environ"),
        "descriptors": Path("/proc/self/fd"),
        "zero.svg": Path("/dev/zero"),
        "terminal.svg": Path("/dev/tty"),
        "stdin.svg": Path("/dev/stdin"),
    }
    for name, target in links.items():
        (data / name).symlink_to(target)
    os.mkfifo(data / "pipe.svg")
    os.mkfifo(outside / "pipe.svg")
    (data / "linked-pipe.svg").symlink_to("pipe.svg")
    (data / "folder.svg").mkdir()
    # Names of a socket are short, so it is made where it can be reached by one.
    with socket.socket(socket.AF_UNIX) as bound:
        here = os.open(".", os.O_RDONLY)
        os.chdir(data)
        try:
            bound.bind("socket.svg")
        finally:
            os.chdir(here)
            os.close(here)
    with open(data / "huge.svg", "wb") as file:
        file.truncate(1 << 40)


def hostile_sources(data: Path, outside: Path, port: int) -> list[str]:
    """Return more than a hundred: a port of loopback is where their servers would be."""
    secret, server = outside / "secret.svg", f"127.0.0.1:{port}"
    endpoint = f"endpoint_override={server}&scheme=http&region=x"
    links = [path.name for path in data.iterdir() if path.is_symlink() and path.suffix]
    local = [
        *links,
        *("folder/secret.svg", "up/outside/secret.svg", f"root{secret}", "root/etc/passwd"),
        *("descriptors/0", "descriptors/1", "descriptors/3", "pipe.svg", "socket.svg", "huge.svg"),
        *("folder.svg", ".", "./", "..", "../", "/", "//", "sketches", "sketches/"),
        *("../outside/secret.svg", "../outside/pipe.svg", "../../../../../../../etc/passwd"),
        *("sketches/../../outside/secret.svg", "./.././outside/./secret.svg", "../outside"),
        *(str(secret), f"/{secret}", f"{data}/../outside/secret.svg", f"{data}x/../{secret}"),
        *("/etc/passwd", "/etc/hostname", "/etc/shadow", "~/.bashrc", "~root/.ssh/id_rsa"),
        *("$HOME/.bashrc", "${HOME}", "`id`", "| id", "; id", "*.svg", "sketches/*.svg"),
        *("/proc/self/environ", "/proc/self/cmdline", "/proc/self/mem", "/proc/self/maps"),
        *("/proc/self/cwd/pyproject.toml", f"/proc/self/root{secret}", "/proc/1/environ"),
        *("/proc/self/fd/0", "/proc/kmsg", "/proc/kcore", "/proc/version", "/sys/kernel/notes"),
        *("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/stdin", "/dev/tty"),
        *("/dev/full", "/dev/fd/0", "/dev/mem", "/dev/ptmx", "/dev/stdout"),
        *("%2e%2e/outside/secret.svg", "..%2foutside%2fsecret.svg", "..\\outside\\secret.svg"),
        *("a" * 5000, "a/" * 3000, "../" * 2000 + "etc/passwd", "cat.svg\0.png", "\0"),
        *(
            "x\ny",
            "x\ry",
            "\x1b[31mred",
            "\u202egvs.tac",
            "sketches/cat.svg/x",
        ),
        *("\\\\server\\share\\x.svg", "//server/share/x.svg", "C:\\x.svg", "file:/etc/passwd"),
    ]
    uris = [
        *(f"file://{secret}", f"FILE://{secret}", f"file://localhost{secret}"),
        *(f"file://{data}/../outside/secret.svg", f"file://{data}/%2e%2e/outside/secret.svg"),
        *(f"file://{server}/x", "file:///etc/passwd", "file:///proc/self/environ", "file://"),
        *("file:///etc/passwd?x", "file:///etc/passwd#x", f"file://user@localhost{secret}"),
        *(f"s3://x/y?{endpoint}", f"S3://x/y?{endpoint}", f"s3://key:word@x/y?{endpoint}"),
        *("s3://x/y", "s3://key:word@x/y", f"s3://{server}/y", "s3://", "s3:///y", "s3://x"),
        *("s3://x/../y", "s3://x/%2e%2e/y", "s3://x/y%00z", "s3://x/y\nz", f"s3://x/y#{endpoint}"),
        *(f"gs://x/y?{endpoint}", "gs://x/y", "gs://anonymous@x/y", "gcs://x/y"),
        *(f"hdfs://{server}/x", f"hdfs://user@{server}/x", f"viewfs://{server}/x"),
        *(f"abfs://c@{server}/x", f"abfss://c@a.dfs.core.windows.net/x?blob_storage={server}"),
        *(f"http://{server}/x", f"https://{server}/x", f"http://user:word@{server}/x"),
        *(f"http://localhost:{port}/x", f"http://[::1]:{port}/x", f"http://0x7f000001:{port}/x"),
        *(f"ftp://{server}/x", f"ssh://{server}/x", f"gopher://{server}/_x", f"ws://{server}/x"),
        *("mock://x/y", f"fsspec+http://{server}/x", f"fsspec+file://{secret}", "nosuch://x/y"),
        *(
            "data:image/svg+xml,x",
            "data://text/plain,x",
            "javascript:alert(1)",
            "jar:file:!/x",
        ),
        *(f"zip://x::http://{server}/x", f"simplecache::http://{server}/x", "memory://x"),
    ]
    return [*local, *uris]
