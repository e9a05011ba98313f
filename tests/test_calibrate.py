"""Thresholds for a room: the arithmetic, and the command on recordings and on a running daemon."""

import json
import re
import signal

import numpy as np
import pytest
import soundfile
from support.daemon import AUDIO, WAKEWORD, Daemon, recording, until, wakeword
from support.terminal import Terminal

from wakeword_daemon import load_model
from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.engine.calibration import RoomScores, propose, upper_bound

AN_HOUR = 45_000  # hops


def room(*peaks, hours=1.0):
    """Return the scores of a room in which a few moments sounded like the word."""
    scores = np.zeros(round(hours * AN_HOUR))
    for number, peak in enumerate(peaks):
        at = 100 * (number + 1)
        scores[at : at + 3] = peak / 2, peak, peak / 3
    collected = RoomScores()
    collected.add(scores.tolist())
    return collected


def test_each_high_moment_counts_as_one_false_accept():
    heard = room(0.9, 0.8, 0.3)
    assert heard.hours == pytest.approx(1.0)
    assert heard.highest == 0.9
    counts = [heard.false_accepts(threshold) for threshold in (0.95, 0.85, 0.5, 0.1)]
    assert counts == [0, 1, 2, 3]


@pytest.mark.parametrize(("rate", "accepts"), [(0.5, 0), (1, 1), (2.9, 2), (3, 3), (100, 5)])
def test_the_threshold_is_the_lowest_within_the_rate(rate, accepts):
    heard = room(0.9, 0.8, 0.6, 0.4, 0.2)
    threshold = heard.threshold(rate)
    assert heard.false_accepts(threshold) == accepts


def test_more_hours_allow_more_false_accepts():
    peaks = (0.9, 0.8, 0.6, 0.4)
    assert room(*peaks, hours=4).threshold(0.5) < room(*peaks, hours=1).threshold(0.5)


def test_a_quiet_room_gets_no_threshold_below_the_measured_ones():
    card = load_model("jarvis").card
    proposal = propose(room(), card, 0.25)
    lowest = min(point.threshold for point in card.operating_points)
    assert proposal.threshold == pytest.approx(lowest, abs=1e-6)  # it has six decimals
    assert proposal.false_accepts == 0
    assert proposal.at_most == pytest.approx(2.303, abs=1e-3)


def test_the_miss_rate_comes_from_the_model_card():
    card = load_model("jarvis").card
    points = sorted(card.operating_points, key=lambda point: point.threshold)
    assert propose(room(), card, 0.25).miss_rate == points[0].miss_rate
    loud = propose(room(0.999_999), card, 0.25)
    assert loud.threshold > points[-1].threshold
    assert loud.miss_rate is None


@pytest.mark.parametrize(("count", "bound"), [(0, 2.3026), (1, 3.8897), (2, 5.3223), (10, 15.4066)])
def test_the_upper_bound_is_garwoods(count, bound):
    assert upper_bound(count) == pytest.approx(bound, abs=1e-3)


@pytest.fixture
def evening(tmp_path):
    """Two minutes in which the word is said twice, as a television might."""
    recording(tmp_path / "evening.wav", 20.0, "jarvis-slt", 40.0, "other-slt", "jarvis-rms", 60.0)
    return tmp_path / "evening.wav"


def test_a_recording_is_processed_faster_than_real_time(evening):
    done = wakeword("calibrate", "--word", "jarvis", "--from", evening, "--json")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert found["false_accepts_now"] == 2
    assert found["false_accepts"] == 0
    assert found["threshold"] > 0.9
    assert found["hours"] == pytest.approx(soundfile.info(evening).duration / 3600, abs=1e-3)
    strict = wakeword("detect", "--word", "jarvis", "--threshold", found["threshold"], evening)
    assert strict.stdout == ""


def test_its_output_can_be_pasted_into_the_config(evening, tmp_path):
    done = wakeword("calibrate", "--word", "jarvis", "--from", evening, "--rate", 100)
    assert "with 90 % confidence fewer than" in done.stdout
    snippet = done.stdout[done.stdout.index("words:") :]
    (tmp_path / "config.yaml").write_text(snippet)
    assert wakeword("run", "--check", "--config", tmp_path / "config.yaml").returncode == 0
    (threshold,) = re.findall(r"threshold: (.*)", snippet)
    found = wakeword("detect", "--config", tmp_path / "config.yaml", evening)
    assert len(found.stdout.splitlines()) == 2, threshold


@pytest.mark.slow
def test_it_calibrates_through_a_running_daemon(tmp_path):
    pcm = soundfile.read(AUDIO / "jarvis-slt.flac", dtype="int16")[0]
    silence = np.zeros(90 * SAMPLE_RATE, np.int16)
    soundfile.write(tmp_path / "in.wav", np.concatenate([silence[:80_000], pcm, silence]), 16_000)
    config = tmp_path / "config.yaml"
    config.write_text("# mine\nwords:\n  jarvis:\n")
    with Daemon("--config", config, "--input", tmp_path / "in.wav") as daemon:
        daemon.notified("READY")
        arguments = ("--word", "jarvis", "--socket", daemon.socket, "--for", "62s", "--save")
        with Terminal(*WAKEWORD, "calibrate", *arguments) as terminal:
            terminal.prints("to go; highest scores: jarvis")
            until(lambda: daemon.status()["last_detection"], "a detection")
            assert terminal.end() == 0
            text = terminal.printed
    assert "1 false accept here" in text
    (proposed,) = re.findall(r"proposed +(\S+)", text)
    assert f"jarvis: {proposed} is in force and in {config}" in text
    assert config.read_text().startswith("# mine\n")
    assert f"threshold: {proposed}" in config.read_text()
    assert "0 false accepts here, so with 90 % confidence fewer than" in text


@pytest.mark.slow
def test_ctrl_c_ends_with_what_was_heard_so_far(tmp_path):
    recording(tmp_path / "in.wav", 60.0)
    with Daemon("--input", tmp_path / "in.wav") as daemon:
        daemon.notified("READY")
        arguments = ("--word", "jarvis", "--socket", daemon.socket)
        with Terminal(*WAKEWORD, "calibrate", *arguments) as terminal:
            terminal.prints("to go; highest scores: jarvis")
            terminal.process.send_signal(signal.SIGINT)
            assert terminal.end() == 1
            assert (
                "s were heard; a proposal needs at least a minute, and better hours"
                in terminal.printed
            )


def test_words_that_only_the_daemon_knows_are_named(tmp_path):
    recording(tmp_path / "in.wav", 60.0)
    with Daemon("--input", tmp_path / "in.wav") as daemon:
        daemon.notified("READY")
        done = wakeword("calibrate", "--word", "alexa", "--socket", daemon.socket)
    assert done.returncode == 1
    assert "the daemon listens for jarvis, which the config here does not name" in done.stderr


@pytest.mark.parametrize("duration", ["3", "0h", "soon", "-1h"])
def test_an_invalid_duration_is_refused(duration):
    done = wakeword("calibrate", f"--for={duration}")
    assert done.returncode == 2
    assert "is not a time such as 90min or 4h" in done.stderr
