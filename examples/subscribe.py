"""Print every wake word that a running daemon hears.

Start the daemon with `wakeword run`, and then:

    python examples/subscribe.py           # the daemon on this machine
    python examples/subscribe.py SOCKET    # another socket, or tcp://host:port
"""

import sys

from wakeword_daemon import EventsError, subscribe


def main(socket: str | None) -> None:
    """Print detections for as long as the daemon runs, and again when it comes back."""
    for event in subscribe(socket):
        print(f"{event.name} with a score of {event.score:.2f}", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else None)
    except EventsError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
