from __future__ import annotations

from collections.abc import Callable, Mapping

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import explain
from mlxlint.model.values import Array
from mlxlint.rule import Evidence, Kind, Observation, Rule, Severity, Skipped, agrees, raises, shown

RAISING = frozenset("inv tri_inv cholesky_inv solve solve_triangular pinv svd".split())  # when they are evaluated
UNCHECKED = frozenset({"cholesky"})  # never
EVALUATING = frozenset(
    """mlx.core.eval mlx.core.array.item mlx.core.array.tolist mlx.core.synchronize builtins.float builtins.int
    builtins.bool builtins.print numpy.array numpy.asarray""".split()
)
CATCHING = frozenset("Exception BaseException RuntimeError ValueError ArithmeticError LinAlgError".split())
LINALG = "mlx.core.linalg."
ABORTING = "0.32.0"  # the last release that ended the process


class ErrorAfterTry(Rule):
    """A `try` around linear algebra that is evaluated after it

    ## What it does
    Finds `try` blocks with `mx.linalg.inv`, `solve`, `svd` and the like in them, a handler for their failure, and
    nothing that evaluates the result; and with `mx.linalg.cholesky`, which never fails. Where the project is to run on
    MLX 0.32.0 or older, evaluating in the `try` does not help, and is found as well: the process ends.

    ## PyTorch and MLX
    PyTorch raises `LinAlgError` at the call. MLX is lazy: a singular matrix raises `RuntimeError` where the result is
    evaluated, which is outside of the `try` by then. `cholesky` of a matrix that is not positive definite raises
    nowhere, and returns numbers.

    ## Example
    ```python
    import mlx.core as mx


    def inverse(a: mx.array):
        try:
            return mx.linalg.inv(a, stream=mx.cpu)
        except RuntimeError:
            return mx.linalg.pinv(a, stream=mx.cpu)
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    def inverse(a: mx.array):
        try:
            result = mx.linalg.inv(a, stream=mx.cpu)
            mx.eval(result)
            return result
        except RuntimeError:
            return mx.linalg.pinv(a, stream=mx.cpu)
    ```

    ## References
    - [Lazy evaluation](https://ml-explore.github.io/mlx/build/html/usage/lazy_evaluation.html)
    """

    code = "MLX439"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{operation}` {how}: this handler does not run when it fails"

    def visit_Try(self, node: cst.Try, context: Context) -> None:
        if not any(map(_catches, node.handlers)):
            return
        calls = [found for found in context.walk(node.body) if isinstance(found, cst.Call)]
        names = [context.callee(call) or "" for call in calls]
        if any(name in EVALUATING for name in names) or _decides(node.body, context):
            self._check_abort(calls, context)
            return
        for call, name in zip(calls, names):
            short = name.removeprefix(LINALG)
            if not name.startswith(LINALG) or short not in RAISING | UNCHECKED:
                continue
            how = "raises nothing" if short in UNCHECKED else "raises where its result is evaluated, after the `try`"
            context.report(
                self, call, operation=explain.short(name), how=how,
                repro={"operation": short} if short in (*UNCHECKED, "inv", "tri_inv", "cholesky_inv") else {},
            )  # fmt: skip
            return

    def _check_abort(self, calls: list[cst.Call], context: Context) -> None:
        """An error at evaluation ended the process in older releases."""
        for call in calls if context.target_mlx.reaches(ABORTING) else ():
            name = context.callee(call) or ""
            if name.startswith(LINALG) and name.removeprefix(LINALG) in RAISING:
                template = "up to MLX {last} the process ends where `{operation}` fails: no handler is reached"
                context.report(
                    self, call, template=template, last=ABORTING, operation=explain.short(name),
                    repro={"last": ABORTING},
                )  # fmt: skip
                return

    @staticmethod
    def repro(operation: str = "inv", last: str = "") -> Evidence:
        if last:
            raise Skipped(f"seen on releases up to {last}")
        import mlx.core as mx

        singular = mx.zeros((2, 2))
        function: Callable[..., mx.array] = getattr(mx.linalg, operation)
        result = function(singular, stream=mx.cpu)
        late: Mapping[bool, Callable[[], Observation]] = {
            True: lambda: shown(not raises(lambda: result).holds, "evaluated, and no error"),
            False: lambda: raises(lambda: result, RuntimeError),
        }
        smallest = mx.linalg.eigvalsh(singular, stream=mx.cpu).min()
        return Evidence(late[operation in UNCHECKED](), agrees(smallest, 0.0))


def _catches(handler: cst.ExceptHandler) -> bool:
    kinds = handler.type.elements if isinstance(handler.type, cst.Tuple) else [handler.type]
    found = [kind.value if isinstance(kind, cst.BaseElement) else kind for kind in kinds]
    return any(
        kind is None
        or (isinstance(kind, cst.Name) and kind.value in CATCHING)
        or (isinstance(kind, cst.Attribute) and kind.attr.value in CATCHING)
        for kind in found
    )


def _decides(body: cst.CSTNode, context: Context) -> bool:
    """Whether a condition in the block asks an array for its truth, which evaluates."""
    tests = (n.test for n in context.walk(body) if isinstance(n, (cst.If, cst.While, cst.Assert, cst.IfExp)))
    return any(isinstance(context.value(part), Array) for test in tests for part in context.walk(test))
