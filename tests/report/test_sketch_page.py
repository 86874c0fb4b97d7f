"""The page of a check in a real browser: it shows, filters, and takes nobody's text for HTML."""

import io
from dataclasses import replace

import pytest
from PIL import Image
from selenium.webdriver.support.ui import Select, WebDriverWait

from flipsketch.report.checked_sketch import KINDS, Check, CheckedSketch
from flipsketch.report.sketch_page import build_pages

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>{data}{style}"
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><script>alert(3)</script>'
    b'<text y="8">a</text><path d="M1 1L8 8" stroke="#000"/></svg>'
)


def png(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    """Of one refused, one repaired and two clean sketches."""
    hostile = CheckedSketch(number=1, id="1", source=HOSTILE, error=f"{HOSTILE}: is empty", svg=SVG)
    noted = CheckedSketch(
        number=2, id="2", source="b.svg", notes=("left out text",), picture=png("grey"), svg=SVG
    )
    clean = CheckedSketch(number=3, id="3", source="c.png", picture=png("white"))
    check = Check("file", num_shown=10)
    for sketch in (clean, hostile, noted, replace(clean, number=4, source="d.png")):
        check.add(sketch)
    folder = tmp_path_factory.mktemp("check")
    facts = [("Sketches", "4")]
    (page,) = build_pages("A check", facts, check, check.sections(KINDS), str)
    (folder / "page.html").write_text(page)
    return str(folder)


@pytest.fixture
def page(folder, browser):
    browser.get(f"file://{folder}/page.html")
    return browser


def names(page) -> list[str]:
    return [name.text for name in page.find_elements("css selector", ".card .name")]


def test_it_shows_refused_sketches_first_and_runs_nothing_of_theirs(page):
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert names(page) == [HOSTILE, "b.svg", "c.png", "d.png"]
    assert page.execute_script("return document.scripts.length") == 2
    # Of the refused one nothing is drawn until somebody asks for it.
    assert page.execute_script("return document.images.length") == 4
    refused = page.find_element("css selector", ".card.refused")
    refused.find_element("tag name", "button").click()
    (shown,) = refused.find_elements("tag name", "img")
    WebDriverWait(page, 5).until(lambda _: shown.get_property("naturalWidth"))


def test_it_filters_by_kind_and_by_reason_and_enlarges(page):
    Select(page.find_element("id", "kind")).select_by_visible_text("clean")
    assert names(page) == ["c.png", "d.png"]
    page.find_element("css selector", "#repaired button").click()
    assert names(page) == ["b.svg"]
    page.find_element("css selector", ".card img").click()
    large = page.find_element("id", "large")
    assert len(large.find_elements("tag name", "img")) == 2
    large.click()
    assert not large.is_displayed()
