"""For tests that measure a word: less to measure, and log odds."""

from dataclasses import replace

import numpy as np

from wakeword_daemon.training.measure import verdict
from wakeword_daemon.training.measure.conditions import CLEAN, CONDITIONS


def few_conditions():
    """Return the conditions that the verdict needs; false accepts are counted under one of them."""
    return [
        replace(c, counts_false_accepts=c == CLEAN) for c in CONDITIONS if c.name in verdict._NAMES
    ]


def log_odds(scores):
    """Return the log odds of probabilities."""
    return np.log(scores / (1 - scores))
