"""Changes settings in a YAML file and leaves everything else as it is, comments and layout too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence


def with_value(text: str, path: Sequence[str], value: str) -> str:
    """Return the YAML text with one setting changed or added.

    Layouts that this does not understand (anchors, block scalars) may come out wrong, so the
    caller must read the result and compare.

    Args:
        text: of the file; valid YAML.
        path: the keys that lead to the setting, from the outermost on.
        value: the new value as it is written, such as `0.5` or `null`.

    """
    node = yaml.compose(text, yaml.SafeLoader)
    if node is None:
        lines = [f"{'  ' * depth}{_key(key)}:" for depth, key in enumerate(path)]
        kept = text if not text or text.endswith("\n") else text + "\n"
        return kept + "\n".join(lines) + f" {value}\n"
    for depth, key in enumerate(path):
        if not isinstance(node, yaml.MappingNode):  # empty or null, where there may be a mapping
            return _replaced(text, node, _flow(path[depth:], value))
        found = next((one for name, one in node.value if name.value == key), None)
        if found is None:
            return _added(text, node, _entry(path[depth:], value))
        node = found
    return _replaced(text, node, value)


def _replaced(text: str, node: yaml.Node, new: str) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    space = "" if start < end else " "  # an empty value begins right after the colon
    return text[:start] + space + new + text[end:]


def _added(text: str, mapping: yaml.MappingNode, entry: str) -> str:
    """Return the text with another entry in a mapping."""
    if mapping.flow_style:
        at = mapping.start_mark.index + 1
        return text[:at] + entry + (", " if mapping.value else "") + text[at:]
    last: yaml.Node = mapping
    while isinstance(last, yaml.CollectionNode) and not last.flow_style and last.value:
        child = last.value[-1]
        last = child[1] if isinstance(child, tuple) else child
    line_end = text.find("\n", last.end_mark.index)
    at = len(text) if line_end < 0 else line_end
    column = mapping.value[0][0].start_mark.column
    return f"{text[:at]}\n{' ' * column}{entry}{text[at:]}"


def _entry(path: Sequence[str], value: str) -> str:
    return f"{_key(path[0])}: {_flow(path[1:], value)}"


def _flow(path: Sequence[str], value: str) -> str:
    return f"{{{_entry(path, value)}}}" if path else value


def _key(name: str) -> str:
    return name if yaml.safe_load(name) == name else json.dumps(name)
