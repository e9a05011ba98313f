"""Wyoming framing: bytes to frames and back. It knows nothing about the events inside.

A frame is one line of UTF-8 JSON, `{"type": …, "data": {…}}`. The line may announce a block of
`data_length` bytes of JSON, which is merged over the inline data, and a payload of `payload_length`
raw bytes after it. All of that is read; the data is always written inline, so that `nc -U` shows
readable events.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

MAX_BYTES: Final = 64 * 1024
"""The most bytes of each of a frame's three parts: the line, the data block and the payload.

Wyoming's own reader takes lines up to this. As a payload it is two seconds of 16 kHz audio.
"""


class ProtocolError(Exception):
    """A frame or an event that cannot be accepted; the peer gets `code` and the text.

    If it is `fatal`, the start of the next frame cannot be found, and the connection must end.
    """

    def __init__(self, code: str, text: str, *, fatal: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.fatal = fatal


class Frame(msgspec.Struct, frozen=True):
    """One event on the wire: its type, its data, and for audio a payload.

    A payload may be a view of the received bytes, which is valid until more are received.
    """

    type: str
    data: dict[str, Any] = {}
    payload: bytes | memoryview = b""


def encode(kind: str, data: object, payload: bytes = b"") -> bytes:
    """Return a frame: a line with `data`, a mapping or a msgspec.Struct, then the payload."""
    header = {"type": kind, "data": data}
    if payload:
        header["payload_length"] = len(payload)
    return msgspec.json.encode(header) + b"\n" + payload


class FrameDecoder:
    """Cuts a stream of bytes into frames, however the stream was split.

    Feed it what was received, then call `next_frame` until it returns None. It keeps at most one
    incomplete frame (three times MAX_BYTES). Frames that come whole are not copied.
    """

    def __init__(self) -> None:
        self._held = bytearray()  # an incomplete frame
        self._buffer: bytes | bytearray = self._held
        self._start = self._end = 0  # the part of the buffer that is not yet read
        self._searched = (
            0  # bytes known to contain no newline, so that a slow line is not searched twice
        )
        self._header: dict[str, Any] | None = None
        self._data_length = 0
        self._payload_length = 0

    @property
    def incomplete(self) -> bool:
        """Whether the beginning of a frame has been received, but not its end."""
        return self._start < self._end or self._header is not None

    def feed(self, received: bytes | bytearray, count: int | None = None) -> None:
        """Take the first `count` bytes of `received`, by default all.

        They may be overwritten once `next_frame` has returned None.
        """
        end = len(received) if count is None else count
        if self._held or self._start < self._end:
            self._hold()
            self._held += memoryview(received)[:end]
            self._buffer, end = self._held, len(self._held)
        else:
            self._buffer = received
        self._start, self._end = 0, end

    def next_frame(self) -> Frame | None:
        """Return the next whole frame, or None until more bytes are fed.

        Raises:
            ProtocolError: the next frame is not acceptable; unless that is fatal, the next call
                continues with the frame after it.

        """
        if self._header is None:
            if self._start == self._end and not self._held:  # as after most reads
                return None
            line = self._take_line()
            if line is None:
                self._hold()
                return None
            header = _decode_object(line, "the line")
            self._data_length = _length(header, "data_length")
            self._payload_length = _length(header, "payload_length")
            self._header = header
        if self._end - self._start < self._data_length + self._payload_length:
            self._hold()
            return None
        header, self._header = self._header, None
        block = self._take(self._data_length)
        payload = self._take(self._payload_length)
        return _frame(header, block, payload)

    def _take_line(self) -> bytes | memoryview | None:
        end = self._buffer.find(b"\n", self._start + self._searched, self._end)
        if (self._end if end < 0 else end) - self._start > MAX_BYTES:
            raise ProtocolError("too-large", f"a line is over {MAX_BYTES} bytes", fatal=True)
        if end < 0:
            self._searched = self._end - self._start
            return None
        self._searched = 0
        return self._take(end + 1 - self._start)

    def _take(self, count: int) -> bytes | memoryview:
        start, self._start = self._start, self._start + count
        taken = memoryview(self._buffer)[start : self._start]
        # While a view of it exists, the buffer cannot grow.
        return bytes(taken) if self._buffer is self._held else taken

    def _hold(self) -> None:
        """Keep what is left, so that the next bytes follow it."""
        if self._buffer is self._held:
            del self._held[: self._start]
        elif self._start < self._end:
            self._held += memoryview(self._buffer)[self._start : self._end]
        self._buffer = self._held
        self._start, self._end = 0, len(self._held)


def _frame(header: dict[str, Any], block: bytes | memoryview, payload: bytes | memoryview) -> Frame:
    kind = header.get("type")
    if not isinstance(kind, str):
        raise ProtocolError("bad-frame", 'the line has no "type", which must be a string')
    data = header.get("data")
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ProtocolError("bad-frame", '"data" is not a JSON object')
    if block:
        data |= _decode_object(block, "the data block")
    return Frame(kind, data, payload)


def _decode_object(text: bytes | memoryview, what: str) -> dict[str, Any]:
    try:
        decoded = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        decoded = None
    if not isinstance(decoded, dict):
        raise ProtocolError("bad-frame", f"{what} is not a JSON object in UTF-8")
    return decoded


def _length(header: dict[str, Any], key: str) -> int:
    length = header.get(key)
    if length is None:
        return 0
    if not isinstance(length, int) or isinstance(length, bool) or length < 0:
        raise ProtocolError("bad-frame", f'"{key}" is not a count of bytes', fatal=True)
    if length > MAX_BYTES:
        raise ProtocolError("too-large", f'"{key}" is over {MAX_BYTES} bytes', fatal=True)
    return length
