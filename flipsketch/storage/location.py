"""Paths and URIs (`s3://bucket/name?region=...`) as text, before anything is opened."""

import re

# What people write where they mean a URI: a slash too few, or nothing after the slashes, as of a
# variable that is not set.
HALF_URI = re.compile(
    r"(s3a?|gs|gcs|abfss?|az|hdfs|viewfs|https?|file):(?!//)|([a-z][a-z0-9+.-]*):///*(?=$|[?#])",
    re.IGNORECASE,
)


def is_uri(location: str) -> bool:
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", location) is not None


def refuse_half_uri(location: str) -> None:
    """Raise ValueError if a location begins as a URI does, and names nothing."""
    if match := HALF_URI.match(location):
        scheme = (match[1] or match[2]).lower()
        raise ValueError(
            f"{location}: is neither a path nor a whole URI; give {scheme}://BUCKET/PATH, or "
            f"./{location} for a local file of that name"
        )


def split_query(location: str) -> tuple[str, str]:
    """Return a location without its query, and this with its "?"; a path has none."""
    path, mark, query = location.partition("?") if is_uri(location) else (location, "", "")
    return path, mark + query


def locate_below(location: str, name: str) -> str:
    """Return where a file or folder below a folder lies, both given as paths or URIs."""
    path, query = split_query(location)
    return f"{path.rstrip('/')}/{name}{query}"
