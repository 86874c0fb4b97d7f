"""Paths and URIs (`s3://bucket/name?region=...`) as text, before anything is opened."""

import re


def is_uri(location: str) -> bool:
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", location) is not None


def split_query(location: str) -> tuple[str, str]:
    """Return a location without its query, and this with its "?"; a path has none."""
    path, mark, query = location.partition("?") if is_uri(location) else (location, "", "")
    return path, mark + query


def locate_below(location: str, name: str) -> str:
    """Return where a file or folder below a folder lies, both given as paths or URIs."""
    path, query = split_query(location)
    return f"{path.rstrip('/')}/{name}{query}"
