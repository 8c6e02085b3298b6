from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import ClassCode, FunctionCode
from mlxlint.model.values import UNKNOWN, Function
from mlxlint.rule import Applicability, Evidence, Fixable, InsertStatement, Kind, NodeFix, Rule, Severity, raises, shown


class MissingSuperInit(Rule):
    """A module's `__init__` does not call `super().__init__()`

    ## What it does
    Finds an `__init__` of a subclass of `nn.Module` that calls no other `__init__`, neither itself nor in a method it
    calls.

    ## PyTorch and MLX
    PyTorch raises at the first assignment of a layer. In MLX construction, the forward pass and `parameters()` work,
    and the error comes later and elsewhere: `trainable_parameters()`, `freeze()`, `train()` and `nn.value_and_grad`
    raise `AttributeError` about `_no_grad` or `_training`.

    ## Example
    ```python
    import mlx.nn as nn


    class Net(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(2, 2)
    ```

    ## Use instead
    ```python
    import mlx.nn as nn


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 2)
    ```

    ## Fix safety
    The call is inserted without arguments, which is right for direct subclasses of `nn.Module`; for other bases no fix
    is given.

    ## References
    - [Module](https://ml-explore.github.io/mlx/build/html/python/nn/module.html)
    """

    code = "MLX308"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = (
        "`{name}.__init__` does not call `super().__init__()`: training, freezing and `train()` raise `AttributeError`"
    )
    functions = frozenset({"__init__"})

    def visit_FunctionDef(self, node: cst.FunctionDef, context: Context) -> None:
        code = context.module.functions.get(node)
        if (
            code is None
            or code.owner is None
            or not code.owner.is_mlx_module
            or code.owner.body.get("__init__") is None
        ):
            return
        if _calls_inherited(code, code.owner, context, set()) or _asks_super(node, context):
            return
        if code.decorators or not _does_something(node.body):
            return
        direct = code.owner.ancestry()[1] == ["mlx.nn.Module"]
        context.report(self, node.name, fix=_call_inserted(node) if direct else None, name=code.owner.name)

    @staticmethod
    def repro() -> Evidence:
        import mlx.nn as nn

        def without(self: nn.Module) -> None:
            self.fc = nn.Linear(2, 2)

        def within(self: nn.Module) -> None:
            nn.Module.__init__(self)
            self.fc = nn.Linear(2, 2)

        bad = type("Bad", (nn.Module,), {"__init__": without})
        good = type("Good", (nn.Module,), {"__init__": within})
        names = list(good().trainable_parameters())
        return Evidence(
            raises(lambda: bad().trainable_parameters(), AttributeError), shown(names == ["fc"], f"parameters: {names}")
        )


def _calls_inherited(code: FunctionCode, owner: ClassCode, context: Context, seen: set[FunctionCode]) -> bool:
    """Whether a method of a class, or one that it calls of the same object, calls one by a special name."""
    seen.add(code)
    for call in context.nodes(code.node.body, cst.Call):
        if isinstance(call.func, cst.Attribute) and call.func.attr.value.startswith("__"):
            return True
        called = code.module.calls.get(call, UNKNOWN)
        if not isinstance(called, Function) or called.code in seen or called.code.owner not in owner.ancestry()[0]:
            continue
        if _calls_inherited(called.code, owner, context, seen):
            return True
    return False


def _asks_super(node: cst.FunctionDef, context: Context) -> bool:
    """Whether the inherited method is taken by its name: ``getattr(super(), "__init__")``."""
    taken = (call for call in context.nodes(node.body, cst.Call) if tree.dotted(call.func) == "getattr" and call.args)
    given = (call.args[0].value for call in taken)
    return any(isinstance(first, cst.Call) and tree.dotted(first.func) == "super" for first in given)


def _does_something(body: cst.BaseSuite) -> bool:
    return any(isinstance(n, (cst.Assign, cst.AnnAssign, cst.AugAssign, cst.Call)) for n in tree.walk(body))


def _call_inserted(node: cst.FunctionDef) -> NodeFix | None:
    if not isinstance(node.body, cst.IndentedBlock):
        return None
    first = node.body.body[0]
    is_docstring = node.get_docstring(clean=False) is not None
    edit = InsertStatement(first, "super().__init__()", after=is_docstring)
    return NodeFix("Call `super().__init__()` first", [edit], Applicability.UNSAFE)
