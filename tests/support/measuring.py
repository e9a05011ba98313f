"""Less to measure, for tests that measure a word but do not test how."""

from dataclasses import replace

from wakeword_daemon.training.measure import verdict
from wakeword_daemon.training.measure.conditions import CLEAN, CONDITIONS


def few_conditions():
    """Return the conditions that the verdict needs; false accepts are counted under one of them."""
    return [
        replace(c, counts_false_accepts=c == CLEAN) for c in CONDITIONS if c.name in verdict._NAMES
    ]
