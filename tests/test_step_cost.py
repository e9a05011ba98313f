"""How many instructions the step in C takes for a hop, which no other program can disturb."""

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_step import COMPILER, build_hook

TESTS = Path(__file__).parent
HOPS = 100
SLACK = 1.1

INSTRUCTIONS = {("avx2", 1): 62_400, ("avx2", 6): 207_400, ("plain", 1): 163_600}
"""A hop of so many words of the shipped size, by gcc 12; with AVX2 some of them convert halves,
which takes less time than reading whole floats. Lower a count when the step gets cheaper;
raise it only for what is worth it."""

PROGRAM = """
import importlib.util, sys
sys.path[:0] = [{tests!r}, {root!r}]
from test_step import networks, sounds, with_halves
from wakeword_daemon.clock import HOP
from wakeword_daemon.engine.plan import pack
from wakeword_daemon.engine.settings import Architecture
spec = importlib.util.spec_from_file_location("_step", {built!r})
step = importlib.util.module_from_spec(spec)
plan = pack(with_halves(networks(Architecture(), {words})), halves=step.HALVES)
stream = step.Stream(plan)
pcm = sounds({hops} * HOP)
for at in range(0, len(pcm), HOP):
    stream.hear(pcm[at : at + HOP])
"""


@pytest.fixture
def gcc_12():
    if platform.machine() != "x86_64":
        pytest.skip("the counts are those of x86-64")
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    if not COMPILER:
        pytest.skip("no C compiler is installed")
    told = subprocess.run(
        [COMPILER, "-dM", "-E", "-x", "c", os.devnull], capture_output=True, text=True, check=True
    )
    if "#define __GNUC__ 12\n" not in told.stdout:
        pytest.skip("the counts are those of gcc 12")


@pytest.mark.slow
@pytest.mark.usefixtures("gcc_12")
@pytest.mark.parametrize(("form", "words"), INSTRUCTIONS)
def test_a_hop_takes_no_more_instructions_than_before(form, words, tmp_path):
    built = tmp_path / "_step.abi3.so"
    assert build_hook().compile_step(built, avx2=form == "avx2") is None
    program = PROGRAM.format(
        tests=str(TESTS), root=str(TESTS.parent), built=str(built), words=words, hops=HOPS
    )
    done = subprocess.run(
        [
            *("valgrind", "--tool=callgrind", f"--callgrind-out-file={tmp_path / 'counts'}"),
            *(f"--toggle-collect=hear_samples_{form}", sys.executable, "-c", program),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if collected is None or collected[1] == "0":
        pytest.skip("this processor has no AVX2")
    counted = round(int(collected[1]) / HOPS)
    assert counted < INSTRUCTIONS[form, words] * SLACK
