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


class _Header(msgspec.Struct):
    """What counts of a frame's line; the type and the data are checked with the frame."""

    type: Any = None
    data: Any = None
    data_length: Any = None
    payload_length: Any = None


_decode_header = msgspec.json.Decoder(_Header).decode
_decode_block = msgspec.json.Decoder(dict[str, Any]).decode
_NOT_DECODED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def encode(kind: str, data: object, payload: bytes = b"") -> bytes:
    """Return a frame: a line with `data`, a mapping or a msgspec.Struct, then the payload."""
    header = {"type": kind, "data": data}
    if payload:
        header["payload_length"] = len(payload)
    return msgspec.json.encode(header) + b"\n" + payload


class FrameDecoder:
    """Cuts a stream of bytes into frames, however the stream was split.

    Feed it what was received, then call `next_frame` until it returns None. It keeps at most one
    incomplete frame (three times MAX_BYTES). The payload of a frame that comes whole is not copied.
    """

    def __init__(self) -> None:
        self._held = bytearray()  # an incomplete frame
        self._buffer: bytes | bytearray = self._held
        self._start = self._end = 0  # the part of the buffer that is not yet read
        self._searched = (
            0  # bytes known to contain no newline, so that a slow line is not searched twice
        )
        self._header: _Header | None = None

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
        header = self._header
        if header is None:
            if self._start == self._end and not self._held:  # as after most reads
                return None
            line = self._take_line()
            if line is None:
                self._hold()
                return None
            header = _parse(line)
        start = self._start
        block = start + header.data_length
        end = block + header.payload_length
        if end > self._end:
            self._header = header
            self._hold()
            return None
        self._start, self._header = end, None
        payload: bytes | memoryview = memoryview(self._buffer)[block:end]
        if self._buffer is self._held:  # which cannot grow while a view of it exists
            payload = bytes(payload)
        return _frame(header, self._buffer[start:block], payload)

    def _take_line(self) -> bytes | bytearray | None:
        end = self._buffer.find(b"\n", self._start + self._searched, self._end)
        if (self._end if end < 0 else end) - self._start > MAX_BYTES:
            raise ProtocolError("too-large", f"a line is over {MAX_BYTES} bytes", fatal=True)
        if end < 0:
            self._searched = self._end - self._start
            return None
        start, self._start, self._searched = self._start, end + 1, 0
        return self._buffer[start:end]

    def _hold(self) -> None:
        """Keep what is left, so that the next bytes follow it."""
        if self._buffer is self._held:
            del self._held[: self._start]
        elif self._start < self._end:
            self._held += memoryview(self._buffer)[self._start : self._end]
        self._buffer = self._held
        self._start, self._end = 0, len(self._held)


def _parse(line: bytes | bytearray) -> _Header:
    try:
        header = _decode_header(line)
    except _NOT_DECODED:
        raise _not_an_object("the line") from None
    header.data_length = _length(header.data_length, "data_length")
    header.payload_length = _length(header.payload_length, "payload_length")
    return header


def _frame(header: _Header, block: bytes | bytearray, payload: bytes | memoryview) -> Frame:
    kind, data = header.type, header.data
    if not isinstance(kind, str):
        raise ProtocolError("bad-frame", 'the line has no "type", which must be a string')
    if data is not None and not isinstance(data, dict):
        raise ProtocolError("bad-frame", '"data" is not a JSON object')
    if block:
        try:
            more = _decode_block(block)
        except _NOT_DECODED:
            raise _not_an_object("the data block") from None
        data = data | more if data else more
    return Frame(kind, data or {}, payload)


def _not_an_object(what: str) -> ProtocolError:
    return ProtocolError("bad-frame", f"{what} is not a JSON object in UTF-8")


def _length(length: object, key: str) -> int:
    if length is None:
        return 0
    if type(length) is not int or length < 0:
        raise ProtocolError("bad-frame", f'"{key}" is not a count of bytes', fatal=True)
    if length > MAX_BYTES:
        raise ProtocolError("too-large", f'"{key}" is over {MAX_BYTES} bytes', fatal=True)
    return length
