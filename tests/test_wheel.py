"""What ships in the wheel works outside the checkout."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import wakeword_daemon

ROOT = Path(__file__).resolve().parents[1]
COMPILER = shutil.which("cc") or shutil.which("gcc")


def build(folder, **environment):
    """Build the wheel from a copy of the checkout, whose own compiled step stays as it is."""
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(
            ROOT, copy, dirs_exist_ok=True,
            ignore=shutil.ignore_patterns(".*", "*.so", "runs", "dist"),
        )  # fmt: skip
        return subprocess.run(
            [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, copy],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel, built and unpacked as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    built = build(folder)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    zipfile.ZipFile(wheel).extractall(site)
    return site


def test_the_wheel_has_the_man_page_and_the_completions(installed):
    (prefix,) = installed.glob("*.data/data")
    for path in (ROOT / "share").rglob("*"):
        if path.is_file():
            assert (prefix / path.relative_to(ROOT)).read_bytes() == path.read_bytes()


def wakeword(site, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "wakeword_daemon", *arguments],
        cwd=site.parent,
        env={"PYTHONPATH": str(site), "HOME": str(site.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_has_what_the_daemon_needs(installed):
    data = installed / "wakeword_daemon/data"
    assert (data / "config.yaml").read_bytes() == (ROOT / "config.yaml").read_bytes()
    for folder in ("models", "systemd"):
        shipped = {path.name for path in (data / folder).iterdir()}
        assert shipped == {path.name for path in (ROOT / folder).iterdir()}


def test_the_wheel_built_again_is_the_same_to_the_byte(installed, tmp_path):
    """In another folder, at another time, by a user with other habits."""
    old = os.umask(0o077)
    try:
        built = build(tmp_path, TZ="Asia/Tokyo", PYTHONHASHSEED="7", LC_ALL="C")
    finally:
        os.umask(old)
    assert built.returncode == 0, built.stdout + built.stderr
    (first,), (second,) = installed.parent.glob("*.whl"), tmp_path.glob("*.whl")
    assert first.name == second.name
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as two:
        assert one.namelist() == two.namelist()
        for name in one.namelist():
            assert one.read(name) == two.read(name), name
    assert first.read_bytes() == second.read_bytes()


def test_the_wheel_names_no_folder_of_the_machine_it_was_built_on(installed):
    places = {bytes(ROOT), os.fsencode(tempfile.gettempdir()) + b"/tmp", bytes(Path.home()) + b"/"}
    for path in installed.rglob("*.so"):
        assert not any(place in path.read_bytes() for place in places), path


def test_the_bill_of_materials_lists_what_is_needed_and_what_is_inside(installed):
    (path,) = installed.glob("*.dist-info/sboms/*.cdx.json")
    bill = json.loads(path.read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert bill["metadata"]["component"]["name"] == project["name"]
    assert bill["metadata"]["component"]["version"] == wakeword_daemon.__version__
    packages = {part["name"]: part for part in bill["components"] if part["type"] == "library"}
    wanted = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    assert {name for name, part in packages.items() if part["scope"] == "required"} == wanted
    assert packages["torch"]["scope"] == "optional"
    models = {part["name"]: part for part in bill["components"] if "hashes" in part}
    for model in (ROOT / "models").glob("*.safetensors"):
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
        assert models.pop(model.stem)["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert not models


@pytest.mark.skipif(not COMPILER, reason="no C compiler is installed")
def test_the_wheel_has_the_step_in_c(installed):
    assert (installed / "wakeword_daemon/engine/_step.abi3.so").exists()
    assert (installed / "wakeword_daemon/audio/_filter.abi3.so").exists()
    assert wakeword(installed, "--version").stdout.endswith("step in C\n")


def test_the_wheel_is_built_without_a_compiler(tmp_path):
    built = build(tmp_path, CC="/no/such/compiler")
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    assert wakeword(tmp_path / "site", "--version").stdout.endswith("step in numpy\n")


def test_the_installed_command_finds_its_models(installed):
    listed = wakeword(installed, "words")
    assert listed.returncode == 0, listed.stderr
    assert str(installed / "wakeword_daemon/data/models/jarvis.safetensors") in listed.stdout


def test_the_installed_engine_detects_the_word_in_the_demo(installed):
    demo = installed / "wakeword_daemon/data/models/demo.flac"
    heard = wakeword(installed, "detect", str(demo))
    assert heard.returncode == 0, heard.stderr
    assert "jarvis" in heard.stdout
