from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import dotted, walk
from mlxlint.model.values import Function
from mlxlint.rule import (
    Applicability,
    Confidence,
    Evidence,
    Fixable,
    InsertStatement,
    Kind,
    NodeFix,
    Replace,
    Rule,
    Severity,
    shown,
)
from mlxlint.rules._statements import block

DRAWS = frozenset(
    """normal uniform randint bernoulli categorical gumbel laplace truncated_normal multivariate_normal permutation
    split""".split()
)
LOOPS = (cst.For, cst.While, cst.ListComp, cst.GeneratorExp, cst.SetComp, cst.DictComp)


class RandomKeyReuse(Rule):
    """Using one random key for several draws

    ## What it does
    Finds a key that is passed to a draw in a loop that does not renew it, to two draws that follow each other, or
    to a draw in a method while the key is an attribute that is set in `__init__` alone.

    ## PyTorch and MLX
    A `torch.Generator` moves on with every draw. An MLX key is a value: the same key gives the same numbers every
    time. `mx.random.split` makes new keys of one.

    ## Example
    ```python
    import mlx.core as mx

    key = mx.random.key(0)
    noise = [mx.random.normal((2,), key=key) for _ in range(3)]
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    noise = [mx.random.normal((2,), key=key) for key in mx.random.split(mx.random.key(0), 3)]
    ```

    ## Fix safety
    The fix splits the key before the draw, keeps one half and draws with the other. It is unsafe: the same numbers
    each time may be what is meant, and the numbers are others than before. In a comprehension there is none.

    ## References
    - [Random](https://ml-explore.github.io/mlx/build/html/python/random.html)
    """

    code = "MLX459"
    kind = Kind.SILENT
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{key}` {how}: each draw gives the same numbers"
    calls = DRAWS

    def visit_For(self, node: cst.For, context: Context) -> None:
        self._check_loop(node, context)

    def visit_ListComp(self, node: cst.ListComp, context: Context) -> None:
        self._check_loop(node, context)

    def _check_loop(self, loop: cst.For | cst.ListComp, context: Context) -> None:
        """Report a key that a loop hands to one of the project's functions again and again."""
        if not context.shared(_makes_keys, context.tree):
            return
        body = loop.body if isinstance(loop, cst.For) else loop.elt
        for call in context.nodes(body, cst.Call):
            if not isinstance(context.called(call), Function):
                continue
            for arg in call.args:
                text = dotted(arg.value)
                if text is not None and not arg.star and _is_key(arg.value, context) and not _binds(loop, text):
                    context.report(
                        self, call, because=[arg.value], confidence=Confidence.LIKELY, key=text,
                        how="is not renewed in the loop",
                    )  # fmt: skip
                    return

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        key = context.argument(node, None, "key")
        text = dotted(key)
        if key is None or text is None or text == "None" or not _draws(node, context):
            return
        how = _reuse(node, text, context)
        if how is not None:
            fix = _split_first(node, key, text, context)
            context.report(self, node, confidence=Confidence.LIKELY, key=text, how=how, fix=fix)

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx

        key = mx.random.key(0)
        a, b = mx.random.normal((3,), key=key), mx.random.normal((3,), key=key)
        left, right = (mx.random.normal((3,), key=k) for k in mx.random.split(key))
        return Evidence(
            shown(mx.array_equal(a, b).item(), f"two draws with one key: {a.tolist()} and {b.tolist()}"),
            shown(not mx.array_equal(left, right).item(), "split keys: the draws differ"),
        )


def _split_first(node: cst.Call, key: cst.BaseExpression, text: str, context: Context) -> NodeFix | None:
    """Split the key in the statement before the draw."""
    core, statement = context.importing("mlx.core", "mx"), context.statement(node)
    in_line = isinstance(statement, cst.SimpleStatementLine)
    if core is None or not in_line or any(isinstance(a, LOOPS[2:]) for a in _enclosing(node, context)):
        return None
    if sum(dotted(part) == text for part in walk(statement) if isinstance(part, (cst.Name, cst.Attribute))) > 1:
        return None
    (mx, imports), half = core, "subkey"
    line = InsertStatement(node, f"{text}, {half} = {mx}.random.split({text})", after=False)
    return NodeFix("Draw with a part of the key", [*imports, line, Replace(key, half)], Applicability.UNSAFE)


def _reuse(node: cst.Call, key: str, context: Context) -> str | None:
    loop = next((a for a in _enclosing(node, context) if isinstance(a, LOOPS)), None)
    if loop is not None and not _binds(loop, key):
        return "is not renewed in the loop"
    owner = context.enclosing_class(node)
    function = context.enclosing_function(node)
    if key.startswith("self.") and owner is not None and function is not None and function.name != "__init__":
        setters = [f for f in owner.node.body.body if isinstance(f, cst.FunctionDef) and _binds(f, key)]
        return "is set once, in `__init__`" if [f.name.value for f in setters] == ["__init__"] else None
    return "was used for a draw before" if loop is None and _drawn_before(node, key, context) else None


def _enclosing(node: cst.CSTNode, context: Context) -> list[cst.CSTNode]:
    """Ancestors up to the function around a node."""
    found = []
    for ancestor in context.ancestors(node):
        if isinstance(ancestor, (cst.FunctionDef, cst.Lambda, cst.ClassDef)):
            break
        found.append(ancestor)
    return found


def _binds(node: cst.CSTNode, name: str) -> bool:
    """Whether something below a node, or its own target, assigns to a name."""
    for found in walk(node):
        targets: list[cst.CSTNode] = []
        if isinstance(found, (cst.AssignTarget, cst.AnnAssign, cst.AugAssign, cst.For, cst.CompFor, cst.NamedExpr)):
            targets = [found.target]
        for target in targets:
            if any(dotted(part) == name for part in walk(target) if isinstance(part, (cst.Name, cst.Attribute))):
                return True
    return False


def _drawn_before(node: cst.Call, key: str, context: Context) -> bool:
    """Whether a statement above in the same block draws with the key and none between renews it."""
    statements, at = block(node, context)
    for statement in reversed(statements[:at]):
        if _binds(statement, key) or not isinstance(statement, cst.BaseSmallStatement):
            return False
        calls = [n for n in walk(statement) if isinstance(n, cst.Call)]
        if any(dotted(context.argument(c, None, "key")) == key and _draws(c, context) for c in calls):
            return True
    return False


def _makes_keys(tree: cst.CSTNode, context: Context) -> bool:
    return "random" in context.module.text and ".key" in context.module.text


def _is_key(node: cst.BaseExpression, context: Context) -> bool:
    """Whether a name is bound to ``mx.random.key(...)`` here."""
    array = context.array(node)
    return isinstance(node, cst.Name) and array is not None and array.op == "mlx.core.random.key"


def _draws(call: cst.Call, context: Context) -> bool:
    return (context.callee(call) or "").startswith("mlx.core.random.")
