"""Addresses hold no credentials: they stand in logs, errors, run.json and cards."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")
WHOLE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+", re.DOTALL)
# Names in a query whose values let others in: "secret_key", "sas_token", "X-Amz-Signature", "sig".
SECRET = re.compile(
    r"secret|token|passw|signature|(^|[_-])(sig|sas|credential|key|keyid)$|accesskey|access_key",
    re.IGNORECASE,
)
AZURE = "the environment (AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_TENANT_ID) or `az login`"
GOOGLE = "a file of credentials that GOOGLE_APPLICATION_CREDENTIALS names"
WAYS = {
    "s3": (
        "the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN) or a "
        "profile (AWS_PROFILE, ~/.aws/credentials)"
    ),
    **dict.fromkeys(("gs", "gcs"), GOOGLE),
    **dict.fromkeys(("abfs", "abfss", "az"), AZURE),
}


def refuse_credentials(text: str) -> None:
    """Raise ValueError if a URI in a text holds credentials; the error does not."""
    # Also one with spaces, up to the end.
    for uri in [*WHOLE.findall(text), *URI.findall(text)]:
        if found := find_credentials(uri):
            scheme = uri.partition("://")[0].lower()
            way = WAYS.get(scheme, "the environment or a file of its client")
            raise ValueError(
                f"{strip(uri)}: was given with credentials ({found}), but addresses are written to "
                f"logs and to files that are shared; leave them out, and give them by {way}"
            )


def hide_credentials(text: str) -> str:
    """Return a text with what stands for credentials in its URIs left out."""

    def hide(match: re.Match[str]) -> str:
        return strip(match[0]) + "?..." if find_credentials(match[0]) else match[0]

    return URI.sub(hide, WHOLE.sub(hide, text))


def strip(uri: str) -> str:
    """Return a URI without what may be secret in it: a secret key may have slashes."""
    scheme, _, rest = uri.partition("://")
    path = re.split("[?#]", rest)[0]
    return f"{scheme}://{path.rpartition('@')[2] if '@' in path else path.partition(':')[0]}"


def find_credentials(uri: str) -> str | None:
    """Return what a URI holds that lets others in, in words; None if nothing."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "before the @" if "@" in uri else None
    scheme, userinfo = parts.scheme.lower(), parts.netloc.rpartition("@")[0]
    # Of Azure it is the container, of HDFS a name without a password.
    names_no_secret = userinfo == "anonymous" or scheme in ("abfs", "abfss", "hdfs", "viewfs")
    # A bucket has no port: that is a key, and the rest of it has a slash.
    has_key = scheme in ("s3", "gs", "gcs") and ":" in parts.netloc
    if has_key or (userinfo and (":" in userinfo or not names_no_secret)):
        return "before the @"
    for query in (parts.query, parts.fragment):
        for name, value in parse_qsl(query, keep_blank_values=True, separator="&"):
            if SECRET.search(name):
                return f"{name} in the query"
            if "://" in value and find_credentials(value):
                return f"in {name} of the query"
            if name == "endpoint_override" and "@" in value:
                return f"in {name} of the query"
    return None


def parse_options(
    location: str, query: str, known: Mapping[str, Callable[[str], Any]]
) -> dict[str, Any]:
    """Return the options in a URI's query, each as its type.

    Raises:
        ValueError: one is not known, or is not of its type.
    """
    options = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise ValueError(
                f"{location}: {name} is no option of such an address; there are {', '.join(known)}"
            )
        try:
            options[name] = known[name](text)
        except (ValueError, KeyError) as error:
            raise ValueError(f"{location}: {name} cannot be {text!r}") from error
        if text == "":
            raise ValueError(f"{location}: {name} is empty; give it a value, or leave it out")
    return options
