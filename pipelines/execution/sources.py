"""What a job's rows may read, as its command line has it."""

import os
from dataclasses import dataclass, replace
from typing import Annotated, Self

import tyro

from flipsketch.storage.reading import READ_TIMEOUT_S
from flipsketch.storage.sources import Sources
from pipelines.execution.locations import anchor


@dataclass(frozen=True, kw_only=True)
class SourcesConfig:
    allow_source: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Folder that rows may name files in, besides their manifest's own folder or store; a path, or
    a URI with its query. Repeat the flag for several. Allow no more than you would publish."""
    read_timeout: float = READ_TIMEOUT_S
    """Seconds that reading the files of one row may take, with further tries when a disk or server
    fails; then the row fails, and the same command tries it again."""

    def __post_init__(self) -> None:
        sources = Sources("", self.allow_source, self.read_timeout)
        for folder in sources.local_folders:
            if not os.path.exists(folder):
                raise ValueError(f"--allow-source {folder}: is not there; check the path")

    def anchored(self) -> Self:
        """Return the same for workers, whose working directory may be another."""
        # An empty path is not that of the working directory, but a slip.
        folders = (anchor(folder) if folder else "" for folder in self.allow_source)
        return replace(self, allow_source=tuple(folders))

    def of(self, manifest: str) -> Sources:
        """Return what reads the rows of a manifest, in whichever process."""
        manifest = anchor(manifest) if manifest else ""
        return Sources(manifest, self.anchored().allow_source, self.read_timeout)
