from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.rule import (
    Applicability,
    Evidence,
    Fixable,
    InsertStatement,
    Kind,
    NodeFix,
    Rule,
    Severity,
    agrees,
    differs,
)

from ._step import SCOPES, Body, gradient_names, is_fresh, is_update, loop_body, paths, stored_gradients


class GradientsOverwritten(Rule):
    """Only the gradients of the last micro-batch are used

    ## What it does
    Finds gradients that are computed in each pass of a loop, there or in a function or method called there, and applied
    after it, or only in every n-th pass, without being added up.

    ## PyTorch and MLX
    In PyTorch `backward()` adds to the gradients that are there, until `zero_grad()`. In MLX each call returns new
    gradients: those of earlier micro-batches are lost unless they are added.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).sum())
    for i in range(8):
        loss, gradients = loss_and_grad(model, mx.ones((4, 2)))
        if (i + 1) % 4 == 0:
            optimizer.update(model, gradients)
            mx.eval(model.parameters(), optimizer.state)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim
    from mlx.utils import tree_map

    model = nn.Linear(2, 1)
    optimizer = optim.SGD(learning_rate=0.1)
    loss_and_grad = nn.value_and_grad(model, lambda model, x: model(x).sum())
    total = None
    for i in range(8):
        loss, gradients = loss_and_grad(model, mx.ones((4, 2)))
        total = gradients if total is None else tree_map(mx.add, total, gradients)
        mx.eval(total)
        if (i + 1) % 4 == 0:
            optimizer.update(model, tree_map(lambda g: g / 4, total))
            mx.eval(model.parameters(), optimizer.state)
            total = None
    ```

    ## Fix safety
    The gradients of the passes are added up, and begin anew after an update. It is unsafe: their mean may be meant.
    There is none where a method keeps them in an attribute.

    ## References
    - [nn.value_and_grad](https://ml-explore.github.io/mlx/build/html/python/_autosummary/mlx.nn.value_and_grad.html)
    """

    code = "MLX220"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{gradients}` is computed anew in each pass and {when}: the gradients of the other passes are lost"

    def visit_For(self, node: cst.For, context: Context) -> None:
        self._check(node, context)

    def visit_While(self, node: cst.While, context: Context) -> None:
        self._check(node, context)

    def _check(self, loop: cst.For | cst.While, context: Context) -> None:
        body = context.shared(Body, loop_body(loop))
        for assign, names in _computed(body) if body.may_differentiate else ():
            if context.enclosing(assign, cst.For, cst.While) is not loop:
                continue
            made = _made_from(names, body)
            if not names or made & {path for _, path, _ in body.carried(directly=True)} or _used_otherwise(made, body):
                continue
            update = _update_in_some_passes(made, loop, body, context)
            if update is not None:
                context.report(
                    self,
                    assign,
                    because=[("it is applied here", update)],
                    gradients=sorted(names)[0],
                    when="applied in some passes only",
                    fix=_fix(loop, assign, sorted(names)[0], update, context),
                )
            elif not body.updates and _used_after(made, loop, context):
                name = sorted(names)[0]
                fix = _fix(loop, assign, name, None, context)
                context.report(self, assign, gradients=name, when="used after the loop", fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        from mlx.utils import tree_map

        gradient = mx.grad(lambda w, x: (w * x).sum())
        w, total, last = mx.array([1.0]), None, mx.array([0.0])
        for x in (mx.array([1.0]), mx.array([2.0])):
            last = gradient(w, x)
            total = last if total is None else tree_map(mx.add, total, last)
        return Evidence(differs(last, [3.0]), agrees(total, [3.0]))


def _computed(body: Body) -> Iterator[tuple[cst.CSTNode, set[str]]]:
    """Each statement or call that computes gradients, itself or in a function it calls, with the names these get."""
    for assign in body.of(cst.Assign):
        if isinstance(assign.value, cst.Call):
            names = gradient_names(assign, body.context.module.values, body.context.called(assign.value))
            if names and is_fresh(assign.value, body.context):
                yield assign, names
    for call in body.of(cst.Call):
        names = stored_gradients(call, body.context)
        if names:
            yield call, names


def _made_from(names: set[str], body: Body) -> set[str]:
    """The names of gradients, and of what is computed from them alone."""
    found = set(names)
    for node in body.nodes:
        if isinstance(node, cst.Assign) and isinstance(node.targets[0].target, cst.Name) and paths(node.value) & found:
            found.add(node.targets[0].target.value)
        elif (
            isinstance(node, cst.Assign) and isinstance(node.targets[0].target, cst.Tuple) and paths(node.value) & found
        ):
            if "clip_grad_norm" in body.context.text(node.value):
                found |= paths(node.targets[0].target.elements[0].value)
    return found


def _used_otherwise(names: set[str], body: Body) -> bool:
    """Whether gradients are kept in a container, or handed to code that may keep them."""
    for node in body.nodes:
        if not isinstance(node, cst.Call) or not any(paths(arg.value) & names for arg in node.args):
            continue
        called = body.context.called(node)
        name = getattr(called, "name", "")
        if not (
            is_update(called) or name.startswith(("mlx.core.", "mlx.utils.", "mlx.optimizers.", "builtins."))
        ) or name.endswith("append"):
            return True
    return any(
        isinstance(node, (cst.AugAssign, cst.Return, cst.Yield))
        and node.value is not None
        and paths(node.value) & names
        for node in body.nodes
    ) or any(
        isinstance(node, cst.Assign)
        and isinstance(node.targets[0].target, (cst.Subscript, cst.Attribute))
        and paths(node.value) & names
        for node in body.nodes
    )


def _update_in_some_passes(names: set[str], loop: cst.CSTNode, body: Body, context: Context) -> cst.Call | None:
    """An update with these gradients that stands under ``if step % n`` in the loop."""
    for node in body.nodes:
        if (
            not isinstance(node, cst.Call)
            or not is_update(context.called(node))
            or not any(paths(a.value) & names for a in node.args)
        ):
            continue
        for ancestor in context.ancestors(node):
            if ancestor is loop:
                break
            if isinstance(ancestor, cst.If) and any(isinstance(part, cst.Modulo) for part in tree.walk(ancestor.test)):
                return node
    return None


def _used_after(names: set[str], loop: cst.CSTNode, context: Context) -> bool:
    """Whether gradients are applied, clipped or returned in the statements that follow a loop in its block."""
    parent = context.parent(loop)
    statements = list(getattr(parent, "body", ()))
    if loop not in statements:
        return False
    for statement in statements[statements.index(loop) + 1 :]:
        for node in tree.walk(statement, SCOPES):
            if isinstance(node, cst.Return) and node.value is not None and paths(node.value) & names:
                return True
            if isinstance(node, cst.Call) and any(paths(arg.value) & names for arg in node.args):
                called = context.called(node)
                if is_update(called) or getattr(called, "name", "") == "mlx.optimizers.clip_grad_norm":
                    return True
    return False


def _fix(
    loop: cst.For | cst.While, assign: cst.CSTNode, gradients: str, update: cst.Call | None, context: Context
) -> NodeFix | None:
    """Add up the gradients, from nothing before the loop and after each update in it."""
    core, function = context.importing("mlx.core", "mx"), context.importing("mlx.utils.tree_map")
    total = f"accumulated_{gradients}"
    if core is None or function is None or not gradients.isidentifier() or total in context.module.text:
        return None
    (mx, imports), (tree_map, more_imports) = core, function
    text = f"{gradients} = {total} = {gradients} if {total} is None else {tree_map}({mx}.add, {total}, {gradients})"
    reset = f"{total} = None"
    edits = [InsertStatement(loop, reset, after=False), InsertStatement(assign, text)]
    if update is not None:
        edits.append(InsertStatement(update, reset))
    return NodeFix("Add up the gradients", [*imports, *more_imports, *edits], Applicability.UNSAFE)
