"""What a process that runs for months keeps in memory."""

import gc
import itertools
import subprocess
import sys

from support.daemon import until
from support.eventserver import Peer, RunningServer, detection
from support.roomserver import RunningRooms, speech

from wakeword_daemon.clock import HOP

LEAK = 1
"""Objects for each connection, event or word that count as a leak: one may stay by chance."""

GARBAGE = """
import gc, weakref
from wakeword_daemon.cli import _process


class Peer:
    def __init__(self):
        self.itself = self


loaded = [[] for _ in range(200_000)]
_process.keep_garbage_short()
peer = Peer()
gc.collect(0), gc.collect(1)  # old enough that only a full collection looks at it
gone = weakref.ref(peer)
del peer
for _ in range(200):
    passing = [[] for _ in range(1_000)]
print(gone() is None)
"""


def test_what_is_loaded_does_not_postpone_the_end_of_garbage():
    done = subprocess.run(
        [sys.executable, "-c", GARBAGE], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"


def objects():
    """Return how many objects there are that somebody needs."""
    gc.collect()
    return sys.getallocatedblocks()


def test_neither_connections_nor_events_leave_objects_behind():
    sent = itertools.cycle((b"", b'{"type": "desc', b"\xff" * 3_000 + b"\n", b"[]\n"))
    with RunningServer() as server, server.connect() as steady:
        steady.ask("subscribe", {}, answer="subscribed")

        def use(count):
            for _ in range(count):
                with Peer(server.path) as peer:
                    peer.send_bytes(next(sent))
                    server.publish(detection())
                assert steady.read()["type"] == "detection"
            server.until(lambda peers: len(peers) == 1)
            return objects()

        before = use(400)  # more events than are kept
        assert use(600) - before < LEAK * 600


def test_the_words_of_a_room_leave_no_objects_behind():
    pcm = speech()
    with RunningRooms() as rooms:

        def use(count):
            for _ in range(count):
                with rooms.room() as room:
                    room.start()
                    for at in range(0, len(pcm), HOP):
                        room.say(pcm[at : at + HOP])
                    room.send("audio-stop")
                    assert room.expect("detection")["name"] == "jarvis"
            until(lambda: rooms.server.connections == 0, "the end of the rooms")
            return objects()

        before = use(10)
        assert use(40) - before < LEAK * 40
