"""The default microphone of a PulseAudio or PipeWire server, through libpulse.

PortAudio reaches such a server through ALSA, whose plug-in has a thread that wakes for each piece
of audio that the server sends. Here the pieces wait in the socket until the next poll, and no call
waits for the server, so one that hangs does not hang this thread.

No callback is set, for the same reason as in `capture`, so states are asked for. The functions and
constants are those of libpulse's documentation, https://www.freedesktop.org/software/pulseaudio/doxygen/.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import time
from typing import Any

from wakeword_daemon.audio.devices import check_channel
from wakeword_daemon.audio.timekeeper import now
from wakeword_daemon.errors import AudioError

_HELD = 3.0
"""Seconds of audio that are kept for a reader that comes late."""

_MOST_CHANNELS = 32

_ANSWER = 2.0
"""A server that has not answered after so many seconds hangs."""

_NO_AUTOSPAWN = 0x0001
_ADJUST_LATENCY = 0x2000
_CONTEXT_READY, _CONTEXT_FAILED = 4, 5
_STREAM_READY, _STREAM_FAILED = 2, 3
_NO_ENTITY = 5
_S16 = {"little": 3, "big": 4}[sys.byteorder]
_ALSA_ORDER = 1
_UNUSED = 0xFFFF_FFFF


class ServerError(AudioError):
    """The sound server does not let this program record."""


class ServerAwayError(ServerError):
    """There is no sound server, or it does not admit this program."""


class _SampleSpec(ctypes.Structure):
    _fields_ = (("format", ctypes.c_int), ("rate", ctypes.c_uint32), ("channels", ctypes.c_uint8))


class _ChannelMap(ctypes.Structure):
    _fields_ = (("channels", ctypes.c_uint8), ("map", ctypes.c_int * _MOST_CHANNELS))


class _BufferAttr(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize")
    )


def installed() -> bool:
    """Return whether libpulse is there."""
    return _library() is not None


class PulseInput:
    """The server's default source. When that changes, the server moves the stream by itself.

    Args:
        channels: how many to record; for one, the server mixes those of the microphone.
        rate: samples a second, to which the server resamples.
        block: samples that the server should deliver at a time.

    Attributes:
        name: what messages call it.
        channels, rate: as above.

    Raises:
        ServerAwayError: there is no server.
        ServerError: the server has no microphone, or does not answer.
        AudioError: it has no such channel.

    """

    name = "default"
    of_server = True

    def __init__(self, channels: int, rate: int, block: int) -> None:
        library = _library()
        if library is None:
            raise ServerAwayError("libpulse is not installed")
        self.channels, self.rate = channels, rate
        self._frame = 2 * channels
        self._held = self._given = 0  # bytes in `_buffer`; of these, bytes already returned
        self._room = int(_HELD * rate) * self._frame
        buffer = bytearray(self._room)
        self._buffer = memoryview(buffer).cast("h")
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
        self._data, self._size = ctypes.c_void_p(), ctypes.c_size_t()
        self._piece = ctypes.byref(self._data), ctypes.byref(self._size)
        self._dropped = False
        self._context = self._stream = None
        self._lib = library
        self._loop = library.pa_mainloop_new()
        try:
            self._connect()
            self._record(block)
            self._looked = now()
        except BaseException:
            self.close()
            raise

    def waiting(self) -> int:
        """Return how many frames there are to read.

        Raises:
            AudioError: the server ended the stream, or the last call is too long ago.

        """
        before, self._looked = self._looked, now()
        if self._looked - before > _HELD:
            raise AudioError("it was read too late, and some of it is lost")
        while self._lib.pa_mainloop_iterate(self._loop, 0, None) > 0:
            pass
        if self._lib.pa_stream_get_state(self._stream) != _STREAM_READY:
            raise AudioError(f"the sound server ended the recording: {self._reason()}")
        if self._given:
            self._held -= self._given
            ctypes.memmove(self._address, self._address + self._given, self._held)
            self._given = 0
        self._fetch()
        return self._held // self._frame

    def read(self, count: int) -> tuple[memoryview, bool]:
        """Return the next frames, of which at least `count` are waiting.

        Returns:
            int16[count * channels], until the next call; and whether some were lost before them.

        """
        self._given = count * self._frame
        dropped, self._dropped = self._dropped, False
        return self._buffer[: count * self.channels], dropped

    def close(self) -> None:
        """Close the stream and the connection; never waits."""
        if self._stream is not None:
            self._lib.pa_stream_disconnect(self._stream)
            self._lib.pa_stream_unref(self._stream)
        if self._context is not None:
            self._lib.pa_context_disconnect(self._context)
            self._lib.pa_context_unref(self._context)
        self._lib.pa_mainloop_free(self._loop)
        self._context = self._stream = self._loop = None

    def _fetch(self) -> None:
        """Take over the pieces of audio that have come."""
        while True:
            failed = self._lib.pa_stream_peek(self._stream, *self._piece)
            size = self._size.value
            if failed or not size or self._held + size > self._room:
                return
            if self._data.value is None:  # a hole in the audio
                self._dropped = True
            else:
                ctypes.memmove(self._address + self._held, self._data, size)
                self._held += size
            self._lib.pa_stream_drop(self._stream)

    def _connect(self) -> None:
        api = self._lib.pa_mainloop_get_api(self._loop)
        self._context = self._lib.pa_context_new(api, b"wakeword")
        # A program that only listens does not start a server.
        self._lib.pa_context_connect(self._context, None, _NO_AUTOSPAWN, None)
        if not self._comes(
            lambda: self._lib.pa_context_get_state(self._context), _CONTEXT_READY, _CONTEXT_FAILED
        ):
            raise ServerAwayError(f"The sound server cannot be reached: {self._reason()}.")

    def _record(self, block: int) -> None:
        check_channel(self.name, self.channels, _MOST_CHANNELS)
        spec = _SampleSpec(_S16, self.rate, self.channels)
        order = _ChannelMap()
        self._lib.pa_channel_map_init_extend(ctypes.byref(order), self.channels, _ALSA_ORDER)
        attr = _BufferAttr(self._room, _UNUSED, _UNUSED, _UNUSED, block * self._frame)
        self._stream = self._lib.pa_stream_new(
            self._context, b"wake word", ctypes.byref(spec), ctypes.byref(order)
        )
        if not self._stream:
            raise ServerError(f"The microphone does not run at {self.rate} Hz.")
        asked = self._lib.pa_stream_connect_record(
            self._stream, None, ctypes.byref(attr), _ADJUST_LATENCY
        )
        if asked < 0 or not self._comes(
            lambda: self._lib.pa_stream_get_state(self._stream), _STREAM_READY, _STREAM_FAILED
        ):
            if self._lib.pa_context_errno(self._context) == _NO_ENTITY:
                raise ServerError("There is no microphone.")
            raise ServerError(f"The microphone does not open: {self._reason()}.")

    def _comes(self, state: Any, wanted: int, failed: int) -> bool:  # noqa: ANN401
        """Wait for a state; return whether it came, and not a worse one.

        Raises:
            ServerError: neither came.

        """
        end = time.monotonic() + _ANSWER
        while (current := state()) < failed:
            if current == wanted:
                return True
            if (left := end - time.monotonic()) < 0:
                raise ServerError("The sound server does not answer.")
            self._lib.pa_mainloop_prepare(self._loop, int(left * 1e6) + 1_000)
            self._lib.pa_mainloop_poll(self._loop)
            self._lib.pa_mainloop_dispatch(self._loop)
        return False

    def _reason(self) -> str:
        text: bytes = self._lib.pa_strerror(self._lib.pa_context_errno(self._context))
        return text.decode(errors="replace")


@functools.cache
def _library() -> Any:  # noqa: ANN401 -- functions of C
    """Return libpulse, or None if it is not installed."""
    try:
        library = ctypes.CDLL("libpulse.so.0")
    except OSError:
        return None
    number, pointer, text = ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p
    for name, result, arguments in (
        ("pa_mainloop_new", pointer, ()),
        ("pa_mainloop_get_api", pointer, (pointer,)),
        ("pa_mainloop_prepare", number, (pointer, number)),
        ("pa_mainloop_poll", number, (pointer,)),
        ("pa_mainloop_dispatch", number, (pointer,)),
        ("pa_mainloop_iterate", number, (pointer, number, pointer)),
        ("pa_mainloop_free", None, (pointer,)),
        ("pa_context_new", pointer, (pointer, text)),
        ("pa_context_connect", number, (pointer, text, number, pointer)),
        ("pa_context_get_state", number, (pointer,)),
        ("pa_context_errno", number, (pointer,)),
        ("pa_context_disconnect", None, (pointer,)),
        ("pa_context_unref", None, (pointer,)),
        ("pa_channel_map_init_extend", pointer, (pointer, number, number)),
        ("pa_stream_new", pointer, (pointer, text, pointer, pointer)),
        ("pa_stream_connect_record", number, (pointer, text, pointer, number)),
        ("pa_stream_get_state", number, (pointer,)),
        ("pa_stream_peek", number, (pointer, pointer, pointer)),
        ("pa_stream_drop", number, (pointer,)),
        ("pa_stream_disconnect", number, (pointer,)),
        ("pa_stream_unref", None, (pointer,)),
        ("pa_strerror", text, (number,)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
