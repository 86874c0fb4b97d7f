"""Where a model, an adapter or a scorer is: in a local folder, in one that comes with this project,
or in a repository of the Hugging Face Hub, whole or a folder of it, at a revision."""

import difflib
import os
import re
from pathlib import Path

from flipsketch.models.hub import HubPlace, resolve
from flipsketch.storage.location import is_uri

# In a wheel, and in a checkout.
PLACES = (Path(__file__).parents[1] / "embedded", Path(__file__).parents[2] / "data" / "models")
EMBEDDED = next((place for place in PLACES if place.is_dir()), PLACES[-1])

NAME = r"[A-Za-z0-9][\w.-]*"
# It names a file of the cache, so that it begins with no slash; Git has none that ends so.
REVISION = r"\w(?:[\w./+-]*[\w+-])?"
HUB_PLACE = re.compile(
    rf"(?P<repository>{NAME}/{NAME})(?P<folder>(/[^/@\\\s][^/@\\]*)*)/?(@(?P<revision>{REVISION}))?",
    re.ASCII,
)
# What no repository's name begins with or has: paths of this system, and of others.
IS_PATH = re.compile(r"[/.~]|.*\\|[A-Za-z]:", re.DOTALL)
HUB_ADDRESS = re.compile(
    r"(?:hf://|https?://(?:www\.)?(?:huggingface\.co|hf\.co)/)(?:models/)?"
    rf"(?P<repository>{NAME}/{NAME})(?:/(?:tree|blob|resolve)/(?P<revision>[^/]+))?(?P<rest>.*)",
    re.ASCII,
)
FORMS = "owner/name, owner/name/folder, each also with @revision"


def find_embedded(name: str | Path) -> Path:
    """Return the folder of a model or adapter that comes with this project, if it has that name,
    else the path as it is; raise ValueError for a URI."""
    if match := HUB_ADDRESS.match(str(name)):
        revision = f"@{match['revision']}" if match["revision"] else ""
        folder = match["rest"].split("?")[0].rstrip("/")
        raise ValueError(
            f"{name!s:.200}: write a place on the Hugging Face Hub without its address: "
            f"{match['repository']}{folder}{revision}"
        )
    if is_uri(str(name)):
        raise ValueError(
            f"{name!s:.200}: models and adapters are read from local disks alone, which all "
            f"workers see; copy the folder to one, and give its path"
        )
    embedded = EMBEDDED / name
    is_name = Path(name).name == str(name)
    # Of a name too long for a path these are false, and Path's own raise.
    is_here = os.path.exists(name)
    return embedded if is_name and os.path.isdir(embedded) and not is_here else Path(name)


def locate(place: str | Path) -> Path | HubPlace:
    """Return the local folder of a place, or where it is on the Hub; nothing is asked of it.

    Raises:
        ValueError: it can be neither.
    """
    text = str(place)
    if not text.strip() or place == Path():
        raise ValueError(f"the name of a model or adapter is empty; give a folder, or {FORMS}")
    folder = find_embedded(text)
    if os.path.isdir(folder):
        return folder
    if os.path.exists(folder):
        raise ValueError(f"{text!s:.200}: expected a folder, found a file; give its folder")
    return parse_hub_place(text)


def parse_hub_place(text: str) -> HubPlace:
    """Return a place on the Hub; raise ValueError if the Hub can have none of that name."""
    match = HUB_PLACE.fullmatch(text)
    parts = re.split("[/@]", text)
    if match is None or IS_PATH.match(text) or {".", ".."} & {*parts} or ".." in text:
        near = suggest(text)
        raise ValueError(
            f"{text!r:.200} is neither a folder here nor a model on the Hugging Face Hub "
            f"({FORMS}); {near or 'give the path of a folder, such a name, or doodle'}"
        )
    folder = match["folder"].strip("/")
    if folder and os.path.isdir(Path(text).parent):
        raise ValueError(
            f"{text!s:.200}: there is no such folder in {Path(text).parent!s:.200}"
            f"{'; ' + near if (near := suggest(text)) else ', which is a folder here'}"
        )
    return HubPlace(match["repository"], folder, match["revision"])


def suggest(text: str) -> str:
    """Return a question about a name of a folder that is like one that is not there, or nothing."""
    path = Path(text).expanduser()
    try:
        if path.is_dir():
            return f"give {path}, since ~ was not expanded"
        near = {str(path.parent / each.name): each.name for each in path.parent.iterdir()}
        near |= {each.name: each.name for each in EMBEDDED.iterdir() if path.name == text}
    except OSError:
        near = {}
    like = difflib.get_close_matches(path.name, [*near.values()], 1)
    return f"did you mean {next(full for full in near if near[full] == like[0])}?" if like else ""


def pin(place: str | Path) -> str:
    """Return a place with the commit that its revision means now, which all workers are to use; a
    local folder or file, or an embedded name, is returned as it is.

    Raises:
        ValueError: there is no such place.
    """
    found = find_on_hub(place)
    return str(place) if found is None else str(resolve(found))


def find_on_hub(place: str | Path) -> HubPlace | None:
    """Return where a place is on the Hub; None of a local folder or file, or an embedded name."""
    # Adapters of some models are files.
    found = Path(place) if os.path.isfile(place) else locate(place)
    return found if isinstance(found, HubPlace) else None
