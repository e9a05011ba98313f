"""Runs another program within limits, and logs what it prints."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wakeword_daemon.events.protocol import Detection

logger = logging.getLogger(__name__)

_GRACE = 1.0
"""Seconds between asking a program to end and killing it."""
_LAST_OUTPUT = 0.2
"""Seconds for the rest of the output, after a program whose own children hold the pipe open."""
_LINES = 50
_WIDTH = 500
"""Of the output of one run, the log gets this many lines of this many characters."""
_CHUNK = 4096

_OURS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID")
"""Variables of the service manager that are meant for the daemon only."""


def variables(detection: Detection) -> dict[str, str]:
    """Return the fields of a detection as environment variables: WAKEWORD_NAME and so on."""
    fields: dict[str, object] = msgspec.to_builtins(detection)
    return {
        f"WAKEWORD_{name.upper()}": str(value)
        for name, value in fields.items()
        if value is not None
    }


async def run(
    arguments: Sequence[str],
    *,
    time_limit: float,
    environment: Mapping[str, str] | None = None,
    text: bytes = b"",
) -> None:
    """Run a program to its end; log what it writes, and how it ended if not well.

    Args:
        arguments: the program and its arguments; no shell reads them.
        time_limit: seconds after which it is ended, with all processes that it started.
        environment: variables beside the daemon's own.
        text: what it finds on its standard input; it must fit into a pipe (4 kB do).

    """
    name = os.path.basename(arguments[0])  # noqa: PTH119 -- as it was written
    ours = {key: value for key, value in os.environ.items() if key not in _OURS}
    # Pipes of our own: asyncio would wait for every process that inherited one of its pipes.
    stdin, into = os.pipe()
    out, stdout = os.pipe()
    try:
        os.write(into, text)
        os.close(into)
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=stdin,
            stdout=stdout,
            stderr=stdout,
            env=ours | dict(environment or {}),
            start_new_session=True,
        )
    except OSError as error:
        os.close(out)
        logger.error("cannot run %s: %s", arguments[0], error.strerror)  # noqa: TRY400
        return
    finally:
        os.close(stdin)
        os.close(stdout)
    output = asyncio.create_task(_log_output(out, name))
    try:
        async with asyncio.timeout(time_limit):
            await process.wait()
    except TimeoutError:
        logger.warning("%s ran for more than %g s and was ended", name, time_limit)
        await _end(process)
    except asyncio.CancelledError:
        _signal_group(process.pid, signal.SIGTERM)
        output.cancel()
        raise
    else:
        if process.returncode:
            logger.warning("%s failed with %s", name, _code(process.returncode))
    finally:
        await asyncio.wait([output], timeout=_LAST_OUTPUT)
        output.cancel()


async def _end(process: asyncio.subprocess.Process) -> None:
    _signal_group(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(_GRACE):
            await process.wait()
    except TimeoutError:
        pass
    _signal_group(process.pid, signal.SIGKILL)
    await process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _code(returncode: int) -> str:
    if returncode > 0:
        return f"exit code {returncode}"
    return signal.Signals(-returncode).name


async def _log_output(handle: int, name: str) -> None:
    """Log every line that comes through a pipe, up to a limit; what is beyond is read all the same.

    A program that nobody reads from would wait for ever.
    """
    reader = asyncio.StreamReader(limit=_CHUNK)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader),
        open(handle, "rb", buffering=0),  # noqa: ASYNC230, SIM115 -- a pipe
    )
    rest, logged = b"", 0
    try:
        while chunk := await reader.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _CHUNK:  # a line without an end
                lines, rest = [*lines, rest], b""
            for line in lines:
                logged += 1
                _log_line(name, line, logged)
        if rest:
            _log_line(name, rest, logged + 1)
    finally:
        transport.close()


def _log_line(name: str, line: bytes, number: int) -> None:
    if number <= _LINES:
        logger.info("%s: %s", name, line.decode(errors="replace").rstrip()[:_WIDTH])
    elif number == _LINES + 1:
        logger.info("%s writes more; it is left out here", name)
