"""Put the embedded models, which are kept in data/models, into a wheel as flipsketch/embedded."""

from pathlib import Path
from shutil import copytree

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithModels(build_py):
    def run(self) -> None:
        super().run()
        # An editable install finds them where they are.
        if not self.editable_mode:
            embedded = Path(self.build_lib) / "flipsketch" / "embedded"
            copytree("data/models", embedded, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithModels})
