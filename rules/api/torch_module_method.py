from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api
from mlxlint.model.values import UNKNOWN, Instance, Name, Value, members
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    Kind,
    NodeFix,
    RemoveStatement,
    Replace,
    Rule,
    Severity,
    raises,
)
from mlxlint.rules._shared import is_mlx_alone
from mlxlint.rules.api import _names, _proof
from mlxlint.rules.api._guards import is_guarded

_OF_MODULES_ALONE = frozenset({"named_parameters", "named_buffers"})


class TorchModuleMethod(Rule):
    """A method of PyTorch's modules or optimizers that MLX's lack

    ## What it does
    Finds `state_dict`, `load_state_dict`, `to`, `cuda`, `half`, `register_buffer`, `named_parameters`, `buffers` and
    hooks on `mlx.nn` modules and classes derived from them, and `param_groups`, `state_dict` on MLX's optimizers. What
    the class defines itself is left alone.

    ## PyTorch and MLX
    An MLX module is a dict of arrays and modules: `parameters()` is nested, `load_weights` and `update` fill it,
    attributes are registered by assignment, and memory is unified, so that nothing is moved. Reading what is not
    there raises `AttributeError`.

    ## Example
    ```python
    import mlx.nn as nn

    model = nn.Linear(4, 2)
    weights = model.state_dict()
    ```

    ## Use instead
    ```python
    import mlx.nn as nn
    from mlx.utils import tree_flatten

    model = nn.Linear(4, 2)
    weights = dict(tree_flatten(model.parameters()))
    ```

    ## Fix safety
    Unsafe: moves are left out, casts become `set_dtype`, buffers become attributes. A buffer whose name does not begin
    with an underscore becomes a parameter; call `freeze(keys=[...], recurse=False)` for it.

    ## References
    - [mlx.nn.Module](https://ml-explore.github.io/mlx/build/html/python/nn/module.html)
    - [Optimizers](https://ml-explore.github.io/mlx/build/html/python/optimizers.html)
    """

    code = "MLX418"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "MLX's {kind} have no `{name}`: {instead}"
    attributes = frozenset({"Instance.*"}) | _OF_MODULES_ALONE

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        value, name = context.value(node), node.attr.value
        if value is UNKNOWN and name in _OF_MODULES_ALONE and is_mlx_alone(context):
            self._report(node, "module", Confidence.LIKELY, context)
        elif isinstance(value, Name) and value.receiver is not None:
            self._check(node, value.receiver, context)

    def _check(self, node: cst.Attribute, receiver: Value, context: Context) -> None:
        section, name = _section(receiver), node.attr.value
        if section is None or (section == "module" and name in api.members("mlx.nn.Module", context.target_mlx.newest)):
            return
        if section == "optimizer" or name not in _set_in(receiver):
            self._report(node, section, None, context)

    def _report(self, node: cst.Attribute, section: str, confidence: Confidence | None, context: Context) -> None:
        name = node.attr.value
        entry = _names.section(section).get(name)
        if entry is None or is_guarded(node, name, context):
            return
        rewrite = _names.rewrite(entry, node, node.value, context)
        context.report(
            self, node.attr, because=[node.value], confidence=confidence, kind=f"{section}s", name=name,
            instead=_names.instead(entry, rewrite, context), fix=_fix(rewrite, node.value, context),
            repro={"section": section, "name": name},
        )  # fmt: skip

    @staticmethod
    def repro(section: str = "module", name: str = "state_dict") -> Evidence:
        import mlx.nn as nn
        import mlx.optimizers as optim

        owner = optim.Adam(1e-3) if section == "optimizer" else nn.Linear(1, 1)
        return Evidence(raises(lambda: getattr(owner, name), AttributeError), _proof.remedy(section, name))


def _section(receiver: Value) -> str | None:
    """Which part of the table speaks of an object: that of MLX's modules, its optimizers, or none."""
    found = {_kind(member) for member in members(receiver)}
    return found.pop() if len(found) == 1 else None


def _kind(value: Value) -> str | None:
    if not isinstance(value, Instance):
        return None
    bases = value.code.ancestry()[1] if value.code is not None else [value.type]
    if any(base == "?" for base in bases):
        return None
    if any(base.startswith("mlx.nn.") for base in bases):
        return "module"
    return "optimizer" if any(base.startswith("mlx.optimizers.") for base in bases) else None


def _set_in(receiver: Value) -> frozenset[str]:
    """The attributes that the project's class of an object sets anywhere."""
    own = [m.code.ancestry()[0] for m in members(receiver) if isinstance(m, Instance) and m.code is not None]
    return frozenset(
        name for classes in own for code in classes for name in (*code.attributes, *code.body, *code.fields)
    )


def _fix(rewrite: _names.Rewrite | None, receiver: cst.BaseExpression, context: Context) -> NodeFix | None:
    if rewrite is None:
        return None
    statement, text = context.parent(rewrite.node), context.text(receiver)
    if isinstance(statement, cst.Expr) and rewrite.text == text:
        return NodeFix("Leave it out", [RemoveStatement(statement)], Applicability.UNSAFE)
    if ".set_dtype(" not in rewrite.text or context.is_dropped(rewrite.node):
        return rewrite.fix(certain=False)
    if (
        isinstance(statement, cst.Assign)
        and len(statement.targets) == 1
        and context.text(statement.targets[0].target) == text
    ):
        return NodeFix(
            "Use `set_dtype`, which changes the module", [Replace(statement, rewrite.text)], Applicability.UNSAFE
        )
    return None  # set_dtype returns nothing
