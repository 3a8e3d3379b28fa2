"""Which of our calls the real bindings would not take, told from the source where a receiver's class is known.

It is known of what ``trt`` makes, of what methods of known classes return, and of what our code calls by one of the
names that it uses for TensorRT's objects: arguments and fields declared as ``Any``, and fields of other objects.
Within a file one name is one class.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bindings.real import Api

NAMES = {
    **{"builder": "Builder", "config": "IBuilderConfig", "network": "INetworkDefinition", "parser": "OnnxParser"},
    **{"runtime": "Runtime", "engine": "ICudaEngine", "tensor": "ITensor", "fault": "ParserError"},
}
"""What our code calls TensorRT's objects where it hands them on without a type: the bindings have none."""


def call_faults(source: str, api: Api) -> list[str]:
    """The calls in ``source`` that no overload of the method takes, or whose method the receiver's class lacks."""
    tree = ast.parse(source)
    classes = _classes_by_name(tree, api)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [fault for call in calls for fault in _faults(call, classes, api)]


def _faults(call: ast.Call, classes: dict[str, str], api: Api) -> Iterator[str]:
    owner, method = _callee(call, classes, api)
    if not owner:
        return
    member = api.classes[owner].get(method)
    if member is None:
        yield f"line {call.lineno}: {owner} has no '{method}'"
    elif member["kind"] == "method" and not any(_takes(call, overload) for overload in member["signatures"]):
        yield f"line {call.lineno}: {owner}.{method} takes {member['signatures']}, not {ast.unparse(call)}"


def _callee(call: ast.Call, classes: dict[str, str], api: Api) -> tuple[str, str]:
    """The class and the method that ``call`` is of; empty where nobody knows."""
    path = ast.unparse(call.func).removeprefix("trt.")
    if ast.unparse(call.func).startswith("trt.") and path in api.classes:
        return ("", "") if _is_enumeration(path, api) else (path, "__init__")
    if not isinstance(call.func, ast.Attribute):
        return "", ""
    receiver = call.func.value
    return _made(receiver, classes, api) or classes.get(_last_name(receiver), ""), call.func.attr


def _is_enumeration(name: str, api: Api) -> bool:
    return "__members__" in api.classes[name]


def _takes(call: ast.Call, overload: list[list]) -> bool:
    """Whether the arguments of ``call`` fill the parameters of ``overload``; starred ones fill what is left."""
    names = [name for name, _ in overload if name != "self"]
    needed = {name for name, optional in overload if name != "self" and not optional}
    by_name = [keyword.arg for keyword in call.keywords]
    starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    placed = len(call.args) - starred
    given = {*names[:placed], *by_name}
    fits = placed <= len(names) and set(by_name) <= set(names[placed:]) and len(set(by_name)) == len(by_name)
    return fits and (starred or needed <= given)


def _classes_by_name(tree: ast.Module, api: Api) -> dict[str, str]:
    """The class of each variable, argument and attribute, by its last name without underscores in front."""
    found = {name: NAMES[name] for name in _untyped(tree) if name in NAMES}
    for _ in range(3):  # what one tells of another
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                made = _made(node.value, found, api)
                if made:
                    found[_last_name(node.targets[0])] = made
    return found


def _untyped(tree: ast.Module) -> Iterator[str]:
    """Arguments and fields that are declared as ``Any``, and fields of other objects."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation is not None and ast.unparse(node.annotation) == "Any":
            yield node.arg
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "Any":
            yield _last_name(node.target)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id != "self":
            yield node.attr


def _made(value: ast.expr, classes: dict[str, str], api: Api) -> str:
    """The class of what ``value`` makes; empty where nobody knows."""
    if not isinstance(value, ast.Call):
        return ""
    owner, method = _callee(value, classes, api)
    if method == "__init__":
        return owner
    returned = api.classes.get(owner, {}).get(method, {}).get("returns", "").rpartition(".")[2]
    return returned if returned in api.classes else ""


def _last_name(node: ast.expr) -> str:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name.lstrip("_")
