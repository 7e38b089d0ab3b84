"""The house's own rules, kept by reading the tree: sizes, doors, docstrings, silence about swallowed errors."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "affiant"
MODULES = sorted(SOURCE.rglob("*.py"))
ROOMS = sorted(path.parent for path in SOURCE.glob("*/__init__.py"))
MAX_MODULE_LINES = 800
MAX_FUNCTION_LINES = 80


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_is_small_and_says_what_it_is_for(path: Path) -> None:
    """No module passes 800 lines, and each that holds code opens by saying what it is for."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert text.count("\n") <= MAX_MODULE_LINES
    if tree.body:
        assert ast.get_docstring(tree), f"{name_of(path)} does not say what it is for"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_are_short(path: Path) -> None:
    """No function passes 80 lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{name_of(path)}:{node.lineno} {node.name} has {length} lines"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_error_is_swallowed(path: Path) -> None:
    """No handler catches everything and does nothing."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ExceptHandler):
            continue
        broad = node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
        empty = all(isinstance(statement, ast.Pass | ast.Continue) for statement in node.body)
        assert not (broad and empty), f"{name_of(path)}:{node.lineno} swallows every error"


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: path.name)
def test_a_room_has_one_door(room: Path) -> None:
    """A room's `__init__` says what others may use, and everything it lists exists."""
    tree = ast.parse((room / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{room.name} does not say what it is"
    listed = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)
    ]
    if not any(isinstance(node, ast.ImportFrom) for node in tree.body if getattr(node, "module", "") != "__future__"):
        return
    assert listed, f"{room.name} exports without listing"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_refers_to_a_machine(path: Path) -> None:
    """No path of a particular machine stands in the code."""
    text = path.read_text(encoding="utf-8")
    for word in ("/work/", "/root/", "/opt/pypi"):
        assert word not in text
