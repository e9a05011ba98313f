"""The daemon's settings and their defaults."""

from __future__ import annotations

import json
import logging
import os
import stat
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml
from msgspec import Meta

from wakeword_daemon import resources, settingsedit, settingsfile, xdg
from wakeword_daemon.errors import ConfigError
from wakeword_daemon.names import find_name, is_path
from wakeword_daemon.storage import write_atomically

logger = logging.getLogger(__name__)

_NUMBER = r"[0-9]+(\.[0-9]+)?"


class AudioSection(msgspec.Struct, frozen=True):
    """The microphone."""

    device: Annotated[
        str | int | None,
        Meta(description="a device's name, a part of it, its index, or null for the default"),
    ] = None
    channel: Annotated[
        Annotated[int, Meta(ge=1, le=64)] | Literal["mix"],
        Meta(description="the number of a channel from 1 to 64, or mix"),
    ] = 1
    rate: Annotated[
        Annotated[int, Meta(ge=8000, le=192_000)] | None,
        Meta(description="a rate from 8000 to 192000 Hz, or null for what suits the device"),
    ] = None
    naps: Annotated[bool, Meta(description="true or false")] = True
    history: Annotated[float, Meta(ge=2, le=60, description="seconds from 2 to 60")] = 10.0


class WordSection(msgspec.Struct, frozen=True):
    """One wake word; null takes the value of its model."""

    model: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="a shipped word's name, a path to a model file, or null"),
    ] = None
    threshold: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | None,
        Meta(description="a number above 0 and below 1, or null"),
    ] = None
    sensitivity: Annotated[
        Annotated[str, Meta(pattern=rf"^{_NUMBER} +false +accepts?/hour$")] | None,
        Meta(description="a rate such as 0.25 false accepts/hour, or null"),
    ] = None
    smoothing: Annotated[
        int, Meta(ge=1, le=16, description="a whole number of 80 ms steps from 1 to 16")
    ] = 1
    refractory: Annotated[float, Meta(ge=0, le=60, description="seconds from 0 to 60")] = 1.0

    def __post_init__(self) -> None:
        """Refuse a threshold together with a sensitivity."""
        if self.threshold is not None and self.sensitivity is not None:
            raise ValueError("takes a threshold or a sensitivity, not both; remove one of the two")

    @property
    def false_accepts_per_hour(self) -> float | None:
        """The number in the sensitivity."""
        return None if self.sensitivity is None else float(self.sensitivity.split()[0])


class SocketSection(msgspec.Struct, frozen=True):
    """Where programs on this machine connect."""

    path: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="the path of a unix socket, or null for the user's own"),
    ] = None
    group: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="the name of a group whose members may connect too, or null"),
    ] = None


class TcpSection(msgspec.Struct, frozen=True):
    """Events over the network; off unless a port is set."""

    port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)] | None,
        Meta(description="a port from 1 to 65535, or null for no TCP"),
    ] = None
    host: Annotated[
        str, Meta(min_length=1, description="the name or address of an interface of this machine")
    ] = "127.0.0.1"
    token: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="a secret that peers must send first (a number in quotes), or null"),
        settingsfile.SECRET,
    ] = None


class RoomsSection(msgspec.Struct, frozen=True):
    """The wake service beside the microphone; off unless a URI is set."""

    uri: Annotated[
        Annotated[str, Meta(pattern=r"^(tcp|unix)://.")] | None,
        Meta(description="tcp://HOST:PORT, unix:///PATH, or null for no wake service"),
    ] = None
    allow_lan: Annotated[bool, Meta(description="true or false")] = False
    zeroconf: Annotated[
        bool | Annotated[str, Meta(min_length=1)],
        Meta(description="true, false, or the name to be found by"),
    ] = False
    nearest: Annotated[
        Annotated[float, Meta(ge=0.05, le=2)] | None,
        Meta(description="seconds from 0.05 to 2, such as 0.3, or null"),
    ] = None

    @property
    def announced_as(self) -> str | None:
        """The name to be found by, empty for the machine's; None for no announcement."""
        if isinstance(self.zeroconf, str):
            return self.zeroconf
        return "" if self.zeroconf else None


class OnDetectionSection(msgspec.Struct, frozen=True):
    """What the daemon itself does at each detection; nothing by default."""

    command: Annotated[
        Annotated[list[str], Meta(min_length=1)] | None,
        Meta(description="a list of a program and its arguments (numbers in quotes), or null"),
    ] = None
    time_limit: Annotated[float, Meta(ge=0.1, le=3600, description="seconds from 0.1 to 3600")] = (
        10.0
    )
    interval: Annotated[float, Meta(ge=0, le=3600, description="seconds from 0 to 3600")] = 1.0
    sound: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="the path of a sound file, or null"),
    ] = None


class DbusSection(msgspec.Struct, frozen=True):
    """The session bus; off unless it is enabled."""

    enabled: Annotated[bool, Meta(description="true or false")] = False


class MqttSection(msgspec.Struct, frozen=True):
    """An MQTT broker; off unless a host is named."""

    host: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="the name or address of a broker, or null for none"),
    ] = None
    port: Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")] = 1883
    tls: Annotated[bool, Meta(description="true or false")] = False
    user: Annotated[str | None, Meta(description="a name that the broker knows, or null")] = None
    password: Annotated[
        str | None,
        Meta(description="a password (a number in quotes), or null"),
        settingsfile.SECRET,
    ] = None
    topic: Annotated[
        Annotated[str, Meta(pattern=r"^[^+#/]+(/[^+#/]+)*$")] | None,
        Meta(description="a topic without + and #, or null for wakeword/HOST"),
    ] = None
    discovery: Annotated[
        Annotated[str, Meta(pattern=r"^[^+#/]+(/[^+#/]+)*$")] | None,
        Meta(description="a topic without + and #, or null for no discovery"),
    ] = "homeassistant"


class ClipsSection(msgspec.Struct, frozen=True):
    """Recordings of what was heard and nearly heard; off unless they are to be kept."""

    keep: Annotated[bool, Meta(description="true or false")] = False
    near_misses: Annotated[float, Meta(gt=0, le=1, description="a share above 0 and up to 1")] = 0.5
    folder: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="the path of a folder, or null for the user's own"),
    ] = None
    count: Annotated[int, Meta(ge=1, description="a whole number above 0")] = 500
    megabytes: Annotated[float, Meta(gt=0, description="a number above 0")] = 100.0
    days: Annotated[float, Meta(gt=0, description="a number above 0")] = 30.0


class LogSection(msgspec.Struct, frozen=True):
    """What is logged."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="debug, info, warning or error"),
    ] = "info"


class Config(msgspec.Struct, frozen=True):
    """Every setting of the daemon; compared by value, so that a reload sees what changed.

    `words` maps each wake word's name, as events carry it, to its settings.
    """

    audio: AudioSection = AudioSection()
    words: Annotated[
        dict[str, WordSection], Meta(description="a mapping of at least one wake word's name")
    ] = msgspec.field(default_factory=lambda: {"jarvis": WordSection()})
    socket: SocketSection = SocketSection()
    tcp: TcpSection = TcpSection()
    rooms: RoomsSection = RoomsSection()
    on_detection: OnDetectionSection = OnDetectionSection()
    dbus: DbusSection = DbusSection()
    mqtt: MqttSection = MqttSection()
    clips: ClipsSection = ClipsSection()
    log: LogSection = LogSection()

    @property
    def actions(self) -> tuple[OnDetectionSection, DbusSection, MqttSection]:
        """The settings of all actions."""
        return self.on_detection, self.dbus, self.mqtt


def find(chosen: Path | None = None) -> Path:
    """Return the config file to read: the chosen one, the user's, the system's or the default."""
    if chosen is not None:
        return chosen
    for path in (xdg.config_home() / "wakeword/config.yaml", Path("/etc/wakeword/config.yaml")):
        if _is_there(path):
            return path
    return resources.default_config()


def load(path: Path) -> Config:
    """Read and check a config file; settings it leaves out keep their defaults.

    Raises:
        ConfigError: names the file, the line, the key and what is allowed.

    """
    config = settingsfile.load(path, Config, "config file")
    if (config.tcp.token or config.mqtt.password) and path.stat().st_mode & stat.S_IROTH:
        logger.warning(
            "%s holds a secret, and every user of this machine can read it: chmod o= it", path
        )
    return msgspec.structs.replace(
        config,
        words={name: _anchored(name, word, path) for name, word in config.words.items()},
        on_detection=_with_sound(config.on_detection, path),
        clips=_anchored_clips(config.clips, path),
    )


def save_threshold(chosen: Path | None, word: str, threshold: float) -> Path:
    """Write a word's threshold into the config file; everything else in it stays as it is.

    A sensitivity in its place becomes null. Without a config file the user gets one.

    Args:
        chosen: the chosen file; None for the one that `find` returns.
        word: its name; `smart mirror` and `smart_mirror` are the same.
        threshold: above 0 and below 1.

    Returns:
        The file.

    Raises:
        ConfigError: the file has no such word, cannot be written, or is written in a way that
            leaves no place for the setting.

    """
    path, text = _own_file(chosen)
    before = parse(text, str(path))
    name = find_name(word, before.words)
    if name is None:
        raise ConfigError(f"{path} does not name the word {word!r}; add it there first")
    section = msgspec.structs.replace(before.words[name], threshold=threshold, sensitivity=None)
    after = text
    if before.words[name].sensitivity is not None:
        after = settingsedit.with_value(after, ("words", name, "sensitivity"), "null")
    written = f"{threshold:.9f}".rstrip("0")
    after = settingsedit.with_value(after, ("words", name, "threshold"), written)
    _replace(
        path,
        after,
        msgspec.structs.replace(before, words=before.words | {name: section}),
        f"words.{name}.threshold to {written}",
    )
    return path


def add_word(chosen: Path | None, word: str, model: Path) -> Path:
    """Write a word with its model into the config file; everything else in it stays as it is.

    If the file has the word, that gets the model. Without a config file the user gets one, with the
    words that were heard until then.

    Args:
        chosen: the chosen file; None for the one that `find` returns.
        word: the word's name.
        model: the model file.

    Returns:
        The file.

    Raises:
        ConfigError: the file cannot be written, or is written in a way that leaves no place for the
            word.

    """
    path, text = _own_file(chosen)
    before = parse(text, str(path))
    name = find_name(word, before.words) or word
    written = json.dumps(str(model.resolve()), ensure_ascii=False)
    section = before.words.get(name, WordSection())
    after = text
    for other in before.words if "words" not in (yaml.safe_load(text) or {}) else ():
        after = settingsedit.with_value(after, ("words", other), "{}")
    after = settingsedit.with_value(after, ("words", name, "model"), written)
    section = msgspec.structs.replace(section, model=str(model.resolve()))
    _replace(
        path,
        after,
        msgspec.structs.replace(before, words=before.words | {name: section}),
        f"words.{name}.model to {written}",
    )
    return path


def _own_file(chosen: Path | None) -> tuple[Path, str]:
    """Return the config file to change, and its text; the user's own where there is none yet."""
    path = find(chosen)
    if path == resources.default_config():
        return xdg.config_home() / "wakeword/config.yaml", ""
    return path, settingsfile.read_text(path, "config file")


def _replace(path: Path, text: str, meant: Config, setting: str) -> None:
    """Write the file's new text, if it means what it should.

    Raises:
        ConfigError: it does not, or the file cannot be written.

    """
    if not _means(text, meant):
        raise ConfigError(f"{path} cannot be changed by this command; set {setting} in it")
    try:
        target = path.resolve()
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        write_atomically(target, text.encode(), mode)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


def parse(text: str, name: str) -> Config:
    """Check the YAML `text`; errors call the file `name`."""
    return settingsfile.parse(text, Config, name)


def _means(text: str, config: Config) -> bool:
    """Return whether the YAML `text` says what is in the config."""
    try:
        return parse(text, "") == config
    except ConfigError:
        return False


def _anchored(name: str, word: WordSection, file: Path) -> WordSection:
    """Return the word with a model path that is relative to the config file's folder."""
    if is_path(name):
        raise ConfigError(f"{file}: words.{name}: name the word, and set its model to this path")
    if word.model is None or not is_path(word.model):
        return word
    return msgspec.structs.replace(word, model=_beside(file, word.model))


def _with_sound(section: OnDetectionSection, file: Path) -> OnDetectionSection:
    """Make a relative path of the sound start at the config file's folder; the file must exist."""
    if section.sound is None:
        return section
    sound = _beside(file, section.sound)
    if not os.path.isfile(sound):  # noqa: PTH113 -- of a path that is too long pathlib complains
        raise ConfigError(f"{file}: on_detection.sound: there is no file {sound}")
    return msgspec.structs.replace(section, sound=sound)


def _anchored_clips(section: ClipsSection, file: Path) -> ClipsSection:
    folder = section.folder
    return (
        section
        if folder is None
        else msgspec.structs.replace(section, folder=_beside(file, folder))
    )


def _beside(file: Path, path: str) -> str:
    """Return a path from the settings; a relative one starts at the config file's folder."""
    # os.path keeps an unknown ~user, where pathlib complains
    return str(file.resolve().parent / os.path.expanduser(path))  # noqa: PTH111


def _is_there(path: Path) -> bool:
    """Return whether there is such a file, or one that cannot be read, which is then reported."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # reading it says what is wrong
    return True
