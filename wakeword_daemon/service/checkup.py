"""Finds out what keeps this machine from hearing its wake words, and which command helps."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wakeword_daemon import config as config_file
from wakeword_daemon import xdg
from wakeword_daemon.audio.probe import Levels, Probe, probe
from wakeword_daemon.audio.sources import CaptureSettings
from wakeword_daemon.config import Config
from wakeword_daemon.engine.streams import running_step
from wakeword_daemon.errors import AudioError, ConfigError, EventsError, WakewordError
from wakeword_daemon.events.client import read_status
from wakeword_daemon.levels import SILENCE
from wakeword_daemon.words import load_words

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 3.5
"""Seconds for which the microphone is recorded."""

_CLIPPED = 1e-3
"""Share of samples at full scale from which distortion is audible."""
_TOO_QUIET = -45.0
"""dBFS that speech in the room should exceed."""
_TOO_NOISY = -40.0
"""dBFS of noise in which words are missed."""
_PATIENCE = 5.0
"""Seconds that another program may take to answer."""

Verdict = Literal["ok", "note", "warning", "failure"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        subject: what was checked.
        verdict: "failure" if nothing can be heard, "warning" if words may be missed, "note" if
            something could be better.
        text: what was found, as a sentence.
        command: the command that helps; "" if there is none.

    """

    subject: str
    verdict: Verdict
    text: str
    command: str = ""


def examine(path: Path | None = None) -> Iterator[Finding]:
    """Check everything from the microphone to the socket; yield each finding at once.

    Args:
        path: the config file; None for the one that the daemon would read.

    """
    chosen = config_file.find(path)
    try:
        config = config_file.load(chosen)
    except ConfigError as error:
        yield Finding("settings", "failure", str(error))
        config = Config()
    else:
        yield Finding("settings", "ok", str(chosen))
    yield _words(config)
    yield _engine()
    server = _sound_server()
    yield server
    if server.verdict != "failure":
        yield from _microphone(config, has_server=bool(shutil.which("pactl")) and _has_server())
    yield from _daemon(config)
    yield from _service()


def _words(config: Config) -> Finding:
    try:
        words = load_words(config.words)
    except WakewordError as error:
        return Finding("words", "failure", str(error), "wakeword words")
    return Finding("words", "ok", f"{', '.join(words.names)}, self-test passed")


def _engine() -> Finding:
    step = running_step()
    if step == "C":
        return Finding("engine", "ok", "step in C")
    return Finding(
        "engine",
        "note",
        "step in numpy, which costs more CPU: the package was built without a C compiler",
        "sudo apt install gcc python3-dev, then install the package again",
    )


def _sound_server() -> Finding:
    subject = "sound server"
    if _has_server():
        name = "PulseAudio or PipeWire"
        if shutil.which("pactl"):
            answer = _run("pactl", "info")
            if answer is None or answer.returncode:
                return Finding(
                    subject, "failure", "it does not answer",
                    "systemctl --user restart pipewire-pulse.service || pulseaudio --kill",
                )  # fmt: skip
            fields = (line.partition(": ") for line in answer.stdout.splitlines())
            name = next((value for key, _, value in fields if key == "Server Name"), name)
        return Finding(subject, "ok", name)
    recorders = sorted(Path("/dev/snd").glob("pcm*c"))
    if not recorders:
        return Finding(
            subject, "failure", "none runs for this user, and ALSA has no microphone",
            "systemctl --user start pipewire-pulse.service || pulseaudio --start",
        )  # fmt: skip
    if not any(os.access(device, os.R_OK) for device in recorders):
        return Finding(
            subject, "failure", f"none runs, and this user may not read {recorders[0]}",
            f"sudo usermod --append --groups audio {getpass.getuser()}",
        )  # fmt: skip
    return Finding(subject, "ok", "none runs; ALSA is used directly")


def _has_server() -> bool:
    if "PULSE_SERVER" in os.environ:
        return True
    folder = xdg.runtime_folder()
    return folder is not None and (folder / "pulse/native").exists()


def _microphone(config: Config, *, has_server: bool) -> Iterator[Finding]:
    audio = config.audio
    try:
        found = probe(CaptureSettings(audio.device, audio.channel, audio.rate), SECONDS)
    except AudioError as error:
        users = users_of("/dev/snd/pcm*c")
        busy = f"; {', '.join(users)} use it" if users else ""
        yield Finding("microphone", "failure", f"{error}{busy}", "wakeword devices")
        return
    resampled = "" if found.rate == 16_000 else ", resampled to 16000 Hz"  # noqa: PLR2004
    yield Finding("microphone", "ok", f"{found.device} at {found.rate} Hz{resampled}")
    yield _level(found.levels, has_server=has_server)
    for problem in found.problems:
        if problem.name != "clipping":  # the level says more about it
            yield Finding(problem.name, "warning", problem.text)
    yield _memory(found)


def _level(levels: Levels, *, has_server: bool) -> Finding:
    subject = "level"
    unmute, quieter, louder = (
        ("pactl set-source-mute @DEFAULT_SOURCE@ 0", "pactl set-source-volume @DEFAULT_SOURCE@ 60%",
         "pactl set-source-volume @DEFAULT_SOURCE@ 100%")
        if has_server
        else ("amixer set Capture cap", "amixer set Capture 60%", "amixer set Capture 100%")
    )  # fmt: skip
    if levels.peak == SILENCE:
        return Finding(subject, "failure", "exact zeros: the microphone is muted", unmute)
    heard = f"noise floor {levels.floor:.0f} dBFS, loudest moment {levels.peak:.0f} dBFS"
    if levels.clipped > _CLIPPED:
        clipped = f"{levels.clipped:.1%} of the samples are clipped ({heard})"
        return Finding(subject, "warning", clipped, quieter)
    if levels.floor > _TOO_NOISY:
        return Finding(subject, "warning", f"noisy: {heard}")
    if levels.peak < _TOO_QUIET:
        return Finding(subject, "warning", f"quiet, unless nobody spoke: {heard}", louder)
    return Finding(subject, "ok", heard)


def _memory(found: Probe) -> Finding:
    text = f"the sound libraries take {found.memory / 1e6:.0f} MB"
    encoder = Path("/etc/alsa/conf.d/60-a52-encoder.conf")
    if any(name.startswith("libavcodec") for name in found.libraries) and encoder.exists():
        return Finding(
            "memory", "note", f"{text}, most of it for ALSA's a52 plug-in", f"sudo rm {encoder}"
        )
    return Finding("memory", "ok", text)


def users_of(pattern: str) -> list[str]:
    """Return the programs that have a matching file open, of those that this user may see."""
    users = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            files = [entry.readlink() for entry in (process / "fd").iterdir()]
            if any(file.match(pattern) for file in files):
                users.append((process / "comm").read_text().strip())
        except OSError:
            continue  # it ended meanwhile, or is another user's
    return users


def _daemon(config: Config) -> Iterator[Finding]:
    subject = "daemon"
    try:
        status = read_status(config.socket.path)
    except EventsError as error:
        yield Finding(subject, "note", str(error), "wakeword service install")
        return
    if status.state == "paused":
        yield Finding(subject, "failure", f"it is paused {status.reason}", "wakeword resume")
    elif status.state != "listening":
        reason = f": {status.reason}" if status.reason else ""
        yield Finding(subject, "failure", f"it is {status.state}{reason}", "wakeword status")
    else:
        yield Finding(subject, "ok", f"it listens for {', '.join(status.words)}")
    for problem in status.problems:
        yield Finding(problem.name, "warning", problem.text)


def _service() -> Iterator[Finding]:
    answer = _run("systemctl", "--user", "is-enabled", "wakeword.service")
    if answer is None or "bus" in answer.stderr:
        yield Finding("service", "ok", "this user has no service manager")
        return
    if answer.returncode:
        yield Finding("service", "note", "it is not installed", "wakeword service install")
        return
    active = _run("systemctl", "--user", "is-active", "wakeword.service")
    if active is None or active.returncode:
        yield Finding("service", "failure", "it does not run", "systemctl --user restart wakeword")
    else:
        yield Finding("service", "ok", "it runs, and starts with your session")
    lingers = _run("loginctl", "show-user", getpass.getuser(), "--property=Linger")
    if lingers is not None and "=no" in lingers.stdout:
        yield Finding("service", "note", "it stops when you log out", "loginctl enable-linger")


def _run(*command: str) -> subprocess.CompletedProcess[str] | None:
    """Return the output of a program; None if it is not installed or does not answer."""
    try:
        return subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
