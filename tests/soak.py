"""Listen for a long time under faults: `python tests/soak.py [--minutes M] [--server pipewire] …`.

A real sound server is killed, hung, muted and robbed of its microphone, all at random by the seed;
in between words are spoken into it while hostile peers talk to the socket and the config is read
again, well or badly. Two rooms stream to the wake service meanwhile, a monitor and a page watch,
clips are kept, and an action notes each detection.

Every word spoken while there is audio must be one event, every event must reach every subscriber
once and in order, also one that keeps leaving, and memory, descriptors and threads must show no
trend upwards. A daemon that ends because a library hangs is started again, as a service manager
would do. SIGTERM ends the soak early: it finishes the current fault and reports.
Exit code 1: something of this did not hold.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.attached import SpeakingRoom, Viewer
from support.daemon import Daemon, recording, until
from support.soundserver import PipeWireServer, PulseServer

from wakeword_daemon.errors import EventsError
from wakeword_daemon.events.connection import connect
from wakeword_daemon.events.framing import MAX_BYTES, FrameDecoder
from wakeword_daemon.events.protocol import Detection, Subscribe, Subscribed
from wakeword_daemon.service.watchdog import HungError
from wakeword_daemon.storage import write_atomically

WORDS = ("jarvis-slt", "jarvis-rms")
STEADY, RESTLESS = 2, 1  # subscribers that stay, and those that leave and come back
LATE = 5.0  # seconds after a word within which it must have arrived everywhere
SERVERS = {"pulse": PulseServer, "pipewire": PipeWireServer}
SETTLED = 120.0  # seconds after a start that never count for the trend of memory
RESTART = 1.0  # seconds until a new start: RestartSec of the units in systemd/
TREND = 0.05  # MiB of anonymous memory an hour, at most
INTERRUPTED = 0.01  # of the words may have audio missing in them, as a busy machine loses it
ONCE = 1.0  # MiB that 10,000 connections cost once: a rise below this in all is no trend
SETTLING = 3_000  # connects after which a server's memory was seen to stand still
GARBAGE = 200  # frames that one peer sends
ROOMS = 2
MORE_HANDLES = 4  # descriptors or threads that one moment may have more than another
CONFIG = """\
rooms: {{uri: "unix://{root}/wake.sock"}}
clips: {{keep: true, folder: {root}/clips, count: 10000, megabytes: 1000}}
on_detection: {{command: [sh, -c, 'echo "$WAKEWORD_SEQUENCE" >> {root}/acted'], interval: 0}}
"""
REFUSED = "words: {jarvis: {treshold: 0.5}}\n"
REFUSAL = "the changed config is refused"


class ManagedDaemon(Daemon):
    """A daemon that is started again whenever it ends because a library hangs."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.restarts = 0
        self.code = None  # of an end that no restart followed
        self._stopping = threading.Event()
        self._manager_thread = threading.Thread(target=self._manage, daemon=True)

    def __enter__(self):
        super().__enter__()
        self._manager_thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self.process.kill()
        self._manager_thread.join()
        super().__exit__()

    def _manage(self):
        while (code := self.process.wait()) == HungError.exit_code:
            if self._stopping.wait(RESTART):
                return
            self.start()
            self.restarts += 1
        self.code = code


class Subscriber:
    """Notes every event it gets, by the run of the daemon that sent it, on a thread of its own.

    A restless one disconnects at random, and requests what it missed when it reconnects.
    """

    def __init__(self, path, chance=None):
        self.runs = {}  # numbers of the events by start_id, in the order in which they came
        self.detections = 0
        self.failure = None
        self._dropped = False  # by the daemon, in the middle of a subscription
        self._path = path
        self._chance = chance
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def received(self):
        return sum(map(len, self.runs.values()))

    def _run(self):
        try:
            while True:
                left = self._connect_once()
                time.sleep(self._chance.uniform(0, 4) if left else 0.2)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the report names it
            self.failure = error

    def _connect_once(self):
        """Receive until it is time to leave; return False where the daemon went away before."""
        decoder, subscribed = FrameDecoder(), False
        end = time.monotonic() + (self._chance.uniform(1, 15) if self._chance else float("inf"))
        run = next(reversed(self.runs), None)
        after = self.runs[run][-1] if run and self.runs[run] else 0
        try:
            connection = connect(self._path)
        except OSError:
            return False
        with connection:
            connection.settimeout(0.2)
            try:
                connection.sendall(Subscribe(start_id=run, after_sequence=after).line())
                while time.monotonic() < end:
                    with contextlib.suppress(TimeoutError):
                        decoder.feed(received(connection))
                    while (frame := decoder.next_frame()) is not None:
                        if frame.type == Subscribed.kind:
                            subscribed = True
                            self._resume(Subscribed.from_frame(frame), run)
                        elif subscribed and "sequence" in frame.data:
                            self.runs[frame.data["start_id"]].append(frame.data["sequence"])
                            self.detections += frame.type == Detection.kind
            except OSError:
                self._dropped = subscribed
                return False
        return True

    def _resume(self, answer, run):
        """Begin a new run, or continue the last one: then no event may be missing."""
        if answer.start_id not in self.runs:
            self.runs[answer.start_id] = []
        elif answer.missed:
            raise AssertionError(f"{answer.missed} events were gone")
        elif self._dropped and answer.start_id == run:
            raise AssertionError("the daemon hung up")
        self._dropped = False


class Soak:
    """The daemon with its subscribers, in a room where things go wrong."""

    def __init__(self, room, daemon, config, seed):
        self.room = room
        self.daemon = daemon
        self.config = config
        self.good_config = config.read_text()
        self.chance = random.Random(seed)  # noqa: S311 -- no secret
        chances = [None] * STEADY + [random.Random(f"{seed}-{n}") for n in range(RESTLESS)]  # noqa: S311
        self.subscribers = [Subscriber(daemon.socket, chance) for chance in chances]
        self.runs = {}  # the last status by start_id
        self.faults = (
            *(self.kill, self.hang, self.unplug, self.mute),
            *(self.stall, self.change_default, self.freeze),
        )
        self.nuisances = (self.garbage, self.crowd, self.loris, self.reload, self.reload_badly)
        self._fault = dealt(self.chance, self.faults)
        self._nuisance = dealt(self.chance, self.nuisances)
        self.slow = []
        self.done = Counter()
        self.deafness = {}
        self.words = 0
        self.interrupted = 0  # of the words: unheard, with audio missing in or around them
        self.expected = 0  # detections so far
        self.garbage_frames = 0
        self.connects = 0
        self.rooms = [SpeakingRoom(room.root / "wake.sock", f"{seed}-{n}") for n in range(ROOMS)]
        self.viewer = Viewer(daemon.socket, room.env())
        self.handles = []  # descriptors and threads, and the id of the process
        self.memory = []  # s since the beginning, MiB, s since the start of the process, its id
        self._started = 0.0
        self._settled = None  # id of the process that memory was settled for
        self.failures = []
        self.ended = threading.Event()  # before its time

    # Faults of the microphone: each ends with audio being there again

    def kill(self):
        """The sound server crashes and is started again."""
        self.room.kill()
        self.wait(0.2, 4)
        self.room.start()
        self.room.hum()

    def hang(self):
        """The sound server answers nothing for a while, and then everything at once."""
        self.room.stop_hang()
        self.wait(0.3, 4)
        self.room.resume()

    def unplug(self):
        """The microphone goes away and comes back; there is no other."""
        self.room.unplug()
        self.wait(0.3, 4)
        self.room.plug()
        self.room.hum()

    def mute(self):
        """The microphone gives exact zeros."""
        self.room.pactl("set-source-mute", "mic", "1")
        self.wait(1.5, 5)
        self.room.pactl("set-source-mute", "mic", "0")

    def stall(self):
        """The default device becomes one that is open and never gives anything."""
        pipe = self.room.root / "stalled"
        module = self.room.pactl(
            "load-module", "module-pipe-source", f"file={pipe}", "source_name=stalled"
        )
        until(lambda: self.room.takes("set-default-source", "stalled"), "the other device")
        self.wait(1.5, 4)
        self.room.pactl("set-default-source", "mic")
        self.room.pactl("unload-module", module)

    def change_default(self):
        """The default device becomes another one, in a silent room, and the old one again."""
        module = self.room.pactl(
            "load-module", "module-null-sink", "sink_name=other", "norewinds=1"
        )
        until(lambda: self.room.takes("set-default-source", "other.monitor"), "the other device")
        self.wait(0.3, 4)
        self.room.pactl("set-default-source", "mic")
        self.room.pactl("unload-module", module)

    def freeze(self):
        """The daemon itself is not run for a while, as on a machine that swaps or sleeps."""
        self.daemon.process.send_signal(signal.SIGSTOP)
        self.wait(0.2, 8)
        self.daemon.process.send_signal(signal.SIGCONT)

    def wait(self, least, most):
        time.sleep(self.chance.uniform(least, most))

    # Nuisances: audio continues, and a word spoken meanwhile must still be detected

    def garbage(self):
        """A peer sends invalid frames, and reads the answers."""
        junk = (b"\x00\xff[[\n", b'{"type": 7}\n', b"[]\n", b"\n", b'{"type": "nonesuch"}\n')
        with connect(self.daemon.socket) as peer:
            for _ in range(GARBAGE // 10):
                peer.sendall(b"".join(self.chance.choices(junk, k=10)))
                while peer.recv(MAX_BYTES).count(b"\n") == 0:
                    pass
        self.garbage_frames += GARBAGE

    def crowd(self):
        """Two hundred peers in a row, which leave at once, within a frame or without reading."""
        for _ in range(200):
            with contextlib.suppress(OSError), connect(self.daemon.socket) as peer:
                peer.sendall(self.chance.choice((b"", b'{"type": "desc', b"\xff" * 3_000 + b"\n")))
                self.connects += 1

    def loris(self):
        """A peer begins the largest frame there is and does not end it."""
        peer = connect(self.daemon.socket)
        header = b'{"type":"audio-chunk","payload_length":%d}\n' % MAX_BYTES
        peer.sendall(header + bytes(MAX_BYTES - 1))
        self.slow = [peer, *self.slow[:7]]  # the oldest hangs up

    def reload(self):
        """The config is read again."""
        self.configure(self.good_config)
        self.daemon.process.send_signal(signal.SIGHUP)

    def reload_badly(self):
        """The config is read again and has a mistake in it, which is mended then.

        A daemon that starts with the mistake would stay ended, as it should.
        """
        refused = self.daemon.log.count(REFUSAL)
        self.configure(REFUSED + self.good_config)
        self.daemon.process.send_signal(signal.SIGHUP)
        until(lambda: self.daemon.log.count(REFUSAL) > refused, "a refusal")
        self.configure(self.good_config)

    def configure(self, text):
        """Replace the config as a whole: the daemon may be reading it at this moment."""
        write_atomically(self.config, text.encode())

    # What must hold

    def speak(self):
        """Play a word during a nuisance: every subscriber must get one event."""
        word = self.chance.choice(WORDS)
        path = self.daemon.root / "word.wav"
        recording(path, 0.4 + self.chance.random() / 10, word, 0.6)
        before = self.status()
        player = self.room.play(path, wait=False)
        self.commit(next(self._nuisance))
        player.wait(60)
        self.words += 1
        with contextlib.suppress(AssertionError):
            until(lambda: self.heard() > self.expected, word, LATE)
        if self.heard() == self.expected and self.interrupts(before):
            self.interrupted += 1
        elif self.heard() - self.expected != 1:
            self.fail(f"{word} was {self.heard() - self.expected} events")
        self.expected = self.heard()

    def interrupts(self, before):
        """Return whether audio has been missing since that status, or the daemon was away."""
        now = self.status()
        return now["start_id"] != before["start_id"] or now["gaps"] > before["gaps"]

    def chat(self):
        """Say something else: no event."""
        path = self.daemon.root / "other.wav"
        recording(path, 0.4, "other-slt", 0.6)
        self.room.play(path)
        if self.heard() != self.expected:
            self.fail("an event without a word")
            self.expected = self.heard()

    def commit(self, action):
        restarts = self.daemon.restarts
        try:
            action()
        except OSError as error:  # as it must be where the daemon ended in the middle
            until(lambda: self.daemon.restarts > restarts, f"a restart after {error}", LATE)
        self.done[action.__name__] += 1

    def recover(self, fault):
        """Wait until hops go through the engine again, and note how long that took."""
        back = time.monotonic()
        before = self.status()

        def hears():
            status = self.status()
            hops = before["hops"] if status["start_id"] == before["start_id"] else 0
            return status["hops"] > hops and status["state"] == "listening"

        until(hears, f"sound after {fault}")
        took = time.monotonic() - back
        self.deafness[fault] = max(took, self.deafness.get(fault, 0))

    def status(self):
        """Return the daemon's status, from the next process where this one is just ending."""
        status = until(self._answer, "an answer")
        self.runs[status["start_id"]] = status
        return status

    def _answer(self):
        try:
            return self.daemon.status()
        except EventsError:
            if self.daemon.code is not None:
                raise
            return None

    def heard(self):
        """Return how many words were received by a subscriber that never leaves."""
        return self.subscribers[0].detections

    def fail(self, what):
        self.failures.append(what)
        say(f"{self.elapsed:7.0f} s  FAILED: {what}")

    @property
    def elapsed(self):
        return time.monotonic() - self._begun

    def run(self, seconds):
        self._begun, told = time.monotonic(), 0
        while self.elapsed < seconds and not self.ended.is_set():
            self.settle()
            fault = next(self._fault)
            self.commit(fault)
            self.recover(fault.__name__)
            for action in self.chance.choice(((self.speak,), (self.chat, self.speak))):
                action()
            self.measure()
            if self.elapsed > told:
                told += 60
                size = f"{self.memory[-1][1]:.1f}" if self.memory else "?"
                say(
                    f"{self.elapsed:7.0f} s  {self.faulted()} faults, {self.words} words,"
                    f" {size} MiB, {self.daemon.restarts} restarts"
                )

    def settle(self):
        """Make as many connects as memory gets used to, once for each process."""
        if self._settled == self.daemon.process.pid:
            return
        until(lambda: self.status()["state"] == "listening", "a beginning")
        self._settled, self._started = self.daemon.process.pid, self.elapsed
        # So that the first minute has seen them all.
        for _ in range(3 * len(self.nuisances)):
            self.commit(next(self._nuisance))
        for _ in range(SETTLING):
            self.status()

    def measure(self):
        """Note the daemon's memory, in MiB, that no file is behind."""
        pid = self.daemon.process.pid
        if pid != self._settled:
            return
        with contextlib.suppress(OSError, ValueError):  # it is just ending
            status = Path(f"/proc/{pid}/status").read_text()
            (line,) = (line for line in status.splitlines() if line.startswith("RssAnon:"))
            size = int(line.split()[1]) / 2**10
            self.memory.append((self.elapsed, size, self.elapsed - self._started, pid))
            descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
            self.handles.append((descriptors, threads, pid))

    def check(self):
        """Compare what the subscribers received with what the daemon sent."""
        last = self.status()
        steady = self.subscribers[0]
        for number, one in enumerate(self.subscribers, 1):
            with contextlib.suppress(AssertionError):
                until(lambda one=one: one.failure or self.complete(one, last), "the last event")
            lost = 0
            for run, status in self.runs.items():
                numbers, sent = one.runs.get(run, []), steady.runs.get(run, [])
                # A subscriber that is away while the daemon ends misses the last events of that
                # run.
                may_miss = number > STEADY and run != last["start_id"]
                if numbers != list(range(1, len(numbers) + 1)):
                    self.fail(f"subscriber {number} received {numbers} in run {run}")
                if len(sent) < status["sequence"] or (len(numbers) < len(sent) and not may_miss):
                    self.fail(f"subscriber {number} received {len(numbers)} of {len(sent)} events")
                lost += len(sent) - len(numbers)
            if one.failure is not None:
                self.fail(f"subscriber {number}: {one.failure}")
            elif not 0 <= self.words - self.interrupted - one.detections <= lost:
                self.fail(f"subscriber {number} heard {one.detections} of {self.words} words")
        if self.interrupted > max(1, self.words * INTERRUPTED):
            self.fail(f"{self.interrupted} of {self.words} words had audio missing in them")

    def check_resources(self):
        """Look for a trend upwards in what the daemon uses."""
        slope, rise = self.trend()
        if slope > TREND and rise > ONCE:
            self.fail(f"memory grows by {slope:.2f} MiB an hour")
        for what, first, last in self.handle_counts():
            if last > first + MORE_HANDLES:
                self.fail(f"{first:g} {what} have become {last:g}")

    def check_attached(self):
        """Look at whatever else was attached, and at what the detections left behind."""
        for one in self.rooms:
            for failure in one.failures:
                self.fail(failure)
            if one.broken > self.daemon.restarts:
                self.fail(f"a room was disconnected {one.broken} times")
        for name in ("monitor", "page"):
            if getattr(self.viewer, name).poll() is not None:
                self.fail(f"the {name} has ended")
        clips, halves = self.clips()
        acted = len(self.acted().splitlines())
        if halves:
            self.fail(f"half-written clips: {', '.join(halves)}")
        # Whoever ends in the middle of a detection may not have acted, or kept a clip.
        heard = self.heard()
        for what, count in (("clips", clips), ("actions", acted)):
            if not 0 <= heard - count <= self.daemon.restarts:
                self.fail(f"{count} {what} of {heard} detections")

    def clips(self):
        """Return how many detections have a clip, and the files that belong to no clip."""
        names = {path.name for path in (self.room.root / "clips").glob("*")}
        stems = {name.removesuffix(".json") for name in names if name.endswith(".json")}
        halves = names - {stem + kind for stem in stems for kind in (".json", ".flac")}
        missing = {f"{stem}.flac" for stem in stems} - names
        return sum(stem.endswith("-detection") for stem in stems), sorted(halves | missing)

    def acted(self):
        """Return the numbers that the action wrote down."""
        path = self.room.root / "acted"
        return path.read_text() if path.exists() else ""

    def handle_counts(self):
        """Yield descriptors and threads, at first and at last, of the longest process."""
        longest = Counter(pid for *_, pid in self.handles).most_common(1)
        rows = np.array([row for row in self.handles if longest and row[2] == longest[0][0]])
        for column, what in enumerate(("descriptors", "threads")):
            if len(rows):
                part = max(len(rows) // 10, 1)
                values = rows[:, column]
                yield what, np.median(values[:part]), np.median(values[-part:])

    def complete(self, subscriber, last):
        return len(subscriber.runs.get(last["start_id"], [])) >= last["sequence"]

    def faulted(self):
        return sum(self.done[one.__name__] for one in self.faults)

    def settled(self):
        """Return the rows of `memory` from the second half of each process's life, as columns.

        Python's pools of small objects reach their largest size only after half an hour, although
        what is in use stays the same after minutes.
        """
        lives = {pid: age for *_, age, pid in self.memory}
        rows = [row for row in self.memory if row[2] > max(SETTLED, lives[row[3]] / 2)]
        return np.array(rows or self.memory[-1:] or [(0.0, np.nan, 0.0, 0)]).T

    def trend(self):
        """Return the slope of memory in MiB an hour, and what it comes to over the run, in MiB.

        It is the median of the slopes between any two samples of one process (Theil 1950,
        Sen 1968), which a few moments of more or less memory do not move.
        """
        _, sizes, ages, pids = self.settled()
        first, second = np.triu_indices(len(ages), 1)
        same = pids[first] == pids[second]
        first, second = first[same], second[same]
        if not len(first):
            return 0.0, 0.0
        spans = ages[second] - ages[first]
        slope = np.median((sizes[second] - sizes[first]) / spans)
        return 3_600 * slope, slope * spans.max()

    def report(self):
        memory, (slope, rise) = self.settled()[1], self.trend()
        gaps, lost = (sum(s[name] for s in self.runs.values()) for name in ("gaps", "lost"))
        # A run that ended may have sent more events after its last status.
        steady = self.subscribers[0].runs
        sent = sum(max(s["sequence"], len(steady.get(run, ()))) for run, s in self.runs.items())
        faults = ", ".join(f"{self.done[one.__name__]} {one.__name__}" for one in self.faults)
        others = ", ".join(f"{self.done[one.__name__]} {one.__name__}" for one in self.nuisances)
        deaf = ", ".join(f"{name} {took:.2f}" for name, took in sorted(self.deafness.items()))
        told = ", ".join(str(one.received) for one in self.subscribers)
        say(f"faults          {self.faulted()}: {faults}")
        say(f"nuisances       {others}")
        say(
            f"words           {self.words} spoken, {self.subscribers[0].detections} heard;"
            f" {self.interrupted} had audio missing in them"
        )
        say(f"restarts        {self.daemon.restarts}, after the sound library or the engine hung")
        say(f"events          {sent} sent; received by each subscriber: {told}")
        longest = max(self.deafness.values(), default=0)
        say(f"deaf at most    {longest:.2f} s after audio was back; {deaf}")
        say(f"garbage         {self.garbage_frames} frames, {self.connects} connects in a row")
        say(f"missing audio   {gaps} gaps, {lost / 16_000:.1f} s in all")
        say(
            f"memory          {memory.min():.1f} to {memory.max():.1f} MiB in the second half;"
            f" trend {slope:+.2f} MiB an hour, {rise:+.2f} in all"
        )
        for what, first, last in self.handle_counts():
            say(f"{what:15} {first:g} in the first tenth, {last:g} in the last")
        clips, _ = self.clips()
        spoken, heard = (sum(getattr(r, n) for r in self.rooms) for n in ("spoken", "heard"))
        say(f"rooms           {ROOMS}: {spoken} words spoken, {heard} heard")
        say(f"clips, actions  {clips}, {len(self.acted().splitlines())}")
        monitor, page = self.viewer.memory()
        drawn, sent = (count / 2**20 for count in (self.viewer.shown, self.viewer.sent))
        say(
            f"attached        a monitor, {monitor:.1f} MiB in RAM, {drawn:.1f} MiB drawn;"
            f" a page, {page:.1f} MiB in RAM, {sent:.1f} MiB sent"
        )
        step = max(len(self.memory) // 10, 1)
        say(
            "                "
            + ", ".join(f"{size:.1f} at {at:.0f} s" for at, size, *_ in self.memory[::step])
        )
        say(f"lasted          {self.elapsed / 60:.0f} minutes")
        say(f"failures        {'; '.join(self.failures) or 'none'}")


def received(connection):
    if not (data := connection.recv(4096)):
        raise ConnectionResetError
    return data


def dealt(chance, cards):
    """Yield all of them, in a random order, over and over."""
    while True:
        yield from chance.sample(cards, len(cards))


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", choices=SERVERS, default="pulse")
    args = parser.parse_args()
    cores = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    say(f"{args.minutes:g} minutes of faults on {args.server}, seed {args.seed}, {cores}")
    with SERVERS[args.server]() as room:
        room.hum()
        config = room.root / "config.yaml"
        config.write_text(CONFIG.format(root=room.root))
        with ManagedDaemon("--config", config, settings=room.env()) as daemon:
            daemon.notified("READY")
            soak = Soak(room, daemon, config, args.seed)
            signal.signal(signal.SIGTERM, lambda *_: soak.ended.set())
            try:
                soak.run(60 * args.minutes)
                soak.check()
                soak.check_resources()
                soak.check_attached()
            except (EventsError, AssertionError) as error:
                soak.fail(f"{error}; the daemon's exit code: {daemon.code}")
                say(daemon.log)
            soak.report()
            soak.viewer.close()
    return 1 if soak.failures else 0


if __name__ == "__main__":
    sys.exit(main())
