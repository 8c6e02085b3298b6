"""Questions that rules of several families ask."""

from __future__ import annotations

import sys

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Insert, NodeEdit, Replace


def is_port(context: Context) -> bool:
    """Whether something shows that a file is a port from PyTorch."""
    return context.port is not None


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
