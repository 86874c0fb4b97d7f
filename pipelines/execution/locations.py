"""Where inputs and outputs lie, as every process sees them."""

import os
from pathlib import Path

from flipsketch.storage.folder import open_folder, resolve


def anchor(location: str) -> str:
    """Return an input's address as workers are to use it.

    A submitted job's workers run in copies of its working directory, where relative paths hold;
    elsewhere theirs is not the driver's.
    """
    return location if is_submitted(Path.cwd()) else resolve(location, os.path.abspath("driver"))


def anchor_model(location: str) -> str:
    """As `anchor`; a name on the Hub, or of what comes with this project, is left as it is."""
    return anchor(location) if Path(location).exists() else location


def is_submitted(path: Path) -> bool:
    """Tell whether a path lies where Ray unpacks a submitted job's working directory."""
    return "working_dir_files" in path.parts


def refuse_vanishing_output(output: str) -> None:
    """The copy of the working directory in which a submitted job runs is deleted by Ray."""
    if is_submitted(Path(open_folder(output).path)):
        raise ValueError(
            f"--output {output} would lie in the submitted job's copy of the working directory, "
            f"which vanishes with the job; give an absolute path or a URI that all nodes share"
        )
