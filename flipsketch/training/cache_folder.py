"""Where latents are kept that cannot lie beside their shards."""

import os

from flipsketch.storage.location import is_uri


def make_cache(location: str | None) -> str:
    """Return the folder of the latents of all corpora, and make it if it is not there.

    Args:
        location: by default flipsketch/latents in this user's cache.
    """
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    place = location or os.path.join(home, "flipsketch", "latents")
    remedy = "give a folder on a local disk as --latent-cache, or add --no-cache-latents"
    if is_uri(place):
        raise ValueError(f"{place}: latents are read at every step; {remedy}")
    try:
        os.makedirs(place, exist_ok=True)
    except OSError as error:
        raise OSError(
            error.errno, f"{place}: latents cannot be kept there: {error.strerror}; {remedy}"
        ) from error
    if not os.access(place, os.W_OK):
        raise PermissionError(f"{place}: this user may not write there; {remedy}")
    return os.path.abspath(place)
