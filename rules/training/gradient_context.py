from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.rule import Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, agrees, raises

CONTEXTS = frozenset(
    "mlx.core." + name for name in ("no_grad", "enable_grad", "inference_mode", "set_grad_enabled", "autograd.no_grad")
)


class GradientContext(Rule):
    """A context that switches gradients off, which MLX does not have

    ## What it does
    Finds `mx.no_grad`, `mx.inference_mode`, `mx.enable_grad` and `mx.set_grad_enabled`, as a context manager, a
    decorator or a call.

    ## PyTorch and MLX
    PyTorch records a graph for gradients unless it is told not to. MLX computes gradients only of a function handed
    to `mx.grad` or `nn.value_and_grad`, so there is nothing to switch off, and the name does not exist. Inside a
    differentiated function `mx.stop_gradient` keeps a part constant.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.array([1.0, 2.0])
    with mx.no_grad():
        y = x * 2
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.array([1.0, 2.0])
    y = x * 2
    ```

    ## Fix safety
    The fix takes the `with` away and keeps its body. It is safe: the name raises `AttributeError`.

    ## References
    - [Function transforms](https://ml-explore.github.io/mlx/build/html/usage/function_transforms.html)
    """

    code = "MLX201"
    kind = Kind.CRASH
    severity = Severity.ERROR
    fixable = Fixable.SOMETIMES
    message = "MLX has no `{name}`: gradients are computed only of functions given to `mx.grad` or `nn.value_and_grad`"
    attributes = frozenset(name.rpartition(".")[2] for name in CONTEXTS)

    def visit_Attribute(self, node: cst.Attribute, context: Context) -> None:
        if context.qualified(node) not in CONTEXTS:
            return
        name = node.attr.value
        context.report(self, node, name=name, fix=_without_context(node, context), repro={"name": name})

    @staticmethod
    def repro(name: str = "no_grad") -> Evidence:
        import mlx.core as mx

        x = mx.array([1.0, 2.0])
        hazard = raises(lambda: getattr(mx, name), AttributeError, text=name)
        return Evidence(hazard, agrees(mx.grad(lambda v: (v * mx.stop_gradient(v)).sum())(x), [1.0, 2.0]))


def _without_context(node: cst.Attribute, context: Context) -> NodeFix | None:
    """Removes ``with mx.no_grad():`` and moves its body out by one level, where that can be done on the text."""
    block = context.enclosing(node, cst.With)
    if block is None or len(block.items) != 1 or block.items[0].asname is not None:
        return None
    item = block.items[0].item
    if node is not item and not (isinstance(item, cst.Call) and item.func is node):
        return None
    body = context.concrete(block).body
    if not isinstance(body, cst.IndentedBlock) or body.footer:
        return None
    alone = context.module.concrete.around(block).with_changes(body=body.body, header=[], footer=[])
    text = alone.code.strip("\n")
    if '"""' in text or "'''" in text:
        return None
    blocks = [context.concrete(a) for a in context.ancestors(block) if isinstance(a, cst.IndentedBlock)]
    indent = "".join(alone.default_indent if b.indent is None else b.indent for b in reversed(blocks))
    comment = body.header.comment
    first, *others = [*([comment.value] if comment is not None else []), *text.splitlines()]
    lines = [first, *(indent + line if line.strip() else line for line in others)]
    return NodeFix("Remove the context", [Replace(block, "\n".join(lines))])
