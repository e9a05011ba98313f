"""Private sound servers: a microphone for tests on a machine without a sound card.

What is played into the sink `speaker` comes out of the source `mic`. Every path a client could
look at points into one short directory of its own, so nothing of the user's is read or written,
and processes are ended by the pid this module started.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

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


class SoundServer(ABC):
    """A running server as a context manager; skips the test where a program is missing.

    A silent sink gives exact zeros, as no real microphone does: call `hum()` where the test
    needs a room that is quiet but alive.
    """

    PROGRAMS: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        for program in (*self.PROGRAMS, "pactl", "paplay", "pacat", "sox"):
            if shutil.which(program) is None:
                pytest.skip(f"{program} is not installed")
        if ctypes.util.find_library("portaudio") is None:
            pytest.skip("libportaudio2 is not installed")
        # A socket's path is limited to 107 bytes, which a pytest tmp_path can exceed.
        self.root = Path(tempfile.mkdtemp(prefix="snd-", dir="/tmp"))
        self.log = self.root / "server.log"
        self._run = self.root / "run"
        self._run.mkdir(mode=0o700)
        self.socket = self._run / "native"
        (self.root / "alsa.conf").write_text(_ALSA)
        (self.root / "client.conf").write_text("autospawn = no\nenable-shm = no\n")
        self._processes: list[subprocess.Popen[bytes]] = []
        self._players: list[subprocess.Popen[bytes]] = []

    def env(self) -> dict[str, str]:
        """Return the environment of a client, whole; set before PortAudio is initialised."""
        prefixes = ("PULSE_", "PIPEWIRE_", "ALSA_", "JACK_", "XDG_", "DBUS_")
        env = {key: value for key, value in os.environ.items() if not key.startswith(prefixes)}
        return env | {
            "HOME": str(self.root),
            "XDG_RUNTIME_DIR": str(self._run),
            "XDG_CONFIG_HOME": str(self.root),
            "XDG_STATE_HOME": str(self.root),
            "ALSA_CONFIG_PATH": str(self.root / "alsa.conf"),
            "JACK_NO_START_SERVER": "1",
            "PULSE_SERVER": f"unix:{self.socket}",
            "PULSE_RUNTIME_PATH": str(self._run),
            "PULSE_STATE_PATH": str(self.root),
            "PULSE_COOKIE": str(self.root / "cookie"),
            "PULSE_CLIENTCONFIG": str(self.root / "client.conf"),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self._run}/bus",
        }

    def start(self) -> Self:
        """Start the server, or start it again after `kill`; returns when `mic` is there."""
        self._start()
        self._wait_for_socket(self.socket)
        self.plug()
        return self

    def plug(self) -> None:
        """Plug the microphone in; `start` has done it once."""
        for module in self._modules():
            self.pactl("load-module", *module.split())
        # On PipeWire a module is loaded before its device is there.
        self._wait("sink speaker", lambda: self.takes("set-default-sink", "speaker"))
        self._wait("source mic", lambda: self.takes("set-default-source", "mic"))

    def unplug(self) -> None:
        """Unplug the only microphone; all playback ends."""
        self._hush()
        for module in reversed(self._modules()):
            self.pactl("unload-module", module.split()[0])

    def kill(self) -> None:
        """End the server without a warning, as a crash would; `start` brings it back."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait(5)
        self._processes.clear()

    def go_first(self) -> None:
        """Give the server the priority that PulseAudio asks for by default; needs root."""
        for process in self._processes:
            for thread in Path(f"/proc/{process.pid}/task").iterdir():
                os.setpriority(os.PRIO_PROCESS, int(thread.name), -11)

    def stop_hang(self) -> None:
        """Hang the server: it keeps its connections and answers nothing until `resume`."""
        for process in self._processes:
            process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue a hung server."""
        for process in self._processes:
            process.send_signal(signal.SIGCONT)

    def play(
        self, wav: Path | str, *, wait: bool = True, sink: str = "speaker"
    ) -> subprocess.Popen[bytes]:
        """Play a sound file into the microphone; without `wait`, return as it begins."""
        player = subprocess.Popen(["paplay", f"--device={sink}", str(wav)], env=self.env())
        self._players.append(player)
        if wait:
            player.wait(60)
        return player

    def pactl(self, *args: str) -> str:
        """Return what `pactl ARGS…` prints; raises CalledProcessError where it fails."""
        done = subprocess.run(
            ["pactl", *args],
            env=self.env(),
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.stdout.strip()

    def takes(self, *args: str) -> bool:
        """Return whether `pactl ARGS…` works: on PipeWire a new device is there a little later."""
        try:
            self.pactl(*args)
        except subprocess.CalledProcessError:
            return False
        return True

    def hum(self) -> None:
        """Give the room its noise, a few steps high, until the server ends."""
        raw = ("--raw", "--format=s16le", "--rate=16000", "--channels=1")
        with self.log.open("ab") as log:  # where it complains of a server that was killed
            # Made quiet here: PipeWire ignores the volume that a stream begins with.
            noise = subprocess.Popen(
                [
                    *("sox", "-n", "--rate=16000", "--channels=1", "--bits=16", "--type=raw", "-"),
                    *("synth", "whitenoise", "vol", "0.0003"),
                ],
                stdout=subprocess.PIPE,
                stderr=log,
            )
            player = subprocess.Popen(
                ["pacat", "--device=speaker", *raw], env=self.env(), stdin=noise.stdout, stderr=log
            )
        noise.stdout.close()
        self._players += [noise, player]

    def adopt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make this process a client, for as long as the test runs."""
        env = self.env()
        for key in os.environ.keys() - env.keys():
            monkeypatch.delenv(key)
        for key, value in env.items():
            monkeypatch.setenv(key, value)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        self._hush()
        self.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    def _hush(self) -> None:
        for player in self._players:
            player.kill()
            player.wait(5)
        self._players.clear()

    @abstractmethod
    def change_rate(self, rate: int) -> None:
        """Change the rate at which the running server records."""

    @abstractmethod
    def _start(self) -> None:
        """Start the processes."""

    @abstractmethod
    def _modules(self) -> tuple[str, str]:
        """Return the modules, with arguments, that make the sink and the source."""

    def _spawn(self, *command: str) -> None:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                env=self.env(),
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_the_test,  # noqa: PLW1509 -- one prctl call, nothing Python
            )
        self._processes.append(process)

    def _wait(self, what: str, ready: Callable[[], bool], timeout: float = 120) -> None:
        end = time.monotonic() + timeout
        while not ready():
            ended = any(process.poll() is not None for process in self._processes)
            if ended or time.monotonic() > end:
                raise RuntimeError(f"no {what}\n{self.log.read_text()}")
            time.sleep(0.02)

    def _wait_for_socket(self, path: Path) -> None:
        def answers() -> bool:
            with socket.socket(socket.AF_UNIX) as probe:
                return probe.connect_ex(str(path)) == 0

        self._wait(f"socket {path.name}", answers)


class PulseServer(SoundServer):
    """PulseAudio; at 16,000 Hz what is captured equals what is played, sample for sample."""

    PROGRAMS = ("pulseaudio",)

    def __init__(self, rate: int = 16_000) -> None:
        super().__init__()
        self.rate = rate

    def _start(self) -> None:
        self._spawn(
            *("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--system=no"),
            *("--exit-idle-time=-1", "--disable-shm=yes", "--realtime=no"),
            *("--high-priority=no", "--log-target=stderr", "--log-level=notice"),
            *("-L", f"module-native-protocol-unix socket={self.socket} auth-anonymous=1"),
        )

    def change_rate(self, rate: int) -> None:
        """Make the microphone one of another rate, while the server runs on.

        PulseAudio changes the rate of no device that somebody listens to.
        """
        self.unplug()
        self.rate = rate
        self.plug()
        self.hum()

    def _modules(self) -> tuple[str, str]:
        mono = f"rate={self.rate} channels=1"
        return (
            # Without norewinds the first block comes 1.7 s late and audio is lost.
            f"module-null-sink sink_name=speaker {mono} format=s16le norewinds=1",
            f"module-remap-source source_name=mic master=speaker.monitor {mono} remix=no",
        )


class PipeWireServer(SoundServer):
    """PipeWire with its PulseAudio service and WirePlumber, as desktops run it."""

    PROGRAMS = ("pipewire", "pipewire-pulse", "wireplumber", "dbus-daemon")

    def _start(self) -> None:
        bus = self._run / "bus"
        bus.unlink(missing_ok=True)
        # WirePlumber ends at once where there is no session bus.
        self._spawn(
            "dbus-daemon", "--session", "--nofork", "--nosyslog", f"--address=unix:path={bus}"
        )
        self._wait_for_socket(bus)
        self._spawn("pipewire")
        self._wait_for_socket(self._run / "pipewire-0")
        self._spawn("wireplumber")
        self._spawn("pipewire-pulse")

    def change_rate(self, rate: int) -> None:
        """Run the whole graph at another rate from now on."""
        setting = ("pw-metadata", "-n", "settings", "0", "clock.force-rate", str(rate))
        subprocess.run(setting, env=self.env(), check=True, capture_output=True, timeout=120)
        self._wait(f"rate of {rate} Hz", lambda: f'"rate": {rate},' in self._graph())

    def _graph(self) -> str:
        dump = subprocess.run(
            ["pw-dump"], env=self.env(), check=False, capture_output=True, text=True, timeout=120
        )
        return dump.stdout

    def _modules(self) -> tuple[str, str]:
        return (
            "module-null-sink sink_name=speaker channels=1",
            "module-remap-source source_name=mic master=speaker.monitor channels=1",
        )
