"""How the files of an animation are named: `<name>/svg_logs/svg_step1000/frame000.svg` in
Live-Sketch's layout, `<name>/frame000.svg` in the plain one, and in both `<name>/prompt.txt` and,
for those that have a license of their own, `<name>/license.txt`."""

import re

from flipsketch.storage.archives import ARCHIVES, COMPRESSED

FRAME = re.compile(r"frame_?(\d+)\.svg", re.IGNORECASE)
STEPS, STEP = "svg_logs", re.compile(r"svg_step(\d+)")
PROMPT_FILE, LICENSE_FILE = "prompt.txt", "license.txt"
ALL_ARCHIVES = (*COMPRESSED, *ARCHIVES)
