"""Keep the libraries' loading bars and hints from standing between a program's own lines."""

import os
import sys

VARIABLES = {
    "DIFFUSERS_VERBOSITY": "error",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}


def quiet_libraries() -> None:
    """Quiet diffusers and transformers, those that are imported already and those that will be.

    Imports neither, so that a command line may call it before it has been read.
    """
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    for library in ("diffusers", "transformers"):
        if library in sys.modules:
            logging = sys.modules[f"{library}.utils.logging"]
            logging.set_verbosity_error()
            logging.disable_progress_bar()
