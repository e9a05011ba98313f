"""A private PulseAudio server: a microphone for tests on a machine without a sound card.

What is played into its null sink `speaker` comes out of the source `mic`. Every path a client
could look at points into one short directory of its own, so nothing of the user's is read or
written, and processes are ended by the pid this module started.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)

# ALSA_CONFIG_PATH replaces the system's file as a whole: PortAudio lists exactly these devices.
_ALSA = """\
pcm.!default { type pulse hint { show on description "the server's default source" } }
ctl.!default { type pulse }
pcm.room { type pulse device mic hint { show on description "the source mic, by name" } }
"""


def _die_with_the_test() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class PulseServer:
    """A running server as a context manager; skips the test where PulseAudio is missing.

    `rate` is the rate of sink and source: at 16,000 Hz what is captured equals what is played,
    sample for sample. A silent null sink gives exact zeros, as no real microphone does: call
    `hum()` where the test needs a room that is quiet but alive.
    """

    def __init__(self, rate: int = 16_000) -> None:
        for tool in ("pulseaudio", "pactl", "paplay"):
            if shutil.which(tool) is None:
                pytest.skip(f"{tool} is not installed (apt install pulseaudio pulseaudio-utils)")
        self.rate = rate
        # A socket's path is limited to 107 bytes, which a pytest tmp_path can exceed.
        self.root = Path(tempfile.mkdtemp(prefix="snd-", dir="/tmp"))
        self.socket = self.root / "pulse.sock"
        self.log = self.root / "server.log"
        (self.root / "run").mkdir(mode=0o700)
        (self.root / "alsa.conf").write_text(_ALSA)
        (self.root / "client.conf").write_text("autospawn = no\nenable-shm = no\n")
        self._process: subprocess.Popen[bytes] | None = None
        self._players: list[subprocess.Popen[bytes]] = []

    def env(self) -> dict[str, str]:
        """Return the environment of a client, whole; set before PortAudio is initialised."""
        prefixes = ("PULSE_", "PIPEWIRE_", "ALSA_", "JACK_", "XDG_", "DBUS_")
        env = {key: value for key, value in os.environ.items() if not key.startswith(prefixes)}
        return env | {
            "HOME": str(self.root),
            "XDG_RUNTIME_DIR": str(self.root / "run"),
            "XDG_CONFIG_HOME": str(self.root),
            "ALSA_CONFIG_PATH": str(self.root / "alsa.conf"),
            "JACK_NO_START_SERVER": "1",
            "PULSE_SERVER": f"unix:{self.socket}",
            "PULSE_RUNTIME_PATH": str(self.root / "run"),
            "PULSE_STATE_PATH": str(self.root),
            "PULSE_COOKIE": str(self.root / "cookie"),
            "PULSE_CLIENTCONFIG": str(self.root / "client.conf"),
        }

    def start(self) -> Self:
        """Start the server, or start it again after `kill`; returns when `mic` is there."""
        mono = f"rate={self.rate} channels=1"
        modules = (
            f"module-native-protocol-unix socket={self.socket} auth-anonymous=1",
            # Without norewinds the first block comes 1.7 s late and audio is lost.
            f"module-null-sink sink_name=speaker {mono} format=s16le norewinds=1",
            f"module-remap-source source_name=mic master=speaker.monitor {mono} remix=no",
        )
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--system=no"),
                    *("--exit-idle-time=-1", "--disable-shm=yes", "--realtime=no"),
                    *("--high-priority=no", "--log-target=stderr", "--log-level=notice"),
                    *(part for module in modules for part in ("-L", module)),
                ],
                env=self.env(),
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_the_test,  # noqa: PLW1509 -- one prctl call, nothing Python
            )
        self._wait("the socket", self._answers)
        self._wait("the source mic", lambda: "\tmic\t" in self.pactl("list", "short", "sources"))
        self.pactl("set-default-sink", "speaker")
        self.pactl("set-default-source", "mic")
        return self

    def kill(self) -> None:
        """End the server without a warning, as a crash would; `start` brings it back."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(5)
            self._process = None

    def stop_hang(self) -> None:
        """Hang the server: it keeps its connections and answers nothing until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a hung server go on."""
        self._signal(signal.SIGCONT)

    def play(self, wav: Path | str, *, wait: bool = True) -> subprocess.Popen[bytes]:
        """Play a sound file into the microphone; without `wait`, return as it begins."""
        player = subprocess.Popen(["paplay", "--device=speaker", str(wav)], env=self.env())
        self._players.append(player)
        if wait:
            player.wait(60)
        return player

    def pactl(self, *args: str) -> str:
        """Return what `pactl ARGS…` prints; raises CalledProcessError where it fails."""
        done = subprocess.run(
            ["pactl", *args], env=self.env(), check=True, capture_output=True, text=True, timeout=10
        )
        return done.stdout.strip()

    def hum(self) -> None:
        """Give the room its noise: a 50 Hz tone a few steps high, so no stretch is all zeros."""
        self.pactl("load-module", "module-sine", "sink=speaker", "frequency=50")
        number = self.pactl("list", "short", "sink-inputs").splitlines()[-1].split("\t")[0]
        self.pactl("set-sink-input-volume", number, "-70dB")

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        for player in self._players:
            with contextlib.suppress(ProcessLookupError):
                player.kill()
            player.wait(5)
        self.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the server is not running"
        self._process.send_signal(number)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def _wait(self, what: str, ready: Callable[[], bool], timeout: float = 10) -> None:
        assert self._process is not None
        end = time.monotonic() + timeout
        while not ready():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"PulseAudio: no {what}\n{self.log.read_text()}")
            time.sleep(0.02)
