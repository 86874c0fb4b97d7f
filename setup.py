"""Put into a wheel what is kept in data/: the embedded models as flipsketch/embedded, and the table
of licenses beside what reads it."""

from pathlib import Path
from shutil import copy, copytree

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithData(build_py):
    def run(self) -> None:
        super().run()
        # An editable install finds them where they are.
        if not self.editable_mode:
            package = Path(self.build_lib) / "flipsketch"
            copytree("data/models", package / "embedded", dirs_exist_ok=True)
            for table in Path("data").glob("*.toml"):
                copy(table, package / "corpus")


setup(cmdclass={"build_py": BuildWithData})
