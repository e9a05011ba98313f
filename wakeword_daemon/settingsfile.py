"""Files of typed settings in YAML; errors name the key, the line and what is allowed."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin

import msgspec
import yaml
from yaml.constructor import SafeConstructor

from wakeword_daemon.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

Section = TypeVar("Section", bound=msgspec.Struct)

SECRET = "secret"  # noqa: S105 -- a mark, no secret
"""Annotates a setting whose value no message may repeat."""


def load(path: Path, kind: type[Section], title: str) -> Section:
    """Read and check a file; settings it leaves out keep their defaults.

    Args:
        path: the file.
        kind: what it holds. Every field that is not itself a section is annotated with a
            `msgspec.Meta` whose description ends the sentence "this must be ...".
        title: what such a file is called, as "config file".

    Raises:
        ConfigError: names the file, the line, the key and what is allowed.

    """
    return parse(read_text(path, title), kind, str(path))


def read_text(path: Path, title: str) -> str:
    """Read a file's text, with its line ends as they are.

    Raises:
        ConfigError: it cannot be read, or is no text.

    """
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise ConfigError(f"cannot read the {title} {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a text file in UTF-8") from error


def parse(text: str, kind: type[Section], name: str) -> Section:
    """Check the YAML `text`; errors call the file `name`."""
    return _Reader(name).read(text, kind)


class _Reader:
    """Reads the YAML nodes instead of plain values, because only nodes have line numbers."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read(self, text: str, kind: type[Section]) -> Section:
        try:
            root = yaml.compose(text, yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = f":{mark.line + 1}" if mark else ""
            problem = error.problem or ""
            if problem.startswith("found undefined alias"):  # and the value, which may be a secret
                problem = "a value that begins with * needs quotes"
            raise ConfigError(f"{self._name}{line}: not valid YAML, {problem}") from error
        except yaml.YAMLError as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"{self._name}: not valid YAML, {reason}") from error
        except RecursionError:
            raise ConfigError(f"{self._name}: not valid YAML, nested too deeply") from None
        except (ValueError, OverflowError):
            raise ConfigError(f"{self._name}: an escape does not name a character") from None
        return self.read("{}", kind) if root is None else self._section(root, kind, "")

    def _section(self, node: yaml.Node, section: type[Section], path: str) -> Section:
        fields = {field.name: field.type for field in msgspec.structs.fields(section)}
        values = {}
        for key, value in self._items(node, path):
            if key.value not in fields:
                raise self._unknown(key, fields, path)
            values[key.value] = self._value(value, fields[key.value], _join(path, key.value))
        for field in msgspec.structs.fields(section):
            if field.required and field.name not in values:
                raise self._error(
                    node, f"{_join(path, field.name)} is missing; it must be {allowed(field.type)}"
                )
        try:
            return section(**values)
        except ValueError as error:  # settings that are valid, but not together
            raise self._error(node, f"{path} {error}") from error

    def _value(self, node: yaml.Node, kind: Any, path: str) -> Any:  # noqa: ANN401 -- any type a setting has
        bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        section = _section_of(bare)
        if section is not None:
            return self._section(node, section, path)
        if get_origin(bare) is dict:
            section = get_args(bare)[1]
            values = {
                key.value: self._section(value, section, _join(path, key.value))
                for key, value in self._items(node, path)
            }
            if not values:
                raise self._unfit(node, path, kind)
            return values
        scalars = [node]
        if isinstance(node, yaml.SequenceNode) and _takes_list(kind):
            scalars = node.value
        if not all(isinstance(one, yaml.ScalarNode) and _is_text(one.value) for one in scalars):
            raise self._unfit(node, path, kind)
        try:
            return msgspec.convert(SafeConstructor().construct_document(node), kind)
        except Exception as error:  # a tag's constructor raises whatever it comes upon
            raise self._unfit(node, path, kind) from error

    def _items(self, node: yaml.Node, path: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
            return []  # a section whose every line is commented out
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong(node, path or "the file", "a mapping of names to settings")
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not (isinstance(key, yaml.ScalarNode) and _is_text(key.value)):
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
        import difflib  # noqa: PLC0415 -- needed only after a mistake

        close = difflib.get_close_matches(key.value, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return self._error(
            key, f"unknown key {_join(path, key.value)}{hint} (known here: {', '.join(known)})"
        )

    def _unfit(self, node: yaml.Node, path: str, kind: Any) -> ConfigError:  # noqa: ANN401
        if SECRET in get_args(kind):
            return self._error(node, f"{path} must be {allowed(kind)}")
        return self._wrong(node, path, allowed(kind))

    def _wrong(self, node: yaml.Node, path: str, what: str) -> ConfigError:
        match node:
            case yaml.ScalarNode():
                found = repr(node.value) if node.value else "empty"
            case yaml.SequenceNode():
                found = "a list"
            case _:
                found = "a mapping" if node.value else "an empty one"
        return self._error(node, f"{path} must be {what}, not {found}")

    def _error(self, node: yaml.Node, sentence: str) -> ConfigError:
        return ConfigError(f"{self._name}:{node.start_mark.line + 1}: {sentence}")


def _section_of(kind: Any) -> type[msgspec.Struct] | None:  # noqa: ANN401 -- any type a setting has
    """Return the section type of a setting, also of one that may be null."""
    for choice in get_args(kind) if get_origin(kind) is types.UnionType else (kind,):
        if isinstance(choice, type) and issubclass(choice, msgspec.Struct):
            return choice
    return None


def _is_text(value: str) -> bool:
    """Return whether a value can be a path or be sent: escapes write what no text in UTF-8 has."""
    return "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)


def _takes_list(kind: Any) -> bool:  # noqa: ANN401 -- any type a setting has
    """Return whether a setting is a list, or may be one."""
    if get_origin(kind) is list:
        return True
    return any(_takes_list(choice) for choice in get_args(kind))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def allowed(kind: Any) -> str:  # noqa: ANN401 -- any type a setting has
    """Return what a setting may be, as its type describes it."""
    metas = (meta for meta in get_args(kind)[1:] if isinstance(meta, msgspec.Meta))
    return next(str(meta.description) for meta in metas if meta.description)
