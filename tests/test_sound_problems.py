"""A sound stack that gives sound, but not as it should: what `wakeword status` says of it."""

import contextlib
import os
import sys
import threading
import time

import numpy as np
import pytest
import soundfile
from support.daemon import AUDIO, Daemon, recording, until, wakeword
from support.room import noise
from support.soundserver import PipeWireServer, PulseServer

from wakeword_daemon.clock import SAMPLE_RATE

pytestmark = [pytest.mark.sound, pytest.mark.slow]

SECONDS = 12
WHOLE = 1_000  # samples of two channels that a pipe takes as a whole or not at all


class Microphone:
    """A source of a real server, written by hand: any rate that it claims, any that it keeps.

    `share` is the share of the promised rate that it delivers.
    """

    def __init__(self, room, rate=16_000, channels=1, share=1.0):
        self.sound = np.zeros((rate, channels))
        self._rate, self._share = rate, share
        path = room.root / "microphone"
        room.pactl(
            *("load-module", "module-pipe-source", f"file={path}", "source_name=written"),
            *("format=s16le", f"rate={rate}", f"channels={channels}"),
        )
        self._pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        until(lambda: room.takes("set-default-source", "written"), "the source")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def play(self, sound):
        """Write float [n] or [n, channels] over and over from now on."""
        sound = np.asarray(sound)
        self.sound = sound[:, None] if sound.ndim == 1 else sound

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        os.close(self._pipe)

    def _write(self):
        at, begin, written = 0, time.monotonic(), 0
        while not self._ended.wait(0.01):
            due = round((time.monotonic() - begin) * self._rate * self._share)
            due = min(due, written + WHOLE)
            sound = self.sound
            piece = np.take(sound, range(at, at + due - written), axis=0, mode="wrap")
            at, written = (at + due - written) % len(sound), due
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                os.write(self._pipe, np.clip(np.rint(piece), -32_768, 32_767).astype("<i2"))
            # While nobody records, the pipe is full: what is late then is not made up for.
            late = time.monotonic() - begin - written / self._rate / self._share
            if late > 0.3:
                begin += late


def tone(frequency, level, seconds=SECONDS, rate=SAMPLE_RATE):
    time_ = np.arange(seconds * rate) / rate
    return 32_768 * 10 ** (level / 20) * np.sqrt(2) * np.sin(2 * np.pi * frequency * time_)


def problems(daemon):
    return [problem["name"] for problem in daemon.status()["problems"]]


def setting(folder, channel):
    """Return arguments for a daemon that keeps this channel."""
    (config := folder / "config.yaml").write_text(f"audio: {{channel: {channel}}}")
    return "--config", config


ROOM = noise(SECONDS).astype(float)
WORD = np.concatenate(
    (ROOM[: SAMPLE_RATE // 2], soundfile.read(AUDIO / "jarvis-slt.flac", dtype="int16")[0])
)


def hears(daemon, microphone, then):
    """Say the word once, and go on with other sound."""
    before = daemon.status()["last_detection"]
    microphone.play(np.concatenate((WORD, then[: 3 * SAMPLE_RATE])))
    until(lambda: daemon.status()["last_detection"] != before, "a detection")


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("hum", ROOM + tone(50, -32)),
        ("offset", ROOM + 0.03 * 32_768),
        ("clipping", 300 * ROOM),
    ],
    ids=["hum", "offset", "clipping"],
)
def test_bad_sound_is_told_and_its_end_and_words_are_heard(room, name, bad):
    with Microphone(room) as microphone:
        microphone.play(bad)
        with Daemon(settings=room.env()) as daemon:
            daemon.notified("READY")
            until(lambda: problems(daemon) == [name], name)
            assert daemon.status()["state"] == "listening"
            assert name in wakeword("status", "--socket", daemon.socket).stdout
            hears(daemon, microphone, ROOM)
            until(lambda: problems(daemon) == [], "the end of it")
            assert daemon.log.count(f"{name}: ") == 2


@pytest.mark.long
def test_a_dead_channel_is_told(room, tmp_path):
    sound = np.stack((30 * ROOM, 0 * ROOM), axis=1)
    options = {"settings": room.env()}
    with Microphone(room, channels=2) as microphone:
        microphone.play(sound)
        with Daemon(*setting(tmp_path, 2), **options) as wrong:
            wrong.notified("READY")
            until(lambda: "dead-channel" in problems(wrong), "the dead channel")
            assert "channel: 1" in wrong.log


@pytest.mark.long
@pytest.mark.parametrize(("claimed", "true"), [(48_000, 44_100), (44_100, 48_000)])
def test_a_device_that_lies_about_its_rate_is_told(room, claimed, true):
    with Microphone(room, rate=claimed, share=true / claimed) as microphone:
        microphone.play(noise(SECONDS))
        with Daemon(settings=room.env()) as daemon:
            daemon.notified("READY")
            until(lambda: "wrong-rate" in problems(daemon), "the rate")
            assert daemon.status()["state"] == "listening"


def cost(before, after):
    """Return the seconds of CPU time for each hop heard between two statuses; a hop takes 0.08."""
    return (after["cpu"] - before["cpu"]) / (after["hops"] - before["hops"])


@pytest.mark.parametrize(
    "server",
    [PulseServer, pytest.param(PipeWireServer, marks=pytest.mark.long)],
    ids=["pulse", "pipewire"],
)
def test_another_default_microphone_costs_no_busy_core(server, tmp_path):
    """PortAudio's own threads can loop for ever then: PortAudio/portaudio issue 813."""
    recording(tmp_path / "word.wav", 0.3, "jarvis-slt", 0.6)
    with server() as room:
        room.hum()
        with Daemon(settings=room.env()) as daemon:
            daemon.notified("READY")
            module = room.pactl("load-module", "module-null-sink", "sink_name=other", "norewinds=1")
            until(lambda: room.takes("set-default-source", "other.monitor"), "the other device")
            for source in ("mic", "other.monitor", "mic", "other.monitor"):
                room.pactl("set-default-source", source)
            # The one in use goes away, as a headset does.
            room.pactl("unload-module", module)
            until(lambda: room.takes("set-default-source", "mic"), "the first device")
            until(lambda: daemon.status()["state"] == "listening", "sound")
            before = daemon.status()
            room.play(tmp_path / "word.wav")
            until(lambda: daemon.status()["last_detection"], "a detection")
            assert cost(before, daemon.status()) < 0.02


@pytest.mark.parametrize(
    ("server", "each", "minutes"),
    [
        (PulseServer, 0.5, 0),
        pytest.param(PulseServer, 2, 10, marks=pytest.mark.long),
        pytest.param(PipeWireServer, 2, 10, marks=pytest.mark.long),
    ],
)
def test_a_microphone_that_comes_and_goes_is_told_and_costs_no_busy_core(
    server, each, minutes, tmp_path
):
    """It is away and back for `each` seconds.

    PipeWire gives zeros meanwhile, which are taken for the pauses of a noise gate in the end.
    """
    told = ["unsteady"] if server is PulseServer else []
    recording(tmp_path / "word.wav", 0.3, "jarvis-slt", 0.6)
    with server() as room:
        room.hum()
        with Daemon(settings=room.env()) as daemon:
            daemon.notified("READY")
            begin, before = time.monotonic(), daemon.status()
            while time.monotonic() - begin < 60 * minutes or (told and problems(daemon) != told):
                room.unplug()
                time.sleep(each)
                room.plug()
                room.hum()
                time.sleep(each)
            after, took = daemon.status(), time.monotonic() - begin
            assert (after["cpu"] - before["cpu"]) / took < 0.25
            assert after["pid"] == before["pid"]
            until(lambda: daemon.status()["state"] == "listening", "sound")
            room.play(tmp_path / "word.wav")
            until(lambda: daemon.status()["last_detection"], "a detection")
            sys.stdout.write(
                f"{after['cpu'] - before['cpu']:.1f} s of CPU time in {took:.0f} s, "
                f"{after['capture']}, {after['sequence']} events\n"
            )
