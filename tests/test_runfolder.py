"""An unusable run folder or output is refused before training starts."""

import os
import re
import signal
import subprocess
import sys

import pytest

from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training import runfolder
from wakeword_daemon.training.fit.distributed import Processes

pytestmark = pytest.mark.torch

ALONE = Processes()

HOLD = """
import sys
from pathlib import Path
from wakeword_daemon.training.fit.distributed import Processes
from wakeword_daemon.training.runfolder import held
with held(Path(sys.argv[1]), Processes()):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_runs_in_one_folder_are_refused_until_the_first_has_ended(tmp_path):
    folder = tmp_path / "runs" / "word"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert other.stdout.readline() == b"held\n"
    with (
        pytest.raises(TrainingError, match="another run is working in"),
        runfolder.held(folder, ALONE),
    ):
        pass
    other.send_signal(signal.SIGKILL)  # however it ends, the folder is free
    other.communicate()
    with runfolder.held(folder, ALONE):
        second = Processes(rank=1, size=2)
        with runfolder.held(folder, second):  # of the same run
            pass


def refused(file, message):
    with pytest.raises(TrainingError, match=re.escape(message)):
        runfolder.check_output(file, ".safetensors")


def test_an_output_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    refused(tmp_path, f"{tmp_path} is a folder; name a file in it, ending in .safetensors")
    refused(tmp_path / "word", "must end in .safetensors")
    refused(tmp_path / "word.md", "must end in .safetensors")
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file" / "word.safetensors", f"{tmp_path / 'file'} is not a folder")
    refused(tmp_path / "file" / "new" / "word.safetensors", f"{tmp_path / 'file'} is not a folder")
    runfolder.check_output(tmp_path / "new" / "word.safetensors", ".safetensors")
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)  # root may write anywhere
    refused(tmp_path / "new" / "word.safetensors", f"nothing can be written in {tmp_path}")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
