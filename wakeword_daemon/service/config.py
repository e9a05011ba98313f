"""Typed settings, read from YAML; what is wrong is told with its key, line and what is allowed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
import yaml
from msgspec import Meta
from yaml.constructor import SafeConstructor

from wakeword_daemon import resources
from wakeword_daemon.errors import ConfigError

_Section = TypeVar("_Section", bound=msgspec.Struct)

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
    history: Annotated[float, Meta(ge=2, le=60, description="seconds from 2 to 60")] = 10.0


class WordSection(msgspec.Struct, frozen=True):
    """One wake word; null leaves the choice to its model."""

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
        """Refuse two ways of saying the same."""
        if self.threshold is not None and self.sensitivity is not None:
            raise ValueError("takes a threshold or a sensitivity, not both; remove one of the two")

    @property
    def false_accepts_per_hour(self) -> float | None:
        """The number in the sensitivity."""
        return None if self.sensitivity is None else float(self.sensitivity.split()[0])


class SocketSection(msgspec.Struct, frozen=True):
    """Where events go out on this machine."""

    path: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="the path of a unix socket, or null for the user's own"),
    ] = None
    group: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="the name of a group whose members may connect too, or null"),
    ] = None


class TcpSection(msgspec.Struct, frozen=True):
    """Events over the network; off unless a port is named."""

    port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)] | None,
        Meta(description="a port from 1 to 65535, or null for no TCP"),
    ] = None
    host: Annotated[
        str, Meta(min_length=1, description="the name or address of an interface of this machine")
    ] = "127.0.0.1"
    token: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="a secret that peers must send first, or null"),
    ] = None


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
    log: LogSection = LogSection()


def find(chosen: Path | None = None) -> Path:
    """Return the config file to read: the chosen one, the user's, the system's or the default."""
    if chosen is not None:
        return chosen
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    for path in (Path(home) / "wakeword/config.yaml", Path("/etc/wakeword/config.yaml")):
        if path.exists():
            return path
    return resources.default_config()


def load(path: Path) -> Config:
    """Read and check a config file; settings it leaves out keep their defaults.

    Raises ConfigError, naming the file, the line, the key and what is allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the config file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a text file in UTF-8") from error
    config = parse(text, str(path))
    return msgspec.structs.replace(
        config, words={name: _anchored(word, path) for name, word in config.words.items()}
    )


def parse(text: str, name: str) -> Config:
    """Check the YAML `text`; `name` is the file's name in whatever error there is."""
    return _Reader(name).read(text)


def _anchored(word: WordSection, file: Path) -> WordSection:
    """Let a relative model path count from the config file's folder, wherever the daemon runs."""
    if word.model is None or not resources.is_path(word.model):
        return word
    model = file.resolve().parent / Path(word.model).expanduser()
    return msgspec.structs.replace(word, model=str(model))


class _Reader:
    """Walks the YAML nodes instead of the plain values, because only nodes know their lines."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read(self, text: str) -> Config:
        try:
            root = yaml.compose(text, yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = f":{mark.line + 1}" if mark else ""
            raise ConfigError(f"{self._name}{line}: not valid YAML, {error.problem}") from error
        except yaml.YAMLError as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"{self._name}: not valid YAML, {reason}") from error
        return Config() if root is None else self._section(root, Config, "")

    def _section(self, node: yaml.Node, section: type[_Section], path: str) -> _Section:
        fields = {field.name: field.type for field in msgspec.structs.fields(section)}
        values = {}
        for key, value in self._items(node, path):
            if key.value not in fields:
                raise self._unknown(key, fields, path)
            values[key.value] = self._value(value, fields[key.value], _join(path, key.value))
        try:
            return section(**values)
        except ValueError as error:  # settings that are right each, but not together
            raise self._error(node, f"{path} {error}") from error

    def _value(self, node: yaml.Node, kind: Any, path: str) -> Any:  # noqa: ANN401 -- any type a setting has
        bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
            return self._section(node, bare, path)
        if get_origin(bare) is dict:
            section = get_args(bare)[1]
            values = {
                key.value: self._section(value, section, _join(path, key.value))
                for key, value in self._items(node, path)
            }
            if not values:
                raise self._wrong(node, path, _allowed(kind))
            return values
        if not isinstance(node, yaml.ScalarNode):
            raise self._wrong(node, path, _allowed(kind))
        try:
            return msgspec.convert(SafeConstructor().construct_document(node), kind)
        except (msgspec.ValidationError, yaml.YAMLError, ValueError) as error:
            raise self._wrong(node, path, _allowed(kind)) from error

    def _items(self, node: yaml.Node, path: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
            return []  # a section whose every line is commented out
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong(node, path or "the file", "a mapping of names to settings")
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._wrong(key, f"a key of {path or 'the file'}", "plain text")
            if key.value in seen:
                raise self._error(
                    key,
                    f"{_join(path, key.value)} is already set on line {seen[key.value]};"
                    " remove one of the two",
                )
            seen[key.value] = key.start_mark.line + 1
        return list(node.value)

    def _unknown(self, key: yaml.ScalarNode, known: dict[str, Any], path: str) -> ConfigError:
        import difflib  # noqa: PLC0415 -- only a mistake needs it

        close = difflib.get_close_matches(key.value, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return self._error(
            key, f"unknown key {_join(path, key.value)}{hint} (known here: {', '.join(known)})"
        )

    def _wrong(self, node: yaml.Node, path: str, allowed: str) -> ConfigError:
        match node:
            case yaml.ScalarNode():
                found = repr(node.value) if node.value else "empty"
            case yaml.SequenceNode():
                found = "a list"
            case _:
                found = "a mapping" if node.value else "an empty one"
        return self._error(node, f"{path} must be {allowed}, not {found}")

    def _error(self, node: yaml.Node, sentence: str) -> ConfigError:
        return ConfigError(f"{self._name}:{node.start_mark.line + 1}: {sentence}")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _allowed(kind: Any) -> str:  # noqa: ANN401 -- any type a setting has
    """Return the words in which a setting's own type says what it takes."""
    return next(str(meta.description) for meta in get_args(kind)[1:] if meta.description)
