"""SVG files of unknown origin to pixels, safely."""
