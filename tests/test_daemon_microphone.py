"""The real daemon on a real sound server's microphone: spoken words, and faults of the server."""

import asyncio
import subprocess
import sys
import threading
import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.daemon import AUDIO, PATIENCE, Daemon, events, recording, until
from support.eventserver import Peer
from support.soundserver import PulseServer

from wakeword_daemon.clock import SAMPLE_RATE
from wakeword_daemon.events.aioclient import subscribe_async
from wakeword_daemon.events.client import subscribe

pytestmark = pytest.mark.sound


def test_a_spoken_word_gives_one_event(room, tmp_path):
    recording(tmp_path / "word.wav", 0.5, "jarvis-slt", 1.0)
    with Daemon(settings=room.env()) as daemon:
        assert daemon.notified("READY").startswith("listening for jarvis on ")
        listener = daemon.listen("--count", 1, "--timeout", PATIENCE)
        before = time.time()
        room.play(tmp_path / "word.wav")
        (event,) = events(listener)
        after = time.time()
        status = daemon.status()
        mapped = Path(f"/proc/{daemon.process.pid}/maps").read_text()
        code = daemon.stop()
        log = daemon.log
    assert event["name"] == "jarvis"
    assert before < event["wall_time"] < after
    assert log.count("heard jarvis") == 1
    assert status["capture"] == {"gaps": 0, "lost": 0, "reopened": 0, "overflows": 0}
    assert status["lost"] == 0
    assert ("numpy" in mapped) == (status["step"] == "numpy")  # numpy takes 6 MiB
    assert code == 0


def test_other_speech_gives_no_event(room, tmp_path):
    recording(tmp_path / "other.wav", 0.5, "other-slt", 0.5, "other-slt", 1.0)
    with Daemon(settings=room.env()) as daemon:
        daemon.notified("READY")
        listener = daemon.listen("--timeout", 6)
        room.play(tmp_path / "other.wav")
        assert events(listener) == []


def test_without_a_microphone_the_daemon_starts_and_reports_the_reason(tmp_path):
    (tmp_path / "alsa.conf").write_text("pcm.absent { type hw card 99 }\n")
    settings = {"ALSA_CONFIG_PATH": str(tmp_path / "alsa.conf"), "JACK_NO_START_SERVER": "1"}
    with Daemon(settings=settings | {"WATCHDOG_USEC": "600000"}) as daemon:
        assert daemon.notified("READY").startswith("deaf: ")
        assert daemon.status()["state"] == "deaf"
        assert daemon.notified("WATCHDOG") == "1"  # a new process would find no microphone either
        assert daemon.log.count("deaf: ") == 1
        code = daemon.stop()
    assert code == 0


def test_an_unknown_device_is_reported_with_the_available_ones(room):
    with Daemon("--device", "nonesuch", settings=room.env()) as daemon:
        status = daemon.notified("READY")
    assert "nonesuch" in status
    assert "room" in status


def test_listening_resumes_after_the_server_died(room, tmp_path):
    recording(tmp_path / "word.wav", 0.5, "jarvis-slt", 1.0)
    with Daemon(settings=room.env()) as daemon:
        daemon.notified("READY")
        listener = daemon.listen("--count", 1, "--timeout", PATIENCE)
        room.kill()
        assert daemon.notified("STATUS").startswith("deaf: ")
        room.start()
        room.hum()
        assert daemon.notified("STATUS").startswith("listening for jarvis on ")
        room.play(tmp_path / "word.wav")
        (event,) = events(listener)
        status = daemon.status()
        with Peer(daemon.socket) as late:
            late.ask("subscribe", {"after_sequence": 0}, answer="subscribed")
            states = [late.expect("state") for _ in range(3)]
            assert late.expect("detection") == event
        assert daemon.log.count("deaf: ") == 1  # however often it tried
    assert [state["state"] for state in states] == ["listening", "deaf", "listening"]
    assert [bool(state["reason"]) for state in states] == [False, True, False]
    assert event["name"] == "jarvis"
    assert status["gaps"] > 0
    assert status["lost"] > 0
    # The sample clock kept to the computer's all the while.
    assert event["sample"] / SAMPLE_RATE > status["lost"] / SAMPLE_RATE


def test_a_hung_sound_library_ends_the_process(room, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("audio: {device: default}")  # through PortAudio
    with Daemon("--config", config, settings=room.env() | {"WATCHDOG_USEC": "8000000"}) as daemon:
        daemon.notified("READY")
        daemon.notified("WATCHDOG")
        room.stop_hang()
        try:
            code = daemon.process.wait(PATIENCE)
        finally:
            room.resume()
        assert code == 75
        assert "the sound library has hung" in daemon.log
        assert "Traceback" not in daemon.log
        assert not daemon.socket.exists()


def test_reload_changes_the_device(room, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("")
    with Daemon("--config", config, settings=room.env()) as daemon:
        daemon.notified("READY")
        assert daemon.status()["device"] == "default"
        config.write_text("audio: {device: room}")
        daemon.process.send_signal(1)
        until(lambda: daemon.status()["device"] == "room", "the other device")
        hops = daemon.status()["hops"]
        until(lambda: daemon.status()["hops"] > hops + 5, "more audio")
        assert daemon.status()["gaps"] <= 1


def test_devices_lists_the_microphones(room):
    done = subprocess.run(
        [sys.executable, "-m", "wakeword_daemon", "devices"],
        env=room.env(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "default" in done.stdout
    assert "room" in done.stdout
    assert done.stdout.count("*") == 1


def played(path, *parts):
    """Write the parts, int16[n] or seconds of zeros, as one recording; return its samples."""
    zeros = [np.zeros(round(p * SAMPLE_RATE), np.int16) for p in parts if isinstance(p, float)]
    pcm = np.concatenate([zeros.pop(0) if isinstance(p, float) else p for p in parts])
    soundfile.write(path, pcm, SAMPLE_RATE, subtype="PCM_16")
    return pcm


def command(seed):
    noise = np.random.default_rng(seed).integers(-3_000, 3_000, 2 * SAMPLE_RATE)
    return noise.astype(np.int16)


def test_audio_after_a_word_arrives_sample_for_sample(tmp_path):
    """In a room without noise, so that what is recorded is what was played and nothing else."""
    word, _ = soundfile.read(AUDIO / "jarvis-slt.flac", dtype="int16")
    with PulseServer() as room, Daemon(settings=room.env()) as daemon:
        daemon.notified("READY")
        with subscribe(daemon.socket, audio="after", pre_roll=1.5, seconds=4.0) as heard:
            played(tmp_path / "in.wav", 0.5, word, 0.2, command(1), 1.0)
            player = room.play(tmp_path / "in.wav", wait=False)
            event = next(heard)
            samples = list(event.audio)
            player.wait(PATIENCE)
    assert event.name == "jarvis"
    assert all(one.lost == 0 for one in samples)
    recorded = b"".join(one.pcm for one in samples)
    spoken = np.concatenate((word, np.zeros(round(0.2 * SAMPLE_RATE), np.int16), command(1)))
    assert np.trim_zeros(spoken).tobytes() in recorded
    end = samples[-1].sample + len(samples[-1].pcm) // 2
    assert (samples[0].sample, end) == (event.sample - 24_000, event.sample + 64_000)


def listen_plainly(path, heard, over):
    """Collect the audio after a word, by the plain client."""
    with subscribe(path, audio="after", pre_roll=1.5, seconds=600.0) as events:
        for one in next(events).audio:
            heard.append(one)
            if over.is_set():
                return


def listen_asynchronously(path, heard, over):
    """Collect the same, by the client for asyncio."""

    async def listen():
        async with subscribe_async(path, audio="after", pre_roll=1.5, seconds=600.0) as events:
            async for one in (await anext(events)).audio:
                heard.append(one)
                if over.is_set():
                    return

    asyncio.run(listen())


def play_until_whole(room, path, arrived):
    """Play a recording until all of it has arrived: on a busy machine the server tears it."""

    def soon():
        end = time.monotonic() + 5
        while not arrived():
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    for _ in range(20):
        room.play(path, wait=False).wait(PATIENCE)
        if soon():
            return
    pytest.fail(f"{path} never arrived whole")


def test_each_restart_of_the_server_during_a_command_is_reported_as_a_gap(tmp_path):
    """And all that was played before, between and after them arrives sample for sample."""
    word, _ = soundfile.read(AUDIO / "jarvis-slt.flac", dtype="int16")
    said = [command(seed)[:SAMPLE_RATE] for seed in range(3)]
    parts = [played(tmp_path / "0.wav", 0.5, word, 0.2, said[0])]
    parts += [played(tmp_path / f"{number}.wav", 0.2, said[number], 0.2) for number in (1, 2)]
    heard, over = ([], []), threading.Event()

    def arrived(part):
        recorded = [b"".join(one.pcm for one in samples) for samples in heard]
        return all(np.trim_zeros(part).tobytes() in pcm for pcm in recorded)

    with PulseServer() as room, Daemon(settings=room.env()) as daemon:
        daemon.notified("READY")
        listeners = [
            threading.Thread(target=listen, args=(daemon.socket, samples, over))
            for listen, samples in zip((listen_plainly, listen_asynchronously), heard, strict=True)
        ]
        for listener in listeners:
            listener.start()
        until(lambda: len(daemon.status()["subscribers"]) == 3, "both subscriptions")
        for number, part in enumerate(parts):
            if number:
                room.kill()
                until(lambda: daemon.status()["state"] == "deaf", "the end of the server")
                room.start()
                until(lambda: daemon.status()["state"] != "deaf", "the new server")
            play_until_whole(room, tmp_path / f"{number}.wav", partial(arrived, part))
        over.set()
        for listener in listeners:
            listener.join(PATIENCE)
    for samples in heard:
        assert sum(one.lost > 0 for one in samples) >= 2  # on a busy machine there may be more
        for one, two in pairwise(samples):
            assert two.sample == one.sample + len(one.pcm) // 2 + two.lost


def test_listen_records_the_command_and_pipes_it_to_a_program(room, tmp_path):
    recording(tmp_path / "word.wav", 0.5, "jarvis-slt", 0.3, "other-slt", 2.0)
    with Daemon(settings=room.env()) as daemon:
        daemon.notified("READY")
        folder, piped = tmp_path / "commands", tmp_path / "piped"
        listener = daemon.listen(
            *("--count", 1, "--record", folder, "--pipe", f"cat > {piped}"),
            *("--seconds", 20, "--until-silence", 2, "--pre-roll", 0.5),
        )
        room.play(tmp_path / "word.wav", wait=False)
        (event,) = events(listener)
    (path,) = folder.iterdir()
    assert path.name.startswith("jarvis-20")
    pcm, rate = soundfile.read(path, dtype="int16")
    assert rate == SAMPLE_RATE
    assert piped.read_bytes() == pcm.tobytes()
    assert 4 < len(pcm) / rate < 6.5  # the other words, and the silence after them
    assert event["name"] == "jarvis"
