"""Pages of one self-contained HTML file, which opens anywhere, without a network."""

import json
from pathlib import Path
from typing import Any

STYLE = Path(__file__).with_name("style.css")


def fill_template(template: Path, data: dict[str, Any]) -> str:
    """Return a page: its own markup, the style that all pages share, and what it is about."""
    # Escaped, so that nobody's text can close the script element that it is in.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    page = template.read_text(encoding="utf-8")
    page = page.replace("{style}", STYLE.read_text(encoding="utf-8").rstrip())
    return page.replace("{data}", text)
