"""SVG files of unknown origin to pixels, safely; reader.py tells how a file comes there."""
