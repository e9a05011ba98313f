"""Start linux-voice-assistant on this machine at each wake word.

    pip install websockets
    python examples/linux_voice_assistant.py [ws://HOST:PORT]

linux-voice-assistant takes commands on a WebSocket, by default at ws://127.0.0.1:6055; this sends
`start_listening`, as its action button does. Switch its own wake words off, or both will start it.
"""

import json
import os
import sys

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from wakeword_daemon import EventsError, subscribe

START = json.dumps({"command": "start_listening"})


def main(address: str, socket: str | None) -> None:
    """Send the command once for each detection, on its own connection."""
    for event in subscribe(socket):
        try:
            with connect(address, open_timeout=5) as assistant:
                assistant.send(START)
        except (OSError, WebSocketException) as error:
            print(f"{address} cannot be reached: {error}", file=sys.stderr, flush=True)
        else:
            print(f"{event.name}: the assistant listens", flush=True)


if __name__ == "__main__":
    try:
        # WAKEWORD_SOCKET names the socket, if the daemon has its own.
        main(*(sys.argv[1:] or ["ws://127.0.0.1:6055"]), os.environ.get("WAKEWORD_SOCKET"))
    except EventsError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
