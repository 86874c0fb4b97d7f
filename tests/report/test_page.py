"""The page in a real browser: it renders, filters and sorts, and takes no prompt for HTML."""

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from flipsketch.livesketch.config import LiveSketchConfig
from flipsketch.report import page as page_module
from flipsketch.svg.animated import read_animated_svg
from pipelines.animate import animate_manifest
from pipelines.animating.config import AnimateConfig
from pipelines.evaluate import EvaluateConfig, evaluate
from pipelines.execution.config import ExecutorConfig
from pipelines.report import ReportConfig, write_report
from tests.helpers.corpora import QUICK, good_rows, make_manifest, read_rows

LOCAL = ExecutorConfig(executor="local")
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \u2028 \"it\" '{data}'"


@pytest.fixture(scope="module")
def corpus(tiny_folder, clip_folder, tmp_path_factory) -> str:
    """Eight rows: one that has failed, and one whose prompt would be more than text."""
    folder = tmp_path_factory.mktemp("report")
    rows = good_rows(8)
    rows[2]["prompt"] = HOSTILE
    rows[5]["sketch"] = "gone.svg"
    job = AnimateConfig(
        manifest=make_manifest(folder, rows),
        output=str(folder / "corpus"),
        model=str(tiny_folder),
        sampling=QUICK,
        max_failures="1",
        threads=1,
        executor=LOCAL,
    )
    assert animate_manifest(job) == 0
    evaluate(EvaluateConfig(corpus=job.output, clip_model=str(clip_folder), executor=LOCAL))
    return job.output


@pytest.fixture
def page(corpus, browser):
    write_report(ReportConfig(corpus=corpus))
    browser.get(f"file://{corpus}/report.html")
    return browser


def ids(page) -> list[str]:
    texts = page.execute_script(
        "return [...document.querySelectorAll('.clip')].map(card => "
        "card.querySelector('.names').textContent)"
    )
    return [text.partition(" · ")[0] for text in texts]


def test_it_renders_without_errors_and_says_what_there_is(page):
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert len(ids(page)) == 8 and "8 of 8" in page.find_element("id", "count").text
    text = page.find_element("tag name", "body").text
    assert "gone.svg: expected a file, found nothing" in text
    assert "s2v_consistency" in text and "Failed rows" in text
    films = page.find_elements("css selector", ".film")
    assert len(films) == 7
    page.execute_script("arguments[0].scrollIntoView()", films[0])
    WebDriverWait(page, 5).until(
        lambda page: "data:image/png" in films[0].value_of_css_property("background-image")
    )
    # The film is as many squares high as the clip has frames.
    assert films[0].value_of_css_property("background-size").replace(" ", "") == "100%300%"
    image = page.find_element("css selector", ".tiles img")
    assert image.get_property("naturalWidth") == 96


def test_a_film_shows_every_frame(page):
    positions = page.execute_script("""
        const film = document.querySelector(".film"), [animation] = film.getAnimations();
        animation.pause();
        return [10, 110, 210].map((time) => {
            animation.currentTime = time;
            return getComputedStyle(film).backgroundPositionY;
        });
    """)
    assert positions == ["0%", "50%", "100%"]


def test_a_hostile_prompt_is_text(page):
    card = page.find_elements("css selector", ".clip")[2]
    prompt = card.find_element("tag name", "p")
    assert prompt.get_property("textContent") == HOSTILE
    assert prompt.find_elements("css selector", "*") == []
    # Nothing has been run, no picture asked for.
    assert page.execute_script("return document.images.length") == 7
    assert page.execute_script("return document.scripts.length") == 2


def test_it_filters_by_text_status_and_score(page, corpus):
    text = page.find_element("id", "text")
    text.send_keys("WAY 4")
    assert ids(page) == ["row 4"]
    text.send_keys(Keys.BACKSPACE * 5)
    Select(page.find_element("id", "status")).select_by_visible_text("failed")
    assert ids(page) == ["row 5"]
    Select(page.find_element("id", "status")).select_by_visible_text("all")
    Select(page.find_element("id", "score")).select_by_visible_text("motion")
    motions = {row["id"]: row["motion"] for row in read_rows(corpus) if row["status"] == "ok"}
    middle = sorted(motions.values())[3]
    page.find_element("id", "least").send_keys(f"{middle - 1e-6:.7f}")
    assert set(ids(page)) == {name for name, motion in motions.items() if motion >= middle}


def test_it_sorts_by_score_and_what_has_none_comes_last(page, corpus):
    motions = {row["id"]: row["motion"] for row in read_rows(corpus) if row["status"] == "ok"}
    ascending = sorted(motions, key=lambda name: motions[name])
    descending = sorted(motions, key=lambda name: -motions[name])
    Select(page.find_element("id", "sort")).select_by_visible_text("motion")
    assert ids(page)[:7] == descending and ids(page)[7] == "row 5"
    Select(page.find_element("id", "direction")).select_by_visible_text("lowest first")
    assert ids(page)[:7] == ascending and ids(page)[7] == "row 5"


def test_keys_go_from_clip_to_clip_and_stop_one(page):
    body = page.find_element("tag name", "body")
    body.send_keys("/")
    assert page.switch_to.active_element.get_attribute("id") == "text"
    cards = page.find_elements("css selector", ".clip")
    page.execute_script("arguments[0].focus()", cards[0])
    page.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert page.switch_to.active_element == cards[1]
    page.switch_to.active_element.send_keys(" ")
    assert "paused" in cards[1].get_attribute("class")


def test_light_and_dark_can_be_chosen(page):
    def background() -> str:
        return page.find_element("tag name", "body").value_of_css_property("background-color")

    before = background()
    page.find_element("id", "theme").click()
    assert background() != before
    page.find_element("id", "theme").click()
    assert background() == before


def test_it_keeps_to_its_size_and_number(corpus):
    write_report(ReportConfig(corpus=corpus))
    whole = Path(corpus) / "report.html"
    fewer = Path(corpus) / "fewer.html"
    write_report(ReportConfig(corpus=corpus, output=str(fewer), num_clips=3))
    assert count_clips(whole) == 8 and count_clips(fewer) == 3
    limit = (fewer.stat().st_size + whole.stat().st_size) / 2 / 1_000_000
    write_report(ReportConfig(corpus=corpus, output=str(fewer), max_megabytes=limit))
    assert 3 <= count_clips(fewer) < 8 and fewer.stat().st_size <= limit * 1_000_000 * 1.05
    # Which clips are left out does not go by their place in the corpus.
    ids = [clip["id"] for clip in read_data(fewer)["clips"]]
    assert ids == sorted(ids) != [f"row {number}" for number in range(len(ids))]


@pytest.fixture(scope="module")
def moved(corpus, tiny_folder, tmp_path_factory) -> AnimateConfig:
    """What Live-Sketch makes of the same manifest."""
    job = AnimateConfig(
        manifest=f"{Path(corpus).parent}/manifest.jsonl",
        output=str(tmp_path_factory.mktemp("moved") / "corpus"),
        model=str(tiny_folder),
        method="livesketch",
        sampling=QUICK,
        livesketch=LiveSketchConfig(draft_steps=0, optimization_steps=1, output_size=32),
        max_failures="1",
        threads=1,
        executor=LOCAL,
    )
    assert animate_manifest(job) == 0
    return job


def test_corpora_of_one_manifest_are_shown_side_by_side(corpus, moved, browser, tmp_path):
    output = str(tmp_path / "page.html")
    write_report(ReportConfig(corpus=corpus, versus=(moved.output,), output=output))
    browser.get(f"file://{output}")
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    first = browser.find_element("css selector", ".clip")
    captions = first.find_elements("css selector", "figcaption")
    assert [caption.text for caption in captions] == ["sketch", "flipsketch", "livesketch"]
    lefts = [caption.location["x"] for caption in captions]
    assert lefts == sorted(set(lefts)) and len({caption.location["y"] for caption in captions}) == 1
    assert len(browser.find_elements("css selector", ".film")) == 2 * 7
    # A score of each.
    names = [name.text for name in first.find_elements("tag name", "dt")]
    values = [value.text for value in first.find_elements("tag name", "dd")]
    motions = [read_rows(output)[0]["motion"] for output in (corpus, moved.output)]
    place = 2 * names.index("motion")
    assert [float(value) for value in values[place : place + 2]] == pytest.approx(motions, 1e-3)
    assert f"livesketch ({moved.output})" in browser.find_element("id", "facts").text


def test_clips_of_strokes_play_from_their_svg(moved, browser, monkeypatch):
    write_report(ReportConfig(corpus=moved.output))
    browser.get(f"file://{moved.output}/report.html")
    clip = browser.find_element("css selector", ".clip")
    browser.execute_script("arguments[0].scrollIntoView()", clip)
    WebDriverWait(browser, 5).until(lambda _: clip.find_elements("css selector", ".film img"))
    (picture,) = clip.find_elements("css selector", ".film img")
    kind, _, content = picture.get_attribute("src").partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert len(read_animated_svg(base64.b64decode(content))) == 3
    # It is shown, and not where it is stopped: there is its film.
    assert picture.get_property("naturalWidth") > 0 and picture.is_displayed()
    browser.execute_script("arguments[0].focus()", clip)
    clip.send_keys(" ")
    assert not picture.is_displayed()
    monkeypatch.setattr(page_module, "MAX_SVG_BYTES", 100)
    write_report(ReportConfig(corpus=moved.output))
    clips = read_data(Path(moved.output) / "report.html")["clips"]
    assert {clip["svg"] for clip in clips} == {None} and clips[0]["film"]


def test_corpora_of_two_manifests_are_not_shown_together(corpus, moved, tmp_path):
    manifest = make_manifest(tmp_path, [{**good_rows(1)[0], "prompt": "it rests"}])
    other = replace(moved, manifest=manifest, output=f"{tmp_path}/other")
    animate_manifest(other)
    with pytest.raises(ValueError, match="other prompts than the first corpus"):
        write_report(ReportConfig(corpus=corpus, versus=(other.output,), output="a.html"))


def read_data(page: Path) -> dict:
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text())
    return json.loads(data[1])


def count_clips(page: Path) -> int:
    return len(read_data(page)["clips"])


def test_a_corpus_that_is_scored_in_part_shows_what_there_is(job, clip_folder):
    animate_manifest(job)
    evaluate(EvaluateConfig(corpus=job.output, clip_model=str(clip_folder), executor=LOCAL))
    scores = Path(job.output) / "scores" / "00001.parquet"
    content = scores.read_bytes()
    scores.unlink()
    write_report(ReportConfig(corpus=job.output))
    data = read_data(Path(job.output) / "report.html")
    by_name = [dict(zip(data["scores"], clip["scores"], strict=True)) for clip in data["clips"]]
    assert [own["s2v_consistency"] is None for own in by_name] == [False] * 2 + [True] * 2 + [
        False
    ] * 2
    assert all(own["motion"] is not None for own in by_name)
    scores.write_bytes(content[:50])
    with pytest.raises(ValueError, match="00001.parquet: not readable.*evaluate.py to make it"):
        write_report(ReportConfig(corpus=job.output))


def test_without_scores_it_shows_what_the_pixels_say(job, tmp_path):
    animate_manifest(job)
    write_report(ReportConfig(corpus=job.output, output=str(tmp_path / "page.html")))
    assert '"motion"' in (tmp_path / "page.html").read_text()
    with pytest.raises(ValueError, match="no corpus of clips"):
        write_report(ReportConfig(corpus=str(tmp_path)))
