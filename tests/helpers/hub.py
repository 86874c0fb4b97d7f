"""A stand-in for the Hugging Face Hub on loopback: repositories of files with branches and commits.

It speaks what the Hub's client asks when it resolves a revision, lists a repository and fetches its
files, and fails as it is told.
"""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants

BLOCK = 1 << 14


@dataclass
class Repository:
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Files by name, by commit."""
    branches: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    """Without it the repository is not there."""
    is_gated: bool = False


class Hub:
    """Serves repositories until the end of the `with` that it is used in."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[tuple[str, str]] = []
        """Method and path of each."""
        self.cuts: dict[str, int] = {}
        """How many more answers with files of a name's end break off half-way."""
        self.bytes_per_s: float | None = None
        self.status: int | None = None
        """What all requests are answered with, such as 503."""
        self.lock = threading.Lock()
        handler = type("OwnHandler", (Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> "Hub":
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def push(self, name: str, files: dict[str, bytes] | Path, branch: str = "main") -> str:
        """Put files, or all of a folder's, in a repository, and return the commit."""
        if isinstance(files, Path):
            found = [path for path in files.rglob("*") if path.is_file()]
            files = {path.relative_to(files).as_posix(): path.read_bytes() for path in found}
        repository = self.repositories.setdefault(name, Repository())
        commit = hashlib.sha1(f"{name} {len(repository.commits)}".encode()).hexdigest()
        repository.commits[commit] = dict(files)
        repository.branches[branch] = commit
        return commit

    def fetched(self) -> list[str]:
        """Return and forget the names of files whose contents were asked for, in order."""
        with self.lock:
            asked, self.requests = self.requests, []
        return [
            path.partition("/resolve/")[2].partition("/")[2]
            for method, path in asked
            if method == "GET" and "/resolve/" in path
        ]


@contextmanager
def hub_client(hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have this process's client ask a stand-in, and keep what it fetches in a folder."""
    with monkeypatch.context() as patch:
        for name, value in {
            "ENDPOINT": hub.url,
            "HUGGINGFACE_CO_URL_TEMPLATE": hub.url + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_CACHE": str(home / "hub"),
            "HF_HUB_OFFLINE": False,
            "HF_TOKEN_PATH": str(home / "token"),
        }.items():
            patch.setattr(constants, name, value)
        patch.delenv("HF_TOKEN", raising=False)
        yield


def hub_environment(hub: Hub, home: Path) -> dict[str, str]:
    """Return the variables by which another process's client asks a stand-in."""
    return {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}


class Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        with self.hub.lock:
            self.hub.requests.append((self.command, path))
        if self.hub.status is not None:
            self.refuse(self.hub.status, "")
        elif path.startswith("/api/models/"):
            self.answer_question(path.removeprefix("/api/models/"))
        else:
            self.send_file(path)

    do_HEAD = do_GET

    def answer_question(self, path: str) -> None:
        owner, name, *rest = path.split("/", 3)
        repository = self.find_repository(f"{owner}/{name}")
        if repository is None:
            return
        about, what = (rest[0] if rest else ""), (rest[1] if len(rest) > 1 else "main")
        if about == "refs":
            branches = [
                {"name": branch, "ref": f"refs/heads/{branch}", "targetCommit": commit}
                for branch, commit in repository.branches.items()
            ]
            self.send_json({"branches": branches, "tags": [], "converts": []})
        elif about in ("", "revision"):
            commit = repository.branches.get(what, what)
            if commit in repository.commits:
                self.send_json({"id": f"{owner}/{name}", "sha": commit, "siblings": []})
            else:
                self.refuse(404, "RevisionNotFound")
        elif about == "tree":
            commit = repository.branches.get(what, what)
            if commit not in repository.commits:
                self.refuse(404, "RevisionNotFound")
                return
            files = repository.commits[commit]
            folders = {str(parent) for file in files for parent in Path(file).parents} - {"."}
            self.send_json(
                [
                    {"type": "file", "path": file, "size": len(content), "oid": etag_of(content)}
                    for file, content in files.items()
                ]
                + [{"type": "directory", "path": folder, "oid": "0" * 40} for folder in folders]
            )
        else:
            self.refuse(404, "")

    def send_file(self, path: str) -> None:
        name, _, rest = path.strip("/").partition("/resolve/")
        revision, _, file = rest.partition("/")
        repository = self.find_repository(name)
        if repository is None:
            return
        commit = repository.branches.get(revision, revision)
        content = repository.commits.get(commit, {}).get(file)
        if content is None:
            known = commit in repository.commits
            self.refuse(404, "EntryNotFound" if known else "RevisionNotFound")
            return
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{etag_of(content)}"')
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if self.command == "GET":
            self.send_slowly(file, content[start:])

    def send_slowly(self, file: str, content: bytes) -> None:
        with self.hub.lock:
            cut = next(
                (end for end, left in self.hub.cuts.items() if left and file.endswith(end)), ""
            )
            if cut:
                self.hub.cuts[cut] -= 1
        if cut:
            content = content[: len(content) // 2]
        for place in range(0, len(content), BLOCK):
            block = content[place : place + BLOCK]
            self.wfile.write(block)
            if self.hub.bytes_per_s is not None:
                time.sleep(len(block) / self.hub.bytes_per_s)
        if cut:
            self.close_connection = True

    def find_repository(self, name: str) -> Repository | None:
        """Return a repository, or refuse the request."""
        repository = self.hub.repositories.get(name)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if repository is None or (repository.token and token != repository.token):
            if repository is not None and repository.is_gated:
                self.refuse(403, "GatedRepo")
            else:
                self.refuse(401, "RepoNotFound")
            return None
        return repository

    def refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_json(self, answer: Any) -> None:
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Say nothing of requests."""


def etag_of(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
