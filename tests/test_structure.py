"""Imports point one way: cli → service → rooms → events, engine, audio; lab → training → engine."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import wakeword_daemon
from wakeword_daemon.cli import COMMANDS

PACKAGE = Path(wakeword_daemon.__file__).parent
EVERYONE = {
    "__init__",
    "buffers",
    "clock",
    "counts",
    "errors",
    "levels",
    "manifest",
    "memory",
    "names",
    "pcm",
    "resources",
    "settingsedit",
    "settingsfile",
    "storage",
    "xdg",
}
SETTINGS = {"config", "words"}
MAY_IMPORT = {
    "audio": set(),
    "engine": set(),
    "events": set(),
    "rooms": {"audio", "engine", "events"},
    "actions": {"audio", "engine", "events", "config"},
    "clips": {"audio", "engine"},
    "page": {"clips", "events"},
    "training": {"audio", "engine"},
    "lab": {"audio", "engine", "training"},
    "service": {"actions", "audio", "clips", "engine", "events", "rooms", *SETTINGS},
    "cli": {
        "actions",
        "audio",
        "clips",
        "engine",
        "events",
        "lab",
        "page",
        "rooms",
        "service",
        "training",
        *SETTINGS,
    },
}
ROOMS_OF_TRAINING = {
    "data": set(),
    "measure": {"data"},
    "fit": {"data", "measure"},
}
# The floors of a room, from the bottom up: a module imports from floors below its own.
FLOORS = {
    "audio": [
        {"devices", "player", "problems", "resample", "ring", "timekeeper", "zeros"},
        {"files", "portaudio", "pulse"},
        {"sources"},
        {"stream"},
        {"capture", "probe", "recorder"},
    ],
    "events": [
        {"connection", "framing", "peers"},
        {"paths", "protocol", "sockets", "vocabulary"},
        {"audio", "control", "history", "items"},
        {"subscription"},
        {"aioclient", "client", "session"},
        {"server"},
    ],
    "service": [
        {"activation", "calm", "logs", "notify", "pausefile", "telemetry", "units"},
        {"hearing"},
        {"pause", "status", "watchdog"},
        {"checkup", "daemon"},
    ],
}
# A client needs nothing of the server, so it stays light.
CLIENT = {"aioclient", "client", "connection", "items", "paths", "subscription"}
SERVER = {"audio", "control", "history", "peers", "server", "session", "sockets", "vocabulary"}
TRAINING_ONLY = {"torch", "torchaudio", "tqdm", "parselmouth", "onnx", "onnxruntime"}


def modules():
    return [path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py"))]


def imports(module):
    """Yield every import of a module, also those inside functions, as dotted names."""
    for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("module", [m for m in modules() if m.parts[0] in MAY_IMPORT], ids=str)
def test_imports_point_one_way(module):
    house = module.parts[0]
    for name in imports(module):
        top, *rest = name.split(".")
        if top == "wakeword_daemon" and rest:
            part = rest[0] if rest[0] != "__version__" else "__init__"
            assert part in MAY_IMPORT[house] | EVERYONE | {house}, f"{module} imports {name}"


@pytest.mark.parametrize(
    "module", [m for m in modules() if m.parts[0] == "training" and len(m.parts) > 2], ids=str
)
def test_the_rooms_of_training_import_one_way_too(module):
    room = module.parts[1]
    for name in imports(module):
        parts = name.split(".")
        if parts[:2] == ["wakeword_daemon", "training"]:
            assert parts[2] in ROOMS_OF_TRAINING[room] | {room}, f"{module} imports {name}"


@pytest.mark.parametrize("room", FLOORS)
def test_modules_of_a_room_import_only_from_lower_floors(room):
    level = {name: number for number, floor in enumerate(FLOORS[room]) for name in floor}
    found = [m for m in modules() if m.parts[0] == room and m.stem != "__init__"]
    assert {module.stem for module in found} == level.keys()
    for module in found:
        for name in imports(module):
            parts = name.split(".")
            if parts[:2] == ["wakeword_daemon", room]:
                below = level.get(parts[2], -1)  # what is no module here is in C
                assert below < level[module.stem], f"{module} imports {name}"


def test_the_client_imports_nothing_of_the_server():
    for client in CLIENT:
        names = imports(Path("events") / f"{client}.py")
        assert not {name.split(".")[2] for name in names if ".events." in name} & SERVER, client


@pytest.mark.parametrize("module", modules(), ids=str)
def test_only_training_and_the_laboratory_import_torch(module):
    if module.parts[0] not in ("training", "lab"):
        assert not {name.split(".")[0] for name in imports(module)} & TRAINING_ONLY


def test_every_command_has_its_module():
    helpers = {"__init__"} | {m.stem for m in modules() if m.stem.startswith("_")}
    assert {m.stem for m in modules() if m.parts[0] == "cli"} - helpers == set(COMMANDS)


def loaded_by(statement):
    """Return the modules that a fresh interpreter has loaded after `statement`."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {statement}; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.split())


def test_the_daemon_loads_no_torch():
    loaded = loaded_by("import wakeword_daemon.cli.run")
    assert "wakeword_daemon.service.daemon" in loaded
    assert not loaded & TRAINING_ONLY


@pytest.mark.parametrize("command", ["listen", "monitor", "status", "pause", "resume", "service"])
def test_a_client_loads_few_modules(command):
    loaded = loaded_by(
        f"from wakeword_daemon.cli import build_parser; build_parser(['{command}'])",
    )
    assert f"wakeword_daemon.cli.{command}" in loaded
    assert not loaded & {"asyncio", "numpy", "yaml", "sounddevice"} | (loaded & TRAINING_ONLY)


TESTS = sorted(Path(__file__).parent.glob("test_*.py"))


def unmarked(marker):
    """Return the names of the test modules whose `pytestmark` lacks the marker."""
    marks = re.compile(rf"^pytestmark = .*\bpytest\.mark\.{marker}\b", re.MULTILINE)
    return [path.stem for path in TESTS if not marks.search(path.read_text())]


def test_tests_that_load_torch_are_marked():
    code = f"""if True:
        import importlib, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        for name in {unmarked("torch")}:
            importlib.import_module(name)
            assert "torch" not in sys.modules, f"mark {{name}} as torch: it loads it"
    """
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("marker", "support"), [("sound", "soundserver"), ("systemd", "systemd")])
def test_tests_that_start_servers_are_marked(marker, support):
    for name in unmarked(marker):
        text = (Path(__file__).parent / f"{name}.py").read_text()
        assert f"from support.{support} import" not in text, f"mark {name} as {marker}"
