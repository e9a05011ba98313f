"""Loads the step in C, where there is one."""

from __future__ import annotations

import logging
import math
from functools import cache
from typing import TYPE_CHECKING, Any

from wakeword_daemon.engine.plan import radices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakeword_daemon.engine.crnn import CRNN

logger = logging.getLogger(__name__)

INTERFACE = 4
"""Version of the step in C that this module can call; the same as in _module.c."""
LONGEST_WINDOW = 1024


@cache
def native_step() -> Any:  # noqa: ANN401 - a module in C, or nothing
    """Return the step in C, or None; log once if there is one that cannot be used."""
    try:
        from wakeword_daemon.engine import _step  # type: ignore[attr-defined] # noqa: PLC0415
    except ModuleNotFoundError:
        return None
    except ImportError as error:
        # A file from another machine. A missing file gives "cannot import name".
        if "cannot import name" not in str(error):
            logger.warning("the step in C cannot be loaded, numpy takes over: %s", error)
        return None
    found = getattr(_step, "INTERFACE", None)
    if found != INTERFACE:
        logger.warning(
            "the step in C is of version %s, not %s, and numpy takes over; install the package "
            "again to build it",
            found,
            INTERFACE,
        )
        return None
    return _step


def can_run(networks: Sequence[CRNN]) -> bool:
    """Return whether the step in C is available and can run these networks."""
    window = networks[0].features.window
    return (
        native_step() is not None
        and window % 2 == 0
        and window <= LONGEST_WINDOW
        and math.prod(radices(window // 2)) == window // 2
    )
