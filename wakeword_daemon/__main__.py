"""Lets `python -m wakeword_daemon` be the command `wakeword`."""

import sys

from wakeword_daemon.cli import main

sys.exit(main())
