"""`wakeword page` as a person uses it, in a real browser with a real daemon behind it."""

import json

import numpy as np
import pytest
from support.browser import Browser
from support.daemon import Daemon, recording, until
from support.webpage import two_clips

from wakeword_daemon import config

pytestmark = pytest.mark.slow

SLIDER = "document.querySelector('#threshold-jarvis')"


@pytest.fixture
def daemon(tmp_path, settings):
    recording(tmp_path / "in.wav", 12.0, "jarvis-slt", 240.0)
    with Daemon("--config", settings, "--input", tmp_path / "in.wav") as running:
        running.notified("READY")
        yield running


@pytest.fixture
def browser(page):
    with Browser(page.url) as shown:
        shown.sees("dBFS, noise")
        yield shown
        assert shown.faults == []


@pytest.fixture
def clips(tmp_path):
    tone = (8000 * np.sin(np.arange(16_000) / 20)).astype(np.int16)
    return two_clips(tmp_path / "clips", tone, tone)


def colours(browser, selector):
    """Return how many different colours a plot has."""
    return browser.run(
        f"""(() => {{
            const canvas = document.querySelector({json.dumps(selector)});
            const {{ data }} = canvas.getContext("2d")
                .getImageData(0, 0, canvas.width, canvas.height);
            return new Set(new Uint32Array(data.buffer)).size;
        }})()"""
    )


def thresholds(daemon_page):
    return {
        model["name"]: model["threshold"]
        for model in next(daemon_page.live())[1]["wake"][0]["models"]
    }


def test_it_shows_state_level_scores_and_detections(browser, daemon):
    assert browser.text("#state").startswith("listening on ")
    assert browser.run("document.title").startswith("listening")
    assert "smart_mirror" in browser.text("#words")
    for plot in ("#level-plot", ".word canvas"):
        assert colours(browser, plot) > 3
    browser.sees("jarvis", "#heard")
    assert browser.text("#news").startswith("Heard jarvis, score 0.")
    score = float(browser.text("#heard tbody td:nth-child(3)"))
    assert score == pytest.approx(daemon.status()["last_detection"]["score"], abs=0.001)
    assert browser.text("#nothing-heard") == ""
    browser.run("document.querySelector('#details summary').click()")
    browser.sees(str(daemon.process.pid), "#details")


def test_a_threshold_is_changed_by_the_keyboard_and_saved(browser, page, settings):
    before = settings.read_text()
    browser.run(f"{SLIDER}.focus()")
    browser.press("ArrowRight", times=3)
    browser.sees("0.53", ".threshold")
    until(lambda: thresholds(page)["jarvis"] == 0.53, "the new threshold")
    assert browser.run(f"{SLIDER}.getAttribute('aria-valuetext')") == "0.53, not saved"
    assert config.load(settings).words["jarvis"].threshold == 0.5
    browser.press("Tab")  # to the button that saves
    browser.press("Enter")
    browser.sees("Saved to", "#news")
    assert settings.read_text() == before.replace("0.5 ", "0.53 ")
    browser.holds("document.querySelector('.threshold button').disabled")
    assert browser.run(f"document.activeElement === {SLIDER}")


def test_a_failed_save_is_shown_on_the_page(browser, settings):
    settings.write_text("words: {alexa: {}}")
    browser.run(f"{SLIDER}.focus()")
    browser.press("ArrowLeft")
    browser.press("Tab")
    browser.press("Enter")
    browser.sees("does not name the word", "#problem")
    assert not browser.run("document.querySelector('.threshold button').disabled")


def test_it_pauses_and_resumes_and_keeps_the_focus(browser, daemon):
    browser.run("document.querySelector('#minutes').value = '60'")
    browser.click("#pause button")
    browser.sees("paused until", "#state")
    assert daemon.status()["state"] == "paused"
    assert daemon.status()["paused_until"] is not None
    assert browser.text("#level") == "no sound"
    browser.holds("document.activeElement === document.querySelector('#resume')")
    browser.press("Enter")
    browser.sees("listening", "#state")
    assert daemon.status()["state"] == "listening"
    browser.holds("document.activeElement === document.querySelector('#pause button')")


def test_clips_are_played_and_labelled(clips, browser):
    assert browser.text("#clips-count") == "2 of 2 without a label"
    assert "jarvis" in browser.text(".clip")
    browser.click(".clip .play")
    browser.sees("Stop", ".clip .play")
    browser.sees("Play", ".clip .play")  # a second later it is over
    first, second = clips.names()
    browser.click(".clip .said")  # the newest stands first
    browser.sees("1 of 2", "#clips-count")
    assert clips.read(second).label == "missed"
    assert browser.run("document.querySelector('.said').getAttribute('aria-pressed')") == "true"
    browser.click(".clip .said")
    browser.sees("2 of 2", "#clips-count")
    assert clips.read(second).label is None
    browser.click(".clip:last-child .unsaid")
    browser.sees("1 of 2", "#clips-count")
    assert clips.read(first).label == "wrong"
    browser.click(".clip .delete")
    browser.sees("0 of 1", "#clips-count")
    assert clips.names() == [first]


def test_without_clips_the_page_says_how_to_keep_them(browser, tmp_path):
    browser.sees(f"There are none in {tmp_path / 'clips'}.", "#no-clips")
    browser.sees("clips: {keep: true}", "#no-clips")


def test_a_browser_on_the_network_is_asked_for_the_token(page):
    with Browser("about:blank") as browser:
        browser.send("Network.enable")
        browser.send("Network.setExtraHTTPHeaders", headers={"X-Forwarded-For": "192.0.2.7"})
        browser.go(page.url)
        browser.sees("asks for a token", "#entry")
        assert browser.text("main") == ""
        browser.send("Input.insertText", text=page.token)
        browser.press("Enter")
        browser.sees("dBFS, noise")
        assert browser.text("#entry") == ""
        # Known from now on, and an address with the token does it too.
        browser.go(page.url)
        browser.sees("dBFS, noise")
        browser.run("localStorage.clear()")
        browser.go("about:blank")
        browser.go(f"{page.url}#{page.token}")
        browser.sees("dBFS, noise")
        assert browser.run("location.href") == page.url


def test_a_daemon_that_goes_away_is_shown_and_waited_for(browser, daemon, settings, tmp_path):
    daemon.stop()
    browser.sees("away", "#state")
    options = ("--config", settings, "--input", tmp_path / "in.wav", "--socket", daemon.socket)
    with Daemon(*options):
        browser.sees("listening", "#state")
        browser.sees("dBFS, noise")


def test_the_page_shows_that_its_server_ended(browser, page):
    page.process.kill()
    browser.sees("the page's server does not answer", "#state")
    browser.run("document.querySelector('#pause button').click()")
    browser.sees("the page's server does not answer", "#problem")


def test_a_hidden_page_does_not_watch(browser, daemon):
    watchers = lambda: len(daemon.status()["subscribers"]) - 1  # noqa: E731
    assert watchers() == 1
    browser.hide()
    until(lambda: not watchers(), "the end of watching")
    browser.hide(hidden=False)
    until(watchers, "watching again")
    browser.sees("dBFS, noise")


@pytest.mark.usefixtures("clips")
def test_a_screen_reader_finds_a_name_for_everything(browser):
    said = browser.said()
    for role, name in said:
        if role in {"button", "slider", "checkbox", "combobox", "image", "heading", "region"}:
            assert name, (role, said)
    assert {name for role, name in said if role == "heading"} >= {"Level", "Words", "Heard"}
    assert ("slider", "Threshold of jarvis") in said
    assert ("slider", "Threshold of smart_mirror") in said
    names = [name for role, name in said if role == "button"]
    unnamed = {"Yes", "No"}  # of the group that has the clip's name
    assert len(set(names) - unnamed) == len([name for name in names if name not in unnamed])


@pytest.mark.usefixtures("clips")
def test_the_keyboard_reaches_everything(browser):
    wanted = browser.run(
        "document.querySelectorAll('button, input, select, summary').length"
        " - document.querySelectorAll(':disabled, [hidden] *, [hidden]:is(button)').length"
    )
    reached = set()
    for _ in range(40):
        browser.press("Tab")
        reached.add(
            browser.run("[...document.querySelectorAll('*')].indexOf(document.activeElement)")
        )
        outline = browser.run("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or browser.run("document.activeElement === document.body")
    assert len(reached) >= wanted


CONTRAST = """(() => {
    const parse = (text) => text.match(/[\\d.]+/g).map(Number);
    const luminance = ([red, green, blue]) => {
        const linear = [red, green, blue].map((value) => {
            const share = value / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const back = (element) => {
        for (let one = element; one; one = one.parentElement) {
            const colour = parse(getComputedStyle(one).backgroundColor);
            if (colour.length === 3 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const poor = [];
    for (const element of document.querySelectorAll("body *")) {
        const text = [...element.childNodes].some((node) => node.nodeType === 3
            && node.textContent.trim());
        if (!text || !element.checkVisibility() || element.disabled) continue;
        const [low, high] = [parse(getComputedStyle(element).color), back(element)]
            .map(luminance).sort((one, other) => one - other);
        const ratio = (high + 0.05) / (low + 0.05);
        if (ratio < 4.5) poor.push([element.outerHTML.slice(0, 80), ratio]);
    }
    return poor;
})()"""


@pytest.mark.parametrize("width", [320, 400, 1400])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.usefixtures("clips")
def test_the_page_fits_narrow_screens_and_is_readable(browser, width, dark):
    """WCAG 2.2: 1.4.10 asks for 320 pixels without scrolling sideways, 1.4.3 for a contrast."""
    browser.size(width, 800)
    browser.colours(dark=dark)
    browser.holds(f"document.documentElement.scrollWidth <= {width}")
    assert browser.run(CONTRAST) == []
    back = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, back[4:-1].split(","))) < 300) == dark
