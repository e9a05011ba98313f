"""The microphone, with a real sound server that fails in every way a sound server fails."""

import time
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile
from support.ear import Ear
from support.soundserver import PipeWireServer, PulseServer

from wakeword_daemon.audio import capture, devices
from wakeword_daemon.audio.stream import InputStream
from wakeword_daemon.clock import SAMPLE_RATE, seconds
from wakeword_daemon.errors import AudioError

pytestmark = pytest.mark.sound

SWEEP = (9_000 * np.sin(np.arange(SAMPLE_RATE) ** 2 / 9e4)).astype(np.int16)


@pytest.fixture
def pulse(monkeypatch):
    with PulseServer() as server:
        server.adopt(monkeypatch)
        server.hum()
        yield server


@pytest.fixture
def pulse_without_hum(monkeypatch):
    """A microphone that gives exact zeros but for what is played into it."""
    with PulseServer() as server:
        server.adopt(monkeypatch)
        yield server


@pytest.fixture(params=[PulseServer, PipeWireServer], ids=["pulse", "pipewire"])
def server(request, monkeypatch):
    with request.param() as server:
        server.adopt(monkeypatch)
        server.hum()
        yield server


@pytest.fixture
def ear():
    """A capture that asks the sound server itself."""
    with Ear() as ear:
        yield ear


@pytest.fixture
def portaudio_ear():
    """A capture that reaches the same server through PortAudio and ALSA."""
    with Ear("default") as ear:
        yield ear


def wait_for_the_clock(ear, begin):
    """Wait until the sample clock is right again, whatever was lost meanwhile.

    At once it may be behind: audio that comes late is not lost until it stays late.
    """
    ear.wait_until(lambda: abs(ear.drift(begin)) < 0.5)


def assert_the_hole_is_counted(ear):
    """Stop the capture; assert that what it skipped is what it says was lost.

    A busy computer may lose more in the first moments of a new stream, so the number of gaps says
    nothing.
    """
    ear.capture.stop()
    counters = ear.capture.counters
    assert counters.gaps
    assert counters.reopened
    assert ear.ring.clock - ear.ring.heard == counters.lost > 0


def test_a_killed_server_that_comes_back(server, ear, capfd):
    ear.wait_for("listening")
    begin = time.monotonic() - seconds(ear.ring.clock)
    server.kill()
    assert ear.wait_for("deaf").reason
    time.sleep(0.5)
    server.start()
    server.hum()
    ear.wait_for("listening")
    ear.wait_for_audio()
    wait_for_the_clock(ear, begin)
    assert ear.names == ["listening", "deaf", "listening"], "each once, however often it tried"
    assert_the_hole_is_counted(ear)
    assert ear.capture.counters.lost > SAMPLE_RATE / 2
    assert capfd.readouterr().err == ""


def test_a_killed_server_is_awaited_without_portaudio(pulse, ear, monkeypatch):
    """It would open the device itself, and then the server could not have it."""
    ear.wait_for("listening")
    found = Mock(side_effect=AssertionError)
    monkeypatch.setattr(devices, "find", found)
    pulse.kill()
    assert "the sound server cannot be reached" in ear.wait_for("deaf").reason.lower()
    pulse.start()
    pulse.hum()
    ear.wait_for("listening")
    assert not found.called


def test_a_server_that_stays_away_leaves_the_microphone_to_portaudio(pulse, ear, monkeypatch):
    monkeypatch.setattr(capture, "_AWAY", 0.5)
    ear.wait_for("listening")
    found = Mock(side_effect=AudioError("it is asked"))
    monkeypatch.setattr(devices, "find", found)
    pulse.kill()
    ear.wait_until(lambda: found.called)


def test_portaudio_recovers_from_a_killed_server_too(pulse, portaudio_ear, capfd):
    ear = portaudio_ear
    ear.wait_for("listening")
    begin = time.monotonic() - seconds(ear.ring.clock)
    pulse.kill()
    ear.wait_for("deaf")
    pulse.start()
    pulse.hum()
    ear.wait_for("listening")
    ear.wait_for_audio()
    wait_for_the_clock(ear, begin)
    assert_the_hole_is_counted(ear)
    assert "Expression" not in (err := capfd.readouterr().err)
    assert "ALSA lib" not in err


def test_a_server_that_comes_back_at_another_rate(pulse, ear, tmp_path):
    ear.wait_for("listening")
    pulse.kill()
    ear.wait_for("deaf")
    pulse.rate = 48_000
    pulse.start()
    pulse.hum()
    ear.wait_for("listening")
    at = ear.ring.clock
    soundfile.write(tmp_path / "sweep.wav", SWEEP, SAMPLE_RATE)
    pulse.play(tmp_path / "sweep.wav")
    ear.wait_for_audio(0.5)
    assert ear.find(SWEEP, since=at)[1] > 0.9


def test_a_running_server_that_changes_its_rate(server, ear, tmp_path):
    """What is heard then is at the right speed."""
    soundfile.write(tmp_path / "sweep.wav", SWEEP, SAMPLE_RATE)
    ear.wait_for("listening")
    server.change_rate(44_100)
    ear.wait_for("listening")
    ear.wait_for_audio()
    at = ear.ring.clock
    server.play(tmp_path / "sweep.wav")
    ear.wait_for_audio(0.5)
    assert ear.find(SWEEP, since=at)[1] > 0.9
    assert ear.capture.state.rate == SAMPLE_RATE
    assert ear.capture.problems == ()


def test_a_server_that_is_not_there_yet(monkeypatch):
    server = PulseServer()
    server.adopt(monkeypatch)
    with Ear() as ear:
        assert "no microphone, or the sound server is not running" in ear.wait_for("deaf").reason
        with server:
            ear.wait_for("listening")
            ear.wait_for_audio()
    assert ear.names[:2] == ["deaf", "listening"]
    assert ear.capture.counters.gaps == 0, "nothing was lost before the first sample"


def test_a_server_that_hangs_does_not_hang_the_capture(server, ear):
    ear.wait_for("listening")
    begin = time.monotonic() - seconds(ear.ring.clock)
    server.stop_hang()
    assert "no audio arrives" in ear.wait_for("deaf").reason
    for _ in range(3):
        beat = ear.capture.heartbeat
        ear.wait_until(lambda beat=beat: ear.capture.heartbeat > beat)
    server.resume()
    ear.wait_for("listening")
    ear.wait_for_audio()
    wait_for_the_clock(ear, begin)
    assert ear.names == ["listening", "deaf", "listening"]
    assert_the_hole_is_counted(ear)


def test_a_library_that_hangs_shows_in_the_heartbeat(pulse, portaudio_ear):
    ear = portaudio_ear
    ear.wait_for("listening")
    begin = time.monotonic() - seconds(ear.ring.clock)
    pulse.stop_hang()
    assert "no audio arrives" in ear.wait_for("deaf").reason
    ear.wait_until(lambda: time.monotonic() - ear.capture.heartbeat > 1)
    pulse.resume()
    ear.wait_for("listening")
    ear.wait_for_audio()
    wait_for_the_clock(ear, begin)
    ear.wait_until(lambda: time.monotonic() - ear.capture.heartbeat < 1)
    assert ear.names == ["listening", "deaf", "listening"]
    assert_the_hole_is_counted(ear)


def test_stopping_does_not_wait_for_a_library_that_hangs(pulse, portaudio_ear):
    ear = portaudio_ear
    ear.wait_for("listening")
    pulse.stop_hang()
    ear.wait_for("deaf")
    ear.wait_until(lambda: time.monotonic() - ear.capture.heartbeat > 0.5)
    assert not ear.capture.stop(0.1)
    pulse.resume()
    assert ear.capture.stop(20)


def test_a_short_hang_loses_no_audio(pulse, ear):
    ear.wait_for("listening")
    begin = time.monotonic() - seconds(ear.ring.clock)
    hung = time.monotonic()
    pulse.stop_hang()
    time.sleep(0.4)
    pulse.resume()
    if time.monotonic() - hung > 0.8:
        pytest.skip("this machine is too busy for a short hang")
    ear.wait_for_audio(0.6)
    wait_for_the_clock(ear, begin)
    assert ear.names == ["listening"]
    assert ear.capture.counters.gaps == 0


def test_all_sources_disappear_and_come_back(server, ear):
    ear.wait_for("listening")
    begin = time.monotonic() - seconds(ear.ring.clock)
    server.unplug()
    # PulseAudio ends the stream; PipeWire continues it, with zeros.
    ear.wait_until(lambda: ear.capture.state.name != "listening")
    server.plug()
    server.hum()
    ear.wait_for("listening")
    ear.wait_for_audio()
    wait_for_the_clock(ear, begin)
    missing = "deaf" if isinstance(server, PulseServer) else "degraded"
    assert ear.names[:3] == ["listening", missing, "listening"]
    # Until the room hums again, the new microphone gives zeros too.
    assert ear.names[3:] in ([], ["degraded", "listening"])


def test_another_default_device(server, ear, tmp_path):
    server.pactl("load-module", "module-null-sink", "sink_name=other", "channels=1", "norewinds=1")
    ear.wait_for("listening")
    server.pactl("set-default-source", "other.monitor")
    at = ear.ring.clock
    soundfile.write(tmp_path / "sweep.wav", SWEEP, SAMPLE_RATE)
    server.play(tmp_path / "sweep.wav", sink="other")
    ear.wait_for_audio(0.5)
    assert ear.find(SWEEP, since=at)[1] > 0.9


def test_a_stream_that_stalls(pulse, ear, tmp_path):
    ear.wait_for("listening")
    pulse.pactl("load-module", "module-pipe-source", f"file={tmp_path}/fifo", "source_name=fifo")
    pulse.pactl("set-default-source", "fifo")
    assert "no audio arrives" in ear.wait_for("deaf").reason
    pulse.pactl("set-default-source", "mic")
    ear.wait_for("listening")
    ear.wait_for_audio()


def test_a_muted_microphone_is_reported(server, ear):
    ear.wait_for("listening")
    server.pactl("set-source-mute", "mic", "1")
    state = ear.wait_for("degraded")
    assert state.reason == "default gives exact zeros: it is muted, or its source is gone."
    assert state.device == "default"
    ear.wait_until(lambda: ear.capture.counters.reopened)
    server.pactl("set-source-mute", "mic", "0")
    ear.wait_for("listening")
    assert ear.names == ["listening", "degraded", "listening"]


def test_a_source_with_exact_zeros_in_its_pauses_keeps_its_state(pulse_without_hum, ear, tmp_path):
    """A null sink between two sounds, or a microphone behind a noise gate."""
    soundfile.write(tmp_path / "sound.wav", SWEEP, SAMPLE_RATE)
    ear.wait_for("listening")
    for _ in range(8):
        pulse_without_hum.play(tmp_path / "sound.wav")
        time.sleep(3)
    changes, opened = len(ear.states), ear.capture.counters.reopened
    assert changes <= 5, ear.states  # listening, and twice degraded and back
    assert opened <= 2
    for _ in range(4):
        pulse_without_hum.play(tmp_path / "sound.wav")
        time.sleep(3)
    assert len(ear.states) == changes
    assert ear.capture.counters.reopened == opened
    assert ear.capture.state.name == "listening"


def starve(monkeypatch, nap):
    """Let the capture's next poll come `nap` seconds later; return how late it came, in a list."""
    poll, late = InputStream.poll, []

    def starved(self, blocks):
        if not late:
            begin = time.monotonic()
            time.sleep(nap)
            late.append(time.monotonic() - begin)
        return poll(self, blocks)

    monkeypatch.setattr(InputStream, "poll", starved)
    return late


@pytest.mark.usefixtures("server")
def test_a_thread_that_is_starved_for_a_second_misses_nothing(ear, monkeypatch):
    """At least once of several times, because a busy machine may starve the sound server too."""
    ear.wait_for("listening")
    begin = time.monotonic() - seconds(ear.ring.clock)
    for _ in range(5):
        before = replace(ear.capture.counters), len(ear.states)
        late = starve(monkeypatch, 1.2)
        ear.wait_until(lambda late=late: late)
        ear.wait_for_audio(3)
        wait_for_the_clock(ear, begin)
        if (ear.capture.counters, len(ear.states)) == before:
            return
    pytest.fail(f"it missed something each time: {ear.capture.counters}, {ear.states}")


@pytest.mark.usefixtures("pulse")
@pytest.mark.parametrize(("device", "nap"), [(None, 4.0), ("default", 2.2)])
def test_a_starved_thread_counts_the_audio_it_missed(monkeypatch, device, nap):
    with Ear(device) as ear:
        ear.wait_for("listening")
        begin = time.monotonic() - seconds(ear.ring.clock)
        starve(monkeypatch, nap)
        ear.wait_until(lambda: ear.capture.counters.gaps)
        ear.wait_for_audio()
        wait_for_the_clock(ear, begin)
    assert ear.names == ["listening"], "it was never deaf"
    assert ear.capture.counters.lost > SAMPLE_RATE


@pytest.mark.usefixtures("pulse")
def test_an_unstable_stream_is_not_reported_as_listening_at_once(ear, monkeypatch):
    poll, count = InputStream.poll, iter(range(1_000))

    def breaks(self, blocks):
        if next(count) % 4 == 3:
            raise AudioError("it broke")
        return poll(self, blocks)

    monkeypatch.setattr(InputStream, "poll", breaks)
    ear.wait_until(lambda: ear.capture.counters.reopened >= 7)
    assert len(ear.states) <= 7, "listening and deaf in turn, but not at every try"
    assert ear.capture.state.name == "deaf"
    assert "it broke" in ear.capture.state.reason
    monkeypatch.undo()
