"""Makes `python -m wakeword_daemon` the same as `wakeword`."""

import sys

from wakeword_daemon.cli import main

sys.exit(main())
