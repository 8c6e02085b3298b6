"""Questions that rules of several families ask."""

from __future__ import annotations

import re
import sys

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.code import FunctionCode
from mlxlint.model.tree import walk
from mlxlint.rule import Insert, NodeEdit, Replace


def is_port(context: Context) -> bool:
    """Whether something shows that a file is a port from PyTorch."""
    return context.port is not None


_ANOTHER = re.compile(r"^[^#\n]*\b(?:torch|jax|tensorflow|keras|paddle|tinygrad|mindspore)\b", re.MULTILINE)


def is_mlx_alone(context: Context) -> bool:
    """Whether a file names no framework beside MLX outside comments, so that PyTorch's methods are meant for MLX's."""
    return "mlx" in context.frameworks and not _ANOTHER.search(context.module.text)


def is_test(node: cst.CSTNode, context: Context) -> bool:
    """Whether a node stands in a test's function, which runs once and for a few steps."""
    function = context.enclosing_function(node)
    return function is not None and function.name.startswith("test_")


def with_keyword(call: cst.Call, keyword: str, context: Context) -> NodeEdit:
    """The edit that gives a call one more keyword argument (``"axis=-1"``)."""
    if call.args:
        return Insert(call.args[-1], f", {keyword}", after=True)
    return Replace(call, f"{context.text(call.func)}({keyword})")


def python_like_this(script: str) -> list[str]:
    """The command that runs a script in another Python process with the packages of this one."""
    return [sys.executable, "-Ic", f"import sys\nsys.path[:] = {sys.path!r}\n{script}"]


def returned(code: FunctionCode) -> list[cst.BaseExpression]:
    """What stands in the ``return`` statements of a function, or is the body of a lambda."""
    if isinstance(code.node, cst.Lambda):
        return [code.node.body]
    found = walk(code.node.body, (cst.FunctionDef, cst.ClassDef, cst.Lambda))
    return [node.value for node in found if isinstance(node, cst.Return) and node.value is not None]
