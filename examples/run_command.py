"""Run a command whenever a running daemon hears a wake word.

The command finds the word in the environment variable WAKEWORD:

    python examples/run_command.py notify-send "I am listening"
    python examples/run_command.py sh -c 'echo "$WAKEWORD" >> heard.txt'
"""

import os
import subprocess
import sys

from wakeword_daemon import EventsError, subscribe


def main(command: list[str], socket: str | None) -> None:
    """Run the command once for each detection, and wait for it before the next."""
    for event in subscribe(socket):
        done = subprocess.run(command, env=os.environ | {"WAKEWORD": event.name}, check=False)
        if done.returncode:
            print(f"{command[0]} ended with {done.returncode}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.exit("usage: python examples/run_command.py COMMAND [ARGUMENT ...]")
    try:
        # WAKEWORD_SOCKET names the socket, if the daemon has its own.
        main(sys.argv[1:], os.environ.get("WAKEWORD_SOCKET"))
    except (EventsError, OSError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
