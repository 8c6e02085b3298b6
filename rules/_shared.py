"""Questions that rules of several families ask."""

from __future__ import annotations

from mlxlint.context import Context
from mlxlint.rule import Severity


def is_port(context: Context) -> bool:
    """Whether a file says that it is a port: it imports PyTorch, or speaks of it in a comment, docstring or string."""
    return "torch" in context.module.text.lower()


def default_severity(context: Context) -> Severity:
    """How to report another default than PyTorch's: a warning in a port, else a mere note."""
    return Severity.WARNING if is_port(context) else Severity.INFO
