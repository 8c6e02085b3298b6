"""A rule to start from: whole, found by the harness, and green but for the reference it lacks."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from string import Template

from mlxlint.registry import by_name, rules

NAME = re.compile(r"[a-z]+(-[a-z0-9]+)+")

MODULE = Template('''\
from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Kind, Rule, Severity, agrees, raises


class $class_name(Rule):
    """TODO: the hazard in a few words

    ## What it does
    TODO: what is found, and what is not.

    ## PyTorch and MLX
    TODO: what PyTorch does, what MLX does.

    ## Example
    ```python
    import mlx.core as mx

    total = mx.logaddexp("0.0", 0.0)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    total = mx.log(mx.exp(mx.array(0.0)) + mx.exp(mx.array(0.0)))
    ```

    ## References
    TODO: a link to MLX's documentation.
    """

    code = "$code"
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "`{call}`: TODO"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) == "mlx.core.logaddexp":
            context.report(self, node, because=[node.func], call=context.brief(node))

    @staticmethod
    def repro(value: float = 0.0) -> Evidence:
        import mlx.core as mx

        hazard = raises(lambda: mx.logaddexp(str(value), value), ValueError)
        return Evidence(hazard, agrees(mx.log(mx.exp(mx.array(value)) + mx.exp(mx.array(value))), value + 0.6931472))
''')

FIXTURE = Template("""\
import mlx.core as mx
import numpy as np

a = mx.array([0.0, 1.0])
table = np.zeros(2)

# other functions, other libraries
b = mx.logsumexp(a)
c = np.logaddexp(table, table)

# flagged
d = mx.logaddexp(a, a)  # error: [$name]
e = mx.logaddexp(a, 1.0)  # error: [$name]
f = [mx.logaddexp(x, y=a) for x in (a, b)]  # error: [$name]
""")


class Taken(Exception):
    """The name cannot be given to a new rule; the argument says why."""


def families() -> dict[str, str]:
    """Folder of rules -> the first digit of its codes, as its docstring says."""
    found = {}
    for info in pkgutil.iter_modules(importlib.import_module("mlxlint.rules").__path__):
        title = re.match(r"MLX(\d)xx: ", importlib.import_module(f"mlxlint.rules.{info.name}").__doc__ or "")
        if info.ispkg and title:
            found[info.name] = title[1]
    return found


def free_code(digit: str) -> str:
    """The family's first code that no rule has.

    Raises:
        Taken: when the family has a hundred rules.
    """
    free = (code for number in range(100) if (code := f"MLX{digit}{number:02}") not in rules())
    found = next(free, None)
    if found is None:
        raise Taken(f"MLX{digit}xx has no free code")
    return found


def scaffold(name: str, family: str, root: Path) -> list[Path]:
    """Write module and fixture below a checkout; the paths written.

    Raises:
        Taken: when the name is in use, or is no rule name.
    """
    if not NAME.fullmatch(name):
        raise Taken(f"`{name}` is no rule name: two words or more, in lower case, joined by `-`")
    if name in by_name():
        raise Taken(f"`{name}` is {by_name()[name].code}")
    words = {
        "name": name,
        "code": free_code(families()[family]),
        "class_name": "".join(word.capitalize() for word in name.split("-")),
    }
    written = []
    for folder, template in (("rules", MODULE), ("fixtures", FIXTURE)):
        path = root / folder / family / (name.replace("-", "_") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(template.substitute(words), encoding="utf-8")
        written.append(path)
    return written
