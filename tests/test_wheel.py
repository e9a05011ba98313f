"""What ships in the wheel works outside the checkout."""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

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


@pytest.mark.skipif(not COMPILER, reason="no C compiler is installed")
def test_the_wheel_has_the_step_in_c(installed):
    assert (installed / "wakeword_daemon/engine/_step.abi3.so").exists()
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
