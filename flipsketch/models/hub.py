"""Repositories of the Hugging Face Hub: the commit that a name means, and files, fetched once a
node into the Hub's own cache."""

import fcntl
import glob
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from flipsketch.models.fetching import format_size, showing_progress
from flipsketch.storage.text import count, one_line
from flipsketch.storage.waiting import call_in_time

log = logging.getLogger(__name__)

Result = TypeVar("Result")

HUB_TIMEOUT_S = 10
# Nobody pauses for so long while it writes a file.
STALE_S = 24 * 3600.0
MAIN = "main"
COMMIT = re.compile(r"[0-9a-f]{40}")
TOKEN = "log in with `hf auth login`, or set HF_TOKEN"
CARD = "README.md"


@dataclass(frozen=True)
class HubPlace:
    """A folder of a repository, written owner/name/sub/folder@revision."""

    repository: str
    folder: str = ""
    """Below the repository's root; empty for the root."""
    revision: str | None = None
    """Branch, tag or commit; None for the repository's main branch."""

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"{self.repository}{'/' if self.folder else ''}{self.folder}{revision}"

    @property
    def is_pinned(self) -> bool:
        return self.revision is not None and COMMIT.fullmatch(self.revision) is not None

    @property
    def prefix(self) -> str:
        """What the names of the folder's files begin with."""
        return f"{self.folder}/" if self.folder else ""


class Unreachable(Exception):
    """The Hub does not answer, or is not to be asked."""


class NotFetchedError(ValueError):
    """The Hub does not answer, and what is asked of it is not in its cache."""


def resolve(place: HubPlace) -> HubPlace:
    """Return a place at the commit that its revision means now; if the Hub does not answer, the one
    that it meant when it was last fetched.

    Raises:
        ValueError: there is no such repository or revision.
    """
    if place.is_pinned:
        return place
    revision = place.revision or MAIN
    reference = cache_folder(place) / "refs" / revision
    try:
        # The client takes a missing revision for another address than "main".
        found = ask(place, lambda api: api.model_info(place.repository, revision=revision))
        commit = str(found.sha)
        with suppress(OSError):
            reference.parent.mkdir(parents=True, exist_ok=True)
            write_whole(reference, commit)
    except Unreachable as error:
        commit = reference.read_text().strip() if reference.is_file() else ""
        if COMMIT.fullmatch(commit):
            log.warning("%s: %s; using commit %s, fetched before", place, error, commit)
        else:
            raise NotFetchedError(refuse(place, f"{error}; none is in its cache")) from error
    return replace(place, revision=commit)


def list_files(place: HubPlace) -> dict[str, int]:
    """Return the sizes in bytes of a pinned place's files, by their names in its folder.

    Raises:
        ValueError: there is no such folder.
    """
    listing = list_repository(place)
    found = {
        name.removeprefix(place.prefix): size
        for name, size in listing.items()
        if name.startswith(place.prefix)
    }
    if not found:
        above = f"{place.folder.rpartition('/')[0]}/".removeprefix("/")
        near = {n.removeprefix(above).partition("/")[0] for n in listing if n.startswith(above)}
        folders = sorted(name for name in near if f"{above}{name}" not in listing)
        raise ValueError(
            f"{place!s:.200}: the repository has no folder {place.folder!r:.200} at this revision; "
            f"beside it there are {one_line(', '.join(folders) or 'none', 200)}"
        )
    return found


def list_repository(place: HubPlace) -> dict[str, int]:
    """Return the sizes of a pinned repository's files. A commit never changes, so the Hub is asked
    once; if it does not answer, the files that were fetched are all there are."""
    assert place.is_pinned
    known = cache_folder(place) / f"flipsketch-{place.revision}.json"
    with suppress(OSError, ValueError):
        return json.loads(known.read_bytes())
    try:
        # Whole, since the client then keeps it for what it fetches.
        tree = ask(
            place,
            lambda api: list(
                api.list_repo_tree(place.repository, recursive=True, revision=place.revision)
            ),
        )
    except Unreachable as error:
        root = snapshot_folder(place)
        paths = [path for path in root.rglob("*") if path.is_file()]
        if not paths:
            raise NotFetchedError(refuse(place, f"{error}; none is in its cache")) from error
        return {path.relative_to(root).as_posix(): path.stat().st_size for path in paths}
    sizes = {entry.path: entry.size for entry in tree if hasattr(entry, "size")}
    with suppress(OSError):
        known.parent.mkdir(parents=True, exist_ok=True)
        write_whole(known, json.dumps(sizes))
    return sizes


def fetch(place: HubPlace, names: Iterable[str]) -> Path:
    """Return the local folder of a pinned place, with some of its files and the repository's card.

    Several processes of a node, and nodes that share the cache, fetch them once.

    Args:
        names: of files of `list_files`.

    Raises:
        ValueError: they are not here and the Hub does not answer.
        OSError: they cannot be fetched, or written.
    """
    names = [*names]
    if find_missing(place, names):
        with locked(place):
            if missing := find_missing(place, names):
                download(place, missing)
            if missing := find_missing(place, names):
                raise OSError(
                    f"{place!s:.200}: {count(len(missing), 'file')} could not be fetched, such as "
                    f"{min(missing)}; rerun the same command, which keeps those that were"
                )
    return snapshot_folder(place) / place.folder


def find_missing(place: HubPlace, names: Iterable[str]) -> dict[str, int]:
    """Return the sizes of those of some files of a pinned place, and of its cards, that are not
    here yet, by their names in the repository."""
    listing, root = list_repository(place), snapshot_folder(place)
    wanted = [place.prefix + name for name in names]
    wanted += [name for name in (CARD, place.prefix + CARD) if name in listing]
    return {name: listing[name] for name in wanted if not has_size(root / name, listing[name])}


def download(place: HubPlace, sizes: dict[str, int]) -> None:
    # Here, since command lines import this file, and a model is seldom fetched.
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import HF_HUB_OFFLINE
    from huggingface_hub.errors import HfHubHTTPError

    if HF_HUB_OFFLINE:
        raise NotFetchedError(
            f"{place!s:.200}: {count(len(sizes), 'file')} were not fetched before, such as "
            f"{min(sizes)}, and HF_HUB_OFFLINE is set; unset it, or fetch them first"
        )
    folder, total = cache_folder(place), sum(sizes.values())
    folder.mkdir(parents=True, exist_ok=True)
    if total > (free := shutil.disk_usage(folder).free):
        raise OSError(
            f"{place!s:.200}: takes {format_size(total)}, but the disk of {folder} has "
            f"{format_size(free)} free; free some, or set HF_HOME to a folder elsewhere"
        )
    log.info("fetching %s: %s, %s", place, count(len(sizes), "file"), format_size(total))
    started = time.monotonic()
    sweep(folder)
    try:
        with showing_progress(str(place.repository), folder, snapshot_folder(place), sizes):
            # In another thread, so that Ctrl-C need not wait for files of gigabytes.
            call_in_time(
                lambda: snapshot_download(
                    place.repository,
                    revision=place.revision,
                    allow_patterns=[glob.escape(name) for name in sizes],
                ),
                None,
                f"{place}: fetching",
            )
    except HfHubHTTPError as error:
        raise ValueError(explain(place, error)) from error
    # The client's own kinds of error differ from version to version.
    except Exception as error:
        raise OSError(
            f"{place!s:.200}: could not be fetched ({type(error).__name__}: "
            f"{one_line(str(error), 200)}); rerun the same command, which keeps whole files"
        ) from error
    log.info("fetched %s in %.0f s", place, time.monotonic() - started)


def sweep(folder: Path) -> None:
    """Delete what fetches that were killed have left of a repository's files: the client never
    takes it up again."""
    for path in (folder / "blobs").glob("*.incomplete"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_S:
                path.unlink()


def ask(place: HubPlace, question: Callable[[Any], Result]) -> Result:
    """Return what the Hub answers.

    Raises:
        Unreachable: nothing, in time.
        ValueError: it does not know the place, or does not give it.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.constants import HF_HUB_OFFLINE
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    if HF_HUB_OFFLINE:
        raise Unreachable("HF_HUB_OFFLINE is set")
    try:
        # Beside the client's own limit: looking up the address of a server has none.
        return call_in_time(
            lambda: question(HfApi()), 2 * HUB_TIMEOUT_S, f"{place}: asking the Hugging Face Hub"
        )
    except HFValidationError as error:
        raise ValueError(refuse(place, one_line(str(error), 200))) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status == 429 or status >= 500:
            raise Unreachable(f"the Hugging Face Hub answers with status {status}") from error
        raise ValueError(explain(place, error)) from error
    except Exception as error:
        why = one_line(str(error), 200)
        raise Unreachable(f"the Hugging Face Hub does not answer ({why})") from error


def explain(place: HubPlace, error: Any) -> str:
    """Return why the Hub refuses a place, and what to do."""
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    token = "the token that is set gives no access to it" if get_token() else TOKEN
    if isinstance(error, GatedRepoError):
        address = f"{constants.ENDPOINT}/{place.repository}"
        return f"{place!s:.200}: is gated; accept its terms at {address}, and {TOKEN}"
    if isinstance(error, RevisionNotFoundError):
        return (
            f"{place!s:.200}: the repository {place.repository} has no revision "
            f"{place.revision or MAIN!r:.200}; {list_revisions(place)}; a revision, or a commit, "
            f"comes last ({place.repository}/sub/folder@revision)"
        )
    if isinstance(error, RepositoryNotFoundError):
        return refuse(place, f"no such repository, or a private one: {token}")
    status = error.response.status_code
    if status in (401, 403):
        return refuse(place, f"status {status}: {token}")
    return refuse(place, f"status {status}")


def list_revisions(place: HubPlace) -> str:
    """Return what to say of a repository's branches and tags."""
    try:
        found = ask(place, lambda api: api.list_repo_refs(place.repository))
    except (Unreachable, ValueError):
        return "see its page for its branches and tags"
    names = [reference.name for reference in (*found.branches, *found.tags)]
    return f"there are {one_line(', '.join(names) or 'none', 200)}"


def refuse(place: HubPlace, why: str) -> str:
    return (
        f"{place!s:.200}: is neither a folder here nor a model that the Hugging Face Hub gives "
        f"({why}); give the path of a folder, or check the name and the connection"
    )


def cache_folder(place: HubPlace) -> Path:
    """Return the folder of a repository in the Hub's cache."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    name = repo_folder_name(repo_id=place.repository, repo_type="model")
    return Path(constants.HF_HUB_CACHE).expanduser() / name


def snapshot_folder(place: HubPlace) -> Path:
    """Return where the Hub's client puts the files of a pinned repository."""
    return cache_folder(place) / "snapshots" / str(place.revision)


def find_snapshot(folder: Path) -> Path | None:
    """Return the root (.../snapshots/COMMIT) of a folder that the Hub's client has filled."""
    above = [folder.absolute(), *folder.absolute().parents]
    roots = (p for p in above if p.parent.name == "snapshots" and COMMIT.fullmatch(p.name))
    return next(roots, None)


def has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def write_whole(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    temporary.write_text(text)
    os.replace(temporary, path)


@contextmanager
def locked(place: HubPlace) -> Iterator[None]:
    """Wait until no other process fetches from a repository; the lock ends with its process."""
    path = cache_folder(place) / "flipsketch.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        # A cache that may be read alone, or a disk without locks; the client locks each file too.
        yield
        return
    try:
        take_lock(descriptor, place)
        yield
    finally:
        os.close(descriptor)


def take_lock(descriptor: int, place: HubPlace) -> None:
    with suppress(OSError):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another process, which fetches %s", place.repository)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
