"""Keep the libraries' loading bars and hints from standing between a program's own lines."""

import logging
import os
import sys

VARIABLES = {
    "DIFFUSERS_VERBOSITY": "error",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}
# A line for each request, whose address may be signed; the name differs with the Hub's version.
CLIENTS = ("httpx", "httpx2")


def quiet_libraries() -> None:
    """Quiet diffusers, transformers and the Hub's client, those that are imported already and those
    that will be.

    Imports none, so that a command line may call it before it has been read.
    """
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    for name in CLIENTS:
        logging.getLogger(name).setLevel(logging.WARNING)
    for library in ("diffusers", "transformers"):
        if library in sys.modules:
            own_logging = sys.modules[f"{library}.utils.logging"]
            own_logging.set_verbosity_error()
            own_logging.disable_progress_bar()
