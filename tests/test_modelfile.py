"""A model file is read back whole, or refused with a sentence that says what is wrong."""

import json
from array import array
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from support.models import random_model

from wakeword_daemon import resources
from wakeword_daemon.engine import OperatingPoint, WordSettings, read_model
from wakeword_daemon.engine.modelfile import Model, TrainingSource, save_model
from wakeword_daemon.errors import ConfigError, ModelError


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "test.safetensors"
    return path, save_model(path, random_model())


def rewrite(path, *, metadata=None, arrays=None):
    """Write the file again with other metadata or arrays, as a meddler would."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    entry = json.loads(content[8 : 8 + size])["__metadata__"]
    path.write_bytes(save(arrays or load(content), metadata or entry))
    return entry


def test_what_is_saved_is_loaded(tmp_path):
    model = random_model("smart_mirror", seed=3, threshold=0.7)
    card = replace(
        model.card,
        operating_points=[OperatingPoint(0.5, 0.7, 0.02, 0.4)],
        sources=[TrainingSource("somewhere", "CC-BY-4.0")],
        hours=1.5,
        takes=60,
    )
    path = tmp_path / "deep" / "smart_mirror.safetensors"
    written = save_model(path, Model(card, model.weights, model.self_test_vector))
    read = read_model(path)
    assert read.card == written.card
    assert replace(read.card, checksum="") == card
    assert all(np.array_equal(read.weights[name], one) for name, one in model.weights.items())
    read.self_test()
    assert read.model_id.startswith("smart_mirror-")
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # no temporary file is left


def test_saving_the_same_model_gives_the_same_bytes(tmp_path):
    for name in "ab":
        save_model(tmp_path / name, random_model())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("length", [0, 5, 200, 5000])
def test_a_truncated_file_is_refused(saved, length):
    path, _ = saved
    content = path.read_bytes()
    assert length < len(content)
    path.write_bytes(content[:length])
    with pytest.raises(ModelError, match="truncated or not a model file"):
        read_model(path)


def test_every_changed_byte_is_detected(saved):
    path, _ = saved
    content = path.read_bytes()
    for at in np.random.default_rng(0).integers(0, len(content), 200).tolist():
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(ModelError):
            read_model(path)


def test_a_changed_weight_is_reported(saved):
    path, _ = saved
    arrays = load(path.read_bytes())
    arrays["conv.bias"] = arrays["conv.bias"] + 1
    rewrite(path, arrays=arrays)
    with pytest.raises(ModelError, match="was altered after it was written"):
        read_model(path)


def test_a_changed_threshold_is_reported(saved):
    path, _ = saved
    entry = rewrite(path)
    rewrite(path, metadata={"wakeword": entry["wakeword"].replace("0.5", "0.1")})
    with pytest.raises(ModelError, match="was altered after it was written"):
        read_model(path)


def test_another_format_version_is_refused_with_its_number(saved):
    path, _ = saved
    entry = rewrite(path)
    rewrite(path, metadata={"wakeword": entry["wakeword"].replace('"format":1', '"format":7')})
    with pytest.raises(ModelError, match="has format version 7; this program reads version 1"):
        read_model(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(ModelError, match="there is no model file"):
        read_model(path)
    path.write_text("once upon a time there was no model at all")
    with pytest.raises(ModelError, match="truncated or not a model file"):
        read_model(path)
    path.write_bytes(save({"weight": np.zeros(3, "f")}))
    with pytest.raises(ModelError, match="not a model file of a wake word"):
        read_model(path)
    path.write_bytes(save({"weight": np.zeros(3, "f")}, {"wakeword": '{"format":1}'}))
    with pytest.raises(ModelError, match="not readable"):
        read_model(path)
    with pytest.raises(ModelError, match="cannot be read"):
        read_model(tmp_path)


def test_int8_weights_are_scaled_row_by_row(tmp_path):
    model = random_model()
    weight = model.weights["gru.weight_hh_l0"]
    scale = np.abs(weight).max(axis=1) / 127
    stored = np.round(weight / scale[:, None]).astype(np.int8)
    weights = model.weights | {"gru.weight_hh_l0": stored, "gru.weight_hh_l0.scale": scale}
    path = tmp_path / "int8.safetensors"
    save_model(path, Model(model.card, weights, model.self_test_vector))
    read = np.asarray(read_model(path).weights["gru.weight_hh_l0"])
    assert read.dtype == np.float32
    assert np.abs(read - weight).max() <= scale.max() / 2 + 1e-7


def test_weights_that_float16_holds_take_half_the_space(tmp_path):
    whole = random_model()
    size = save_model(tmp_path / "whole", whole) and (tmp_path / "whole").stat().st_size
    weights = {n: w.astype(np.float16).astype(np.float32) for n, w in whole.weights.items()}
    weights["conv.bias"] = whole.weights["conv.bias"]
    save_model(tmp_path / "half", replace(whole, weights=weights))
    saved = read_model(tmp_path / "half").weights
    assert all(np.array_equal(saved[name], weights[name]) for name in weights)
    numbers = sum(weight.size for weight in weights.values())
    assert size - (tmp_path / "half").stat().st_size > 1.9 * numbers


def test_a_machine_with_other_results_fails_the_self_test(saved):
    _, model = saved
    vector = model.self_test_vector
    vector = replace(vector, probabilities=array("f", (p + 0.01 for p in vector.probabilities)))
    with pytest.raises(ModelError, match="does not give the probabilities"):
        Model(model.card, model.weights, vector).self_test()


def test_a_rate_selects_the_most_sensitive_operating_point_within_it():
    targets = (0.25, 0.1, 1.0)  # in any order
    points = [OperatingPoint(target, 1 - target / 4, 0.0, 0.0) for target in targets]
    card = random_model(points=points, threshold=0.8).card
    for rate, target in ((0.1, 0.1), (0.24, 0.1), (0.25, 0.25), (0.99, 0.25), (1, 1), (50, 1)):
        assert card.threshold_within(rate) == 1 - target / 4
    for rate in (0.0, 0.09):
        with pytest.raises(ConfigError, match=r"choose from 0\.1, 0\.25, 1,"):
            card.threshold_within(rate)
    with pytest.raises(ConfigError, match="not measured at any"):
        random_model().card.threshold_within(1.0)


@given(
    st.floats(0.01, 0.99),
    st.dictionaries(st.sampled_from([0.1, 0.25, 0.5, 1.0, 2.0]), st.floats(0.01, 0.99), min_size=1),
)
@settings(deadline=None)
def test_a_lower_rate_never_lowers_the_threshold(default, measured):
    points = [OperatingPoint(target, value, 0.0, 0.0) for target, value in measured.items()]
    card = random_model(points=points, threshold=default).card
    rates = sorted(measured)
    thresholds = [card.threshold_within(rate) for rate in rates]
    assert thresholds == sorted(thresholds, reverse=True)
    for rate, found in zip(rates, thresholds, strict=True):
        assert found >= default if rate <= 0.5 else found <= default


def test_shipped_sensitivities_below_the_default_rate_are_stricter():
    for path in resources.shipped_models().values():
        model = read_model(path)
        assert model.card.threshold_within(0.1) >= model.threshold


def test_settings_resolve_to_one_threshold():
    model = random_model(points=[OperatingPoint(1.0, 0.3, 0.0, 0.0)], threshold=0.8)
    assert model.threshold_for(WordSettings()) == 0.8
    assert model.threshold_for(WordSettings(threshold=0.6)) == 0.6
    assert model.threshold_for(WordSettings(false_accepts_per_hour=1)) == 0.3
    with pytest.raises(ConfigError, match="not both"):
        WordSettings(threshold=0.6, false_accepts_per_hour=1)


def test_shipped_models_load_and_pass_their_self_test():
    shipped = resources.shipped_models()
    assert "jarvis" in shipped
    for name, path in shipped.items():
        model = read_model(path)
        model.self_test()
        assert model.name == name
        assert max(model.self_test_vector.probabilities) > model.threshold / 2  # it hears its word
        assert path.with_suffix(".md").exists()
        assert {p.target for p in model.card.operating_points} >= {0.1, 0.5}
        assert all(source.licence != "unknown" for source in model.card.sources)
