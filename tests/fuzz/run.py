"""Fuzz one target by coverage: `make fuzz FUZZERS=NAME`, or by hand

    python tests/fuzz/run.py NAME [option of libFuzzer]... [folder of inputs]...

An input that fails is left as .fuzz/NAME-crash-... (or -timeout-, -oom-). An input that covers more
than the folders did is written into the first.
"""

import importlib
import logging
import sys
from pathlib import Path

import atheris

TESTS = Path(__file__).resolve().parents[1]


def main():
    name, *options = sys.argv[1:]
    sys.path[:0] = [str(TESTS), str(TESTS.parent)]
    logging.disable()
    with atheris.instrument_imports(include=["wakeword_daemon", "yaml", "csv"]):
        target = importlib.import_module(f"fuzz.{name}")
    failed = f"-artifact_prefix={TESTS.parent}/.fuzz/{name}-"
    atheris.Setup([sys.argv[0], failed, *options], target.one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
