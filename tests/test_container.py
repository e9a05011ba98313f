"""The container image, built from the Dockerfile by buildah, and the wake service in it."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.daemon import PATIENCE, until
from support.roomserver import RoomPeer, free_port, speech

pytestmark = [pytest.mark.container]

ROOT = Path(__file__).resolve().parents[1]
BASE = re.search(r"^FROM (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[1]
IMAGE = "localhost/wakeword"
# Neither needs control groups or a network of its own, which this machine may not have to give.
ISOLATION = ("--isolation", "chroot", "--network", "host")


class Storage:
    """Images and containers in a folder of their own, beside those of the user."""

    def __init__(self, folder):
        self._folder = folder

    def command(self, *arguments):
        own = ("--root", self._folder / "root", "--runroot", self._folder / "run")
        return ["buildah", *map(str, (*own, *arguments))]

    def run(self, *arguments):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout.strip()

    def fetch_base(self):
        """Fetch the base image, or make it from Debian's packages where no registry answers."""
        if (
            subprocess.run(self.command("pull", BASE), capture_output=True, check=False).returncode
            == 0
        ):
            return
        if shutil.which("debootstrap") is None:
            pytest.skip(f"no registry has {BASE}, and debootstrap is not installed")
        made = self._folder / "debian"
        suite = BASE.partition(":")[2].removesuffix("-slim")
        done = subprocess.run(
            ["debootstrap", "--variant=minbase", suite, made],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"neither a registry nor Debian's archive has {BASE}: {done.stdout[-300:]}")
        container = self.run("from", "scratch")
        self.run("add", "--quiet", container, made, "/")
        self.run("commit", "--quiet", "--rm", container, f"docker.io/library/{BASE}")
        shutil.rmtree(made)


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed")
    if os.geteuid() != 0:
        pytest.skip("building an image needs root here")
    folder = tmp_path_factory.mktemp("images")
    storage = Storage(folder)
    storage.fetch_base()
    yield storage
    storage.run("rm", "--all")
    storage.run("rmi", "--all", "--force")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def container(storage, tmp_path_factory):
    mounts = []
    if certificates := os.environ.get("PIP_CERT"):  # a proxy's, which pip needs in the image too
        folder = tmp_path_factory.mktemp("pip")
        shutil.copy(certificates, folder / "certificates")
        (folder / "pip.conf").write_text("[global]\ncert = /pip/certificates\n")
        mounts = [
            "--volume",
            f"{folder}:/pip:ro",
            "--volume",
            f"{folder}/pip.conf:/etc/pip.conf:ro",
        ]
    storage.run("bud", *ISOLATION, *mounts, "--format", "docker", "--tag", IMAGE, ROOT)
    return storage.run("from", "--pull-never", IMAGE)


def test_the_service_in_the_container_hears_a_word_and_is_healthy(storage, container):
    described = json.loads(storage.run("inspect", "--type", "container", container))
    config = described["Docker"]["config"]
    (program,), check = config["Entrypoint"], config["Healthcheck"]["Test"]
    assert config["User"] == "wakeword"
    assert check[0] == "CMD"
    port = free_port()
    arguments = [part.replace("10400", str(port)) for part in config["Cmd"]]
    assert f"tcp://0.0.0.0:{port}" in arguments
    inside = storage.command("run", *ISOLATION, container, "--")
    checking = [*inside, *(part.replace("10400", str(port)) for part in check[1:])]
    assert "step in C" in subprocess.check_output([*inside, program, "--version"], text=True)
    assert subprocess.run(checking, capture_output=True, check=False).returncode != 0
    service = subprocess.Popen([*inside, program, *arguments], stderr=subprocess.DEVNULL)
    try:
        until(lambda: answers(port), "the service")
        subprocess.run(checking, check=True, timeout=PATIENCE)
        with RoomPeer(("127.0.0.1", port)) as room:
            room.start()
            room.say(speech())
            assert [event["type"] for event in room.answers()] == ["detection"]
    finally:
        service.terminate()
        service.wait(PATIENCE)


def answers(port):
    try:
        with RoomPeer(("127.0.0.1", port)) as peer:
            return peer.ask("ping", answer="pong")
    except OSError:
        return None
