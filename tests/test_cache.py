"""Cache entries are complete or absent, and are found by what they depend on."""

import os
import threading

import numpy as np
import pytest

from wakeword_daemon.training.data.cache import cached, digest, digest_of_files


def test_arrays_are_computed_once(tmp_path):
    def compute():
        calls.append(1)
        return {"power": np.arange(6, dtype="f").reshape(2, 3), "names": np.array(["a", "bc"])}

    calls = []
    first = cached(tmp_path / "cache", "speech", "1", compute)
    second = cached(tmp_path / "cache", "speech", "1", compute)
    assert len(calls) == 1
    for arrays in (first, second):
        assert arrays["power"].tolist() == [[0, 1, 2], [3, 4, 5]]
        assert arrays["names"].tolist() == ["a", "bc"]
        assert not arrays["power"].flags.writeable
    cached(tmp_path / "cache", "speech", "2", compute)
    assert len(calls) == 2


def test_an_interrupted_computation_leaves_no_files(tmp_path):
    class Unsaved:
        def __array__(self, *_, **__):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path, "speech", "1", lambda: {"whole": np.zeros(3), "broken": Unsaved()})
    assert list(tmp_path.iterdir()) == []
    assert cached(tmp_path, "speech", "1", lambda: {"whole": np.ones(3)})["whole"].sum() == 3


def test_two_processes_that_compute_the_same_entry_get_the_same_result(tmp_path):
    both = threading.Barrier(2, timeout=120)

    def want(number):
        def compute():
            both.wait()  # neither has kept anything yet
            return {"who": np.array([number])}

        found[number] = cached(tmp_path, "speech", "1", compute)["who"].tolist()

    found = {}
    threads = [threading.Thread(target=want, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]
    assert [entry.name for entry in tmp_path.iterdir()] == ["speech-1"]


def test_a_digest_changes_with_each_recording_and_setting(tmp_path):
    files = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for file in files:
        file.write_bytes(b"sound")
    before = digest_of_files(files, "40 mels")
    assert before == digest_of_files(files, "40 mels")
    assert before != digest_of_files(files, "80 mels")
    assert before != digest_of_files(files[:1], "40 mels")
    os.utime(files[1], (1, 1))
    assert before != digest_of_files(files, "40 mels")
    assert digest(["ab", "c"]) != digest(["a", "bc"])
