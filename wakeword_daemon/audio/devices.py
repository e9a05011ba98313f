"""The microphones that PortAudio knows, and the library itself.

PortAudio has global state: everything here, and everything of the module that `portaudio` returns,
must be called on one thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wakeword_daemon.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class InputDevice:
    """A device to record from."""

    index: int
    """PortAudio's number of it, which may change when devices come and go."""
    name: str
    host_api: str
    """The sound system it belongs to, such as ALSA."""
    channels: int
    """The most channels that it delivers."""
    default_rate: int
    """Its default rate, in samples a second."""
    is_default: bool


def input_devices() -> list[InputDevice]:
    """Return every device with an input.

    Raises:
        AudioError: PortAudio is not installed.

    """
    sounddevice = portaudio()
    apis = sounddevice.query_hostapis()
    default = sounddevice.default.device["input"]
    return [
        InputDevice(
            index=device["index"],
            name=device["name"],
            host_api=apis[device["hostapi"]]["name"],
            channels=device["max_input_channels"],
            default_rate=round(device["default_samplerate"]),
            is_default=device["index"] == default,
        )
        for device in sounddevice.query_devices()
        if device["max_input_channels"] > 0
    ]


def find(device: str | int | None = None) -> InputDevice:
    """Return the device with this index or name, or for None the default one.

    A part of a name is enough, in upper or lower case, if it belongs to one device alone.

    Raises:
        AudioError: there is no such device, or several; the message names the choices.

    """
    devices = input_devices()
    if device is None:
        matches = [d for d in devices if d.is_default]
    elif isinstance(device, int):
        matches = [d for d in devices if d.index == device]
    else:
        matches = [d for d in devices if d.name == device] or [
            d for d in devices if device.casefold() in d.name.casefold()
        ]
    if len(matches) == 1:
        return matches[0]
    if not devices:
        raise AudioError("There is no microphone, or the sound server is not running.")
    names = ", ".join(f'{d.index} "{d.name}"' for d in devices)
    if device is None:
        raise AudioError(f"There is no default microphone; choose one of: {names}.")
    what = f"{len(matches)} input devices match" if matches else "No input device is called"
    raise AudioError(f'{what} "{device}"; choose one of: {names}.')


def check_channel(name: str, channel: int, channels: int) -> None:
    """Check that a device with `channels` channels has the wanted one; the first is number 1.

    Raises:
        AudioError: it has not.

    """
    if channel > channels:
        raise AudioError(
            f'{name} has no channel {channel}: there are {channels}; choose another, or "mix".'
        )


def portaudio() -> Any:  # noqa: ANN401 -- sounddevice has no types
    """Return the module sounddevice; the first call loads and initialises PortAudio.

    Raises:
        AudioError: PortAudio is not installed.

    """
    require_portaudio()
    import sounddevice  # noqa: PLC0415 -- loads PortAudio, which may take long or be missing

    return sounddevice


@functools.cache
def require_portaudio() -> None:
    """Check that PortAudio is installed, without loading it.

    Raises:
        AudioError: it is not installed.

    """
    if ctypes.util.find_library("portaudio") is None:
        raise AudioError("PortAudio is not installed; run: sudo apt install libportaudio2")


def set_periods(count: int) -> None:
    """Let ALSA divide the buffers of streams opened from now on into so many parts, if it can.

    By itself PortAudio takes four, and so delivers long buffers in large parts.
    """
    library = ctypes.CDLL(portaudio()._libname)  # noqa: SLF001 -- sounddevice does not wrap it
    with contextlib.suppress(AttributeError):  # built without ALSA
        library.PaAlsa_SetNumPeriods(count)


def refresh() -> None:
    """Make PortAudio look for devices again, which it does only when it is initialised.

    Every stream must be closed first.

    Raises:
        AudioError: it cannot be initialised.

    """
    sounddevice = portaudio()
    try:
        if sounddevice._initialized:  # noqa: SLF001 -- sounddevice offers no public way
            sounddevice._terminate()  # noqa: SLF001
        sounddevice._initialize()  # noqa: SLF001
    except sounddevice.PortAudioError as error:
        raise AudioError(str(error)) from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep PortAudio and ALSA from printing errors that they also return.

    Both print lines such as `Expression … failed` to C's `stderr`, dozens of them if a device is
    missing. Redirecting descriptor 2 would also hide what other threads log, and for good if a hung
    library does not return. So only the C variable `stderr` is changed, which glibc documents as an
    ordinary variable, and which Python does not use. With another C library the lines appear.
    """
    if not hasattr(_libc(), "gnu_get_libc_version"):
        yield
        return
    stderr = ctypes.c_void_p.in_dll(_libc(), "stderr")
    before, stderr.value = stderr.value, _null()
    try:
        yield
    finally:
        stderr.value = before


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


@functools.cache
def _null() -> int | None:
    fopen = _libc().fopen
    fopen.restype = ctypes.c_void_p
    stream: int | None = fopen(b"/dev/null", b"w")
    return stream
