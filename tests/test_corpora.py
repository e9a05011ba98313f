"""What the fuzzers begin with and what they found, once more: `make fuzz` looks for more."""

import importlib
import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ENGINE = TESTS.parent / "wakeword_daemon/engine"
COMPILER = shutil.which("cc") or shutil.which("gcc")


def inputs(name):
    found = sorted((TESTS / "corpora" / name).iterdir())
    assert found
    return found


@pytest.mark.parametrize(
    "name", ["events", "rooms", "config", "model", "manifest", "audio", "page"]
)
def test_what_the_fuzzers_know_is_survived(name):
    target = importlib.import_module(f"fuzz.{name}")
    for path in inputs(name):
        target.one_input(path.read_bytes())


def test_the_corpora_are_small():
    assert sum(len(path.read_bytes()) for path in TESTS.glob("corpora/*/*")) < 100_000


@pytest.mark.skipif(not COMPILER, reason="no C compiler is installed")
def test_the_step_in_c_stays_within_its_memory(tmp_path):
    program = tmp_path / "replay"
    sources = [TESTS / "fuzz/step.c", ENGINE / "_plan.c", ENGINE / "_step.c"]
    flags = ["-std=gnu11", "-O1", "-fno-math-errno", "-DREPLAY"]
    checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
    command = [COMPILER, *flags, *checks, *sources, "-o", program]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if "sanitize" in made.stderr or "asan" in made.stderr:
        pytest.skip("the compiler has no sanitizers")
    assert made.returncode == 0, made.stderr
    done = subprocess.run([program, *inputs("step")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(inputs("step"))
