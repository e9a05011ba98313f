"""Who has no business here: another user of this machine, and another machine."""

import encodings.idna  # noqa: F401 -- sockets load it late, when the other user may not read it
import multiprocessing
import os
import subprocess
import sys

import pytest
from support.daemon import PATIENCE

NOBODY = 65_534
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


def as_another_user(function):
    """Return what a function returns in a process of another user."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)

    def work():
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        theirs.send(function())

    process = context.Process(target=work)
    process.start()
    theirs.close()  # so that we notice if it fails
    assert ours.poll(PATIENCE)
    process.join(PATIENCE)
    return ours.recv()


_SPEAK = """if True:
    import socket, sys
    try:
        peer = socket.create_connection((sys.argv[1], int(sys.argv[2])), 60)
        peer.sendall(sys.argv[3].encode("latin-1"))
        if not sys.argv[3].startswith("GET"):  # an HTTP server hangs up by itself
            peer.shutdown(socket.SHUT_WR)
        print(b"".join(iter(lambda: peer.recv(4096), b"")).decode("latin-1"), end="")
    except OSError as error:
        print(type(error).__name__, end="")
"""


def from_another_machine(network, host, port, sent):
    """Send bytes from there; return everything that comes back, or the name of what failed."""
    arguments = (host, str(port), sent.decode("latin-1"))
    command = [*network.inside, sys.executable, "-c", _SPEAK, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    return done.stdout
