"""The step in C and the step in numpy give the same, and C's is safe on any input."""

import importlib.util
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.models import TINY, random_network

from wakeword_daemon.audio.resample import MicrophoneResampler  # noqa: F401 -- for FUZZ
from wakeword_daemon.clock import HOP
from wakeword_daemon.engine import Detector, native, read_model, streams
from wakeword_daemon.engine.crnn import CRNN
from wakeword_daemon.engine.modelfile import SelfTest
from wakeword_daemon.engine.numpy_stream import NumpyStream
from wakeword_daemon.engine.plan import pack
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.resources import shipped_models

ROOT = Path(__file__).resolve().parents[1]
COMPILER = shutil.which("cc") or shutil.which("gcc")
ODD = Architecture(
    channels=3, kernel_mels=4, kernel_frames=11, stride_mels=3, stride_frames=5, hidden=7,
    layers=3, attention=5, steps=4,
)  # fmt: skip
SEVERAL = replace(ODD, attention=1, steps=1, outputs=40)
"""A network with scores of each step, such as that of speech sounds."""
SIZES = (1, 2, 159, 160, 161, 399, 400, 401, HOP, 1281, 5000, 10_240, 30_000)


def build_hook():
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def step_in_c():
    step = native.native_step()
    if step is None:
        pytest.skip("the step in C was not built here: python hatch_build.py")
    return step


def compiled(folder, *, avx2):
    """Return the step in C, compiled anew, with or without the form for AVX2."""
    if not COMPILER:
        pytest.skip("no C compiler is installed")
    built = folder / "_step.abi3.so"
    assert build_hook().compile_step(built, avx2=avx2) is None
    spec = importlib.util.spec_from_file_location("_step", built)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def native_stream(networks):
    return native.native_step().Stream(pack(networks))


def with_halves(networks):
    """Return the networks with weights that float16 holds exactly, as trained ones have."""
    rounded = [
        {name: weight.astype(np.float16).astype(np.float32) for name, weight in one.weights.items()}
        for one in networks
    ]
    return [
        CRNN(one.architecture, one.features, weights)
        for one, weights in zip(networks, rounded, strict=True)
    ]


def sounds(count, seed=0):
    """Every loudness, full scale, steps from end to end, silence."""
    rng = np.random.default_rng(seed)
    loud = np.repeat(10 ** rng.uniform(-1, 5, count // 800 + 1), 800)[:count]
    pcm = np.clip(rng.normal(0, 1, count) * loud, -32768, 32767).astype(np.int16)
    pcm[count // 3 :][:3000] = 0
    pcm[count // 2 :][:3000] = -32768
    pcm[-5000::2], pcm[-4999::2] = 32767, -32768
    return pcm


def networks(architecture, words, features=None):
    made = [random_network(architecture, np.random.default_rng(n)) for n in range(words)]
    return [CRNN(architecture, features or FeatureSettings(), one.weights) for one in made]


def heard(stream, pcm, seed=None):
    """Hear samples at once, or in pieces of odd sizes."""
    if seed is None:
        return stream.hear(pcm)
    rng, at, made = np.random.default_rng(seed), 0, []
    while at < len(pcm):
        size = int(rng.choice(SIZES))
        made += stream.hear(pcm[at : at + size])
        at += size
    return made


def alike(one, other):
    assert [step[:2] for step in one] == [step[:2] for step in other]
    a, b = (np.array([scores for _, _, scores in made]) for made in (one, other))
    assert np.isfinite(a).all()
    assert np.isfinite(b).all()
    return float(np.abs(a - b).max())


@pytest.mark.usefixtures("step_in_c")
@pytest.mark.parametrize("words", [1, 2, 6])
@pytest.mark.parametrize("architecture", [Architecture(), TINY, ODD, SEVERAL])
def test_both_steps_give_the_same_scores_for_any_split(architecture, words):
    made, pcm = networks(architecture, words), sounds(60_000)
    expected = heard(NumpyStream(made), pcm)
    assert len(expected) > 40
    stream = native_stream(made)
    for seed in (None, 0, 1):
        stream.reset()
        assert alike(heard(stream, pcm, seed), expected) < 1e-5


@pytest.mark.parametrize("architecture", [Architecture(), TINY, ODD, SEVERAL])
@pytest.mark.parametrize("avx2", [True, False])
def test_weights_as_halves_give_the_same_bytes(architecture, avx2, tmp_path):
    step, pcm = compiled(tmp_path, avx2=avx2), sounds(60_000)
    one, two = networks(architecture, 2)
    mixed = [*with_halves([one]), two]
    small, large = pack(mixed, halves=True), pack(mixed)
    assert len(large) - len(small) == len(pack([one])) - len(pack(with_halves([one]), halves=True))
    assert 0.9 * len(large) > len(small)
    found = heard(step.Stream(small), pcm, 0)
    assert len(found) > 40
    assert found == heard(step.Stream(large), pcm, 1)
    assert alike(found, heard(NumpyStream(mixed), pcm)) < 1e-5


def test_weights_that_halves_cannot_hold_stay_whole():
    (one,) = with_halves(networks(TINY, 1))
    for value in (0.1, 1e6, 1e-8):
        one.weights["gru.weight_hh_l0"][0, 0] = value
        assert pack([one], halves=True).tobytes() == pack([one]).tobytes()


@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
def test_clang_compiles_the_step_too(tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "clang")
    step, made, pcm = compiled(tmp_path, avx2=True), networks(TINY, 1), sounds(30_000)
    assert alike(heard(step.Stream(pack(made)), pcm), heard(NumpyStream(made), pcm)) < 1e-5


@pytest.mark.usefixtures("step_in_c")
@pytest.mark.parametrize("window", [2, 100, 256, 320, 400, 512, 1024])
def test_both_steps_agree_for_many_window_lengths(window):
    features = FeatureSettings(window=window, hop=min(window, 160))
    made, pcm = networks(TINY, 1, features), sounds(30_000)
    assert native.can_run(made)
    assert alike(heard(native_stream(made), pcm, 0), heard(NumpyStream(made), pcm)) < 1e-4


@pytest.mark.usefixtures("step_in_c")
def test_samples_and_frames_may_be_mixed():
    made, pcm, chance = networks(TINY, 1), sounds(60_000), np.random.default_rng(1)
    frames = chance.normal(-5, 4, (12, 40)).astype(np.float32)
    cuts = np.sort(chance.choice(60_000, 40, replace=False))
    steps = []
    for stream in (native_stream(made), NumpyStream(made)):
        steps.append([])
        for number, piece in enumerate(np.split(pcm, cuts)):
            steps[-1] += stream.hear(piece)
            steps[-1] += stream.hear_frames(frames[: number % 12])
    assert alike(*steps) < 1e-5


@pytest.mark.parametrize("window", [399, 398, 1280])
def test_other_window_lengths_use_numpy(window):
    made = networks(TINY, 1, FeatureSettings(window=window))
    stream = streams.new_stream(made)
    assert isinstance(stream, NumpyStream)
    assert stream.hear(sounds(20_000))


@pytest.mark.usefixtures("step_in_c")
def test_both_steps_agree_on_the_shipped_words(monkeypatch):
    models = [read_model(path) for path in shipped_models().values()]
    pcm = sounds(160_000, seed=1)
    by_c = Detector(models).scores(pcm)
    monkeypatch.setattr(native, "native_step", lambda: None)
    by_numpy = Detector(models).scores(pcm)
    assert [step.sample for step in by_c] == [step.sample for step in by_numpy]
    for c, n in zip(by_c, by_numpy, strict=True):
        assert c.scores == pytest.approx(n.scores, abs=1e-5)


@pytest.mark.parametrize("step", ["C", "numpy"])
def test_both_steps_pass_the_self_test_of_a_word(step, request, monkeypatch):
    model = read_model(shipped_models()["jarvis"])
    if step == "numpy":
        monkeypatch.setattr(native, "native_step", lambda: None)
    else:
        request.getfixturevalue("step_in_c")
    found = SelfTest.record(model.network(), model.self_test_vector.log_mel())
    assert found.probabilities.tolist() == pytest.approx(
        model.self_test_vector.probabilities.tolist(), abs=1e-4
    )


def test_invalid_plans_are_refused(step_in_c):
    plan = pack(networks(TINY, 2))
    step_in_c.Stream(plan)
    integers = np.frombuffer(plan, np.int32)
    for wrong in (plan[:-1], plan[:100], plan[:3], plan[:0], np.append(plan, np.float32(0))):
        with pytest.raises(ValueError, match="not a plan"):
            step_in_c.Stream(wrong)
    for at in range(6 + 2 * 9 + 2 * 40):  # every integer, too small and too large
        kept = integers[at]
        for value in (-1, 0, 1025, 2**31 - 1):
            integers[at] = value
            filters = at >= 6 + 2 * 9
            if not (filters and value in (0, kept)):
                with pytest.raises(ValueError, match="not a plan"):
                    step_in_c.Stream(plan)
        integers[at] = kept
    step_in_c.Stream(plan)
    for nothing in (None, 5, "plan"):
        with pytest.raises(TypeError):
            step_in_c.Stream(nothing)


def test_a_stream_is_used_by_one_thread_at_a_time(step_in_c):
    stream = step_in_c.Stream(pack(networks(Architecture(), 6)))
    pcm, refused = sounds(1_600_000), []
    with ThreadPoolExecutor(2) as threads:
        for _ in range(20):
            for done in [threads.submit(stream.hear, pcm) for _ in range(2)]:
                try:
                    done.result()
                except RuntimeError as error:
                    refused.append(str(error))
            if refused:
                break
    assert set(refused) == {"another thread is using this stream"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x7fELF of another machine", "cannot be loaded, numpy takes over"),
        (None, "of version 99, not 4, and numpy takes over"),
    ],
)
def test_a_step_of_another_version_is_refused_in_one_sentence(tmp_path, content, sentence):
    package = tmp_path / "wakeword_daemon"
    shutil.copytree(ROOT / "wakeword_daemon", package, ignore=shutil.ignore_patterns("*.so"))
    target = package / "engine/_step.abi3.so"
    if content is not None:
        target.write_bytes(content)
    elif not COMPILER:
        pytest.skip("no C compiler is installed")
    else:
        source = package / "engine/_module.c"
        source.write_text(source.read_text().replace("INTERFACE 4", "INTERFACE 99"))
        assert build_hook().compile_step(target, sources=package / "engine") is None
    program = (
        "import logging; logging.basicConfig()\n"
        "from wakeword_daemon.engine.streams import running_step\n"
        "print(running_step(), running_step())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(tmp_path)}, cwd=tmp_path,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "numpy numpy\n"
    assert done.stderr.count("\n") == 1
    assert sentence in done.stderr


FUZZ = """
import sys
sys.path[:0] = [{tests!r}, {root!r}]
import test_step as t
shapes = ((t.Architecture(), 1), (t.TINY, 3), (t.ODD, 2), (t.SEVERAL, 2))
words = [t.networks(shape, count) for shape, count in shapes]
plans = [t.pack(one) for one in words]
plans += [t.pack(t.with_halves(one), halves=True) for one in words]
for seed in range(3):
    for plan in plans:
        stream = t.native.native_step().Stream(plan)
        for _ in range(2):
            made = t.heard(stream, t.sounds(40_000), seed)
            assert made and all(abs(score) < 100 for _, _, row in made for score in row)
            stream.reset()
for rate in (8_000, 44_100, 48_000):
    resampler = t.MicrophoneResampler(rate, 2)
    assert resampler.trail < 100
    assert len(resampler.push(t.sounds(40_000))) and len(resampler.push(t.sounds(2)[:2])) < 4
    resampler.push(t.sounds(20_000), last=True)
print("fuzzed", t.streams.running_step())
"""


@pytest.mark.slow
@pytest.mark.skipif(not COMPILER, reason="no C compiler is installed")
@pytest.mark.parametrize("avx2", [True, False])
def test_sanitizers_find_no_errors(tmp_path, avx2):
    package = tmp_path / "wakeword_daemon"
    shutil.copytree(ROOT / "wakeword_daemon", package, ignore=shutil.ignore_patterns("*.so"))
    (tmp_path / "models").symlink_to(ROOT / "models")
    flags = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    why = build_hook().compile_step(package / "engine/_step.abi3.so", *flags, avx2=avx2)
    why = why or build_hook().compile_filter(package / "audio/_filter.abi3.so", *flags)
    if why:
        pytest.skip(f"the compiler has no sanitizers: {why}")
    libraries = [
        subprocess.run(
            [COMPILER, f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    program = FUZZ.format(tests=str(ROOT / "tests"), root=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {
            "LD_PRELOAD": " ".join(libraries), "ASAN_OPTIONS": "detect_leaks=0",
            "PYTHONPATH": str(tmp_path),
        },
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "fuzzed C\n"


@pytest.mark.parametrize("step", ["C", "numpy"])
def test_a_fresh_stream_shares_no_state(step, request):
    if step == "C":
        request.getfixturevalue("step_in_c")
    first = (native_stream if step == "C" else NumpyStream)(networks(TINY, 2))
    pcm, other = sounds(20_000), sounds(20_000, seed=1)
    expected = heard(first.fresh(), pcm)
    second = first.fresh()
    found = []
    for one, two in zip(np.split(pcm, 20), np.split(other, 20), strict=True):
        found += first.hear(one)
        second.hear(two)
    assert alike(found, expected) < 1e-5
