"""The daemon: capture → ring → engine → events, started in order and stopped in one place."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword_daemon import config as config_file
from wakeword_daemon import xdg
from wakeword_daemon.audio.ring import RingBuffer
from wakeword_daemon.audio.sources import CaptureSettings
from wakeword_daemon.clock import milliseconds, seconds
from wakeword_daemon.config import Config
from wakeword_daemon.errors import WakewordError
from wakeword_daemon.events.paths import default_socket
from wakeword_daemon.events.protocol import (
    Detection,
    Info,
    Paused,
    Resumed,
    StateChanged,
    Status,
    Telemetry,
    ThresholdSet,
)
from wakeword_daemon.events.server import EventServer
from wakeword_daemon.events.sockets import Tcp
from wakeword_daemon.events.vocabulary import find_words
from wakeword_daemon.rooms.addresses import parse_uri
from wakeword_daemon.rooms.detectors import Detectors
from wakeword_daemon.rooms.protocol import wake_program
from wakeword_daemon.rooms.server import RoomServer
from wakeword_daemon.service import logs
from wakeword_daemon.service.hearing import Hearing
from wakeword_daemon.service.pause import MicrophonePause
from wakeword_daemon.service.pausefile import PauseFile
from wakeword_daemon.service.status import StatusReporter
from wakeword_daemon.service.telemetry import Telemeter, noise_and_snr
from wakeword_daemon.service.watchdog import Watchdog
from wakeword_daemon.words import load_words

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from wakeword_daemon import engine
    from wakeword_daemon.actions.actions import Actions
    from wakeword_daemon.audio.sources import AudioSource, CaptureState
    from wakeword_daemon.clips.clipper import Clipper
    from wakeword_daemon.pcm import Samples
    from wakeword_daemon.service.notify import Notifier
    from wakeword_daemon.words import Words

    OnState = Callable[[CaptureState], None]
    OnAudio = Callable[[Samples], bool]
    MakeSource = Callable[[CaptureSettings, RingBuffer, OnState, OnAudio], AudioSource]

logger = logging.getLogger(__name__)

_TICK = 1.0
"""Seconds between two checks of the sound library and the engine."""

_DESCRIPTION = "Hears wake words on this machine's microphone"

_SOURCE_GRACE = 0.5
_QUEUE_GRACE = 0.3
_CLIP_GRACE = 0.1
"""Seconds that each part may take to end; together less than the second that a stop may take."""


class Daemon:
    """Listens until a signal stops it, or its input ends.

    There are two threads. The source's thread fills the ring and runs the engine; the event loop
    does the rest. Callbacks of the source's thread are passed on to the event loop, so that all
    state here belongs to one thread.

    Args:
        read_config: reads and checks the config; called again to reload it.
        make_source: makes the input: takes its settings, the ring, what to call with each new
            state, and what to call after each write.
        notifier: the service manager.
        listening: a unix socket that already listens, if the service manager passed one.
        saves_to: the config file that changed thresholds are written to; None for the one that a
            daemon would read.

    Raises:
        ConfigError: there is a mistake in the config.
        ModelError: a model is missing or damaged.

    """

    def __init__(
        self,
        read_config: Callable[[], Config],
        make_source: MakeSource,
        notifier: Notifier,
        listening: socket.socket | None = None,
        saves_to: Path | None = None,
    ) -> None:
        self._read_config = read_config
        self._saves_to = saves_to
        self._notifier = notifier
        self._config = config = read_config()
        logs.set_level(config.log.level)
        self._words = load_words(config.words)
        ring = RingBuffer(config.audio.history)
        self._ring = ring
        self._engine = Hearing(ring, self._words.detector(), self._on_detection, self._on_end)
        self._source = make_source(_capture(config), ring, self._on_state, self._engine.hear)
        self._watchdog = Watchdog(self._source, self._engine)
        self._reporter = StatusReporter(self._source, self._engine)
        place = _place(config, listening)
        self._pause = MicrophonePause(
            self._source,
            self._engine,
            PauseFile(place),
            self._repeat_state,
        )
        self._server = EventServer(
            info=self._info,
            status=self._status,
            unix=listening or place,
            group=config.socket.group,
            tcp=_tcp(config),
            audio=ring,
            control=self,
            on_watched=self._measure,
        )
        self._rooms = RoomServer(_detectors(self._words), nearest=config.rooms.nearest)
        self._actions = self._make_actions(config)
        self._replacing: set[asyncio.Task[None]] = set()
        self._clipper = self._engine.clipper = _clipper(config, self._words, ring)
        self._ready = False
        self._signalled = False
        self._history = _history_path(place)

    async def run(self) -> None:
        """Listen until SIGTERM, SIGINT or the end of the input.

        Raises:
            EventsError: the socket cannot be opened.
            HungError: a thread hangs, and only a new process can help.

        """
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[None] = self._loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop)
        self._loop.add_signal_handler(signal.SIGHUP, self._reload)
        config = self._config.rooms
        try:
            await self._server.start()
            self._server.load_history(self._history)
            if self._actions is not None:
                self._actions.start()
            if (uri := config.uri) is not None:
                await self._rooms.start(
                    [parse_uri(uri)],
                    allow_lan=config.allow_lan,
                    zeroconf=config.announced_as,
                )
            self._pause.restore()
            self._source.start()
            self._check_later()
            await self._end
        finally:
            await self._close()

    def _check_later(self) -> None:
        allowed = self._notifier.watchdog_seconds
        tick = _TICK if allowed is None else min(_TICK, allowed / 3)
        self._loop.call_later(tick, self._check)

    def _check(self) -> None:
        """Check the threads, and report to the service manager while they work.

        In a quiet room nothing else wakes the event loop, so this is no task, which would cost it
        several turns.
        """
        if self._end.done():
            return
        try:
            self._watchdog.check()
            if self._watchdog.hears():
                self._notifier.watchdog()
            self._pause.check()
        except Exception as error:  # noqa: BLE001 -- whatever it is, it ends the daemon
            self._finish(error)
        self._check_later()

    async def _close(self) -> None:
        """Stop in the order of the data, so that everything heard is still sent."""
        self._notifier.stopping()
        self._source.stop(_SOURCE_GRACE)
        self._ring.close()
        await asyncio.sleep(0)  # for the callbacks that were scheduled last
        if self._clipper is not None:
            self._clipper.stop(_CLIP_GRACE)
        ends = [self._server.stop(_QUEUE_GRACE), self._rooms.stop()]
        if self._actions is not None:
            ends.append(self._actions.stop())
        await asyncio.gather(*ends)
        if self._signalled:
            self._server.save_history(self._history)

    def _stop(self) -> None:
        self._signalled = True
        self._finish()

    def _finish(self, failure: Exception | None = None) -> None:
        if self._end.done():
            return
        if failure is None:
            self._end.set_result(None)
        else:
            self._end.set_exception(failure)

    # Requests: see `events.control.Control`

    async def pause(self, minutes: float | None) -> Paused:
        """Close the microphone, for some minutes or until `resume`."""
        await self._pause.begin(minutes)
        return Paused(until=self._pause.until)

    async def resume(self) -> Resumed:
        """Open the microphone again."""
        await self._pause.end()
        return Resumed(state=self._source.state.name, reason=self._source.state.reason)

    async def set_threshold(self, name: str, threshold: float, *, save: bool) -> ThresholdSet:
        """Change the threshold of a word until the config is read again, or permanently if saved.

        Raises:
            ProtocolError: there is no such word.
            ConfigError: it cannot be saved, and is not changed.

        """
        (word,) = find_words([name], self._words.names)
        saved = None
        if save:
            saved = await asyncio.to_thread(
                config_file.save_threshold, self._saves_to, word, threshold
            )
        self._words = self._words.with_threshold(word, threshold)
        self._engine.set_threshold(word, threshold)
        self._rooms.detectors = _detectors(self._words)
        logger.info(
            "the threshold of %s is now %.6g%s",
            word,
            threshold,
            f", as in {saved}" if saved else "",
        )
        return ThresholdSet(
            name=word, threshold=threshold, saved=None if saved is None else str(saved)
        )

    # What an action may ask: see `actions.remote.Remote`

    @property
    def words(self) -> list[str]:
        """Names of the wake words."""
        return self._words.names

    @property
    def state(self) -> str:
        """The state as subscribers know it."""
        return self._reporter.state.name

    # Called on the source's thread

    def _on_detection(self, heard: engine.Detection, wall_time: float) -> None:
        measured = noise_and_snr(self._ring, heard.sample)
        self._loop.call_soon_threadsafe(self._publish, heard, wall_time, measured)

    def _on_telemetry(self, batch: Telemetry) -> None:
        self._loop.call_soon_threadsafe(self._server.show, batch)

    def _on_state(self, state: CaptureState) -> None:
        self._loop.call_soon_threadsafe(self._change_state, state)

    def _on_end(self, failure: Exception | None) -> None:
        self._loop.call_soon_threadsafe(self._finish, failure)

    # Called on the event loop

    def _publish(
        self, heard: engine.Detection, wall_time: float, measured: tuple[float, float]
    ) -> None:
        if self._actions is not None and self._actions.echoes(wall_time):
            logger.info("heard %s in our own sound", heard.word)
            return
        noise, snr = measured
        event = Detection(
            name=heard.word,
            timestamp=milliseconds(heard.sample),
            wall_time=wall_time,
            score=heard.score,
            sample=heard.sample,
            level=heard.level,
            model=heard.model,
            noise=noise,
            snr=snr,
        )
        event = self._server.publish(event)
        self._reporter.last_detection = event
        logger.info(
            "heard %s at %.2f s, score %.3f", heard.word, seconds(heard.sample), heard.score
        )
        if self._actions is not None:
            self._actions.heard(event)
        if self._clipper is not None and (threshold := self._engine.thresholds.get(heard.word)):
            self._clipper.heard(heard, threshold)

    def _change_state(self, state: CaptureState) -> None:
        if self._end.done():
            return  # no more audio is intended
        if state.name == "paused":
            state = replace(state, reason=self._pause.reason)
        self._reporter.state = state
        self._pause.note()
        status = self._line()
        calm = state.name in ("listening", "paused")
        logger.log(logging.INFO if calm else logging.WARNING, "%s", status)
        event = self._server.publish(
            StateChanged(
                state=state.name,
                reason=state.reason,
                device=state.device,
                rate=state.rate,
                paused_until=self._pause.until,
                wall_time=time.time(),
            )
        )
        if self._actions is not None:
            self._actions.changed(event)
        if self._ready:
            self._notifier.status(status)
        else:
            self._ready = True
            self._notifier.ready(status)

    def _repeat_state(self) -> None:
        self._change_state(self._source.state)

    def _measure(self, watched: bool) -> None:
        """Measure every hop while there are watchers."""
        self._engine.telemetry = (
            Telemeter(self._ring, lambda: self._engine.thresholds, self._on_telemetry)
            if watched
            else None
        )

    def _reload(self) -> None:
        """Apply a changed config, or keep the old one if the new one has a mistake."""
        self._notifier.reloading()
        refusal = ""
        try:
            config = self._read_config()
            words = load_words(config.words)
            actions = self._make_actions(config)
        except WakewordError as error:
            refusal = f"the changed config is refused and the old one stays: {error}"
            logger.error("%s", refusal)  # noqa: TRY400 -- the sentence says enough
        else:
            self._adopt(config, words, actions)
        self._notifier.ready("; ".join(filter(None, (self._line(), refusal))))

    def _adopt(self, config: Config, words: Words, actions: Actions | None) -> None:
        old, self._config = self._config, config
        renamed = words.names != self._words.names
        self._words = words
        logs.set_level(config.log.level)
        self._engine.replace(words.detector())
        self._rooms.detectors = _detectors(words)
        if _capture(config) != _capture(old):
            self._source.change(_capture(config))
        if config.clips != old.clips or renamed:
            if self._clipper is not None:
                self._clipper.stop(0)
            self._clipper = self._engine.clipper = _clipper(config, words, self._ring)
        if config.actions != old.actions or renamed:
            self._replace_actions(actions)
        if (config.socket, config.tcp, config.rooms, config.audio.history) != (
            old.socket,
            old.tcp,
            old.rooms,
            old.audio.history,
        ):
            logger.warning(
                "changes of socket, tcp, rooms and audio.history take effect at the next start"
            )
        logger.info("reloaded the config")

    def _make_actions(self, config: Config) -> Actions | None:
        """Return the configured actions; their modules are loaded only if there are any."""
        if config.actions == Config().actions:
            return None
        from wakeword_daemon.actions.actions import Actions  # noqa: PLC0415

        return Actions(config, self)

    def _replace_actions(self, actions: Actions | None) -> None:
        old, self._actions = self._actions, actions

        async def replace() -> None:
            if old is not None:
                await old.stop()
            if actions is not None and actions is self._actions:
                actions.start()

        task = self._loop.create_task(replace())
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)

    def _info(self) -> Info:
        return Info(
            wake=[wake_program(_DESCRIPTION, self._words.models, self._words.settings)],
            state=self._reporter.state.name,
            reason=self._reporter.state.reason,
            paused_until=self._pause.until,
        )

    def _line(self) -> str:
        return self._reporter.line(self._words.names)

    def _status(self) -> Status:
        failure = None if self._clipper is None else self._clipper.failure
        return self._reporter.status(self._words.names, self._pause.until, failure)


def _capture(config: Config) -> CaptureSettings:
    audio = config.audio
    return CaptureSettings(audio.device, audio.channel, audio.rate, audio.naps)


def _socket_path(config: Config) -> Path:
    path = config.socket.path
    # os.path keeps an unknown ~user, where pathlib complains
    return default_socket() if path is None else Path(os.path.expanduser(path))  # noqa: PTH111


def _place(config: Config, listening: socket.socket | None) -> Path:
    """Return where the socket is, also if the service manager passed one."""
    return _socket_path(config) if listening is None else Path(listening.getsockname())


def _history_path(place: Path) -> Path:
    """Return where a daemon that ends writes its events down for the next one."""
    # The socket of a service of the machine lies in a folder of root's.
    return (xdg.service_state() or place.parent) / f"{place.name}.history"


def _tcp(config: Config) -> Tcp | None:
    tcp = config.tcp
    return None if tcp.port is None else Tcp(tcp.port, tcp.host, tcp.token)


def _clipper(config: Config, words: Words, ring: RingBuffer) -> Clipper | None:
    """Return what keeps clips; its modules are loaded only if clips are kept."""
    clips = config.clips
    if not clips.keep:
        return None
    from wakeword_daemon.clips.clipper import Clipper  # noqa: PLC0415
    from wakeword_daemon.clips.folder import ClipFolder, ClipLimits, folder_of_clips  # noqa: PLC0415

    return Clipper(
        ring,
        ClipFolder(folder_of_clips(clips.folder)),
        ClipLimits(clips.count, clips.megabytes, clips.days),
        near=clips.near_misses,
        models={model.name: model.model_id for model in words.models},
    )


def _detectors(words: Words) -> Detectors:
    return Detectors(words.models, words.settings)
