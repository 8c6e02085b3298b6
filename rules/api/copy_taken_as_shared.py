from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.foreign import NDARRAY
from mlxlint.model.values import Foreign
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, agrees, differs
from mlxlint.rules._shared import is_port
from mlxlint.rules.indexing._later import bindings_above, read_below, rebound_between, written

CONVERSIONS = frozenset({"mlx.core.array", "mlx.core.asarray"})


class CopyTakenAsShared(Rule):
    """A NumPy array and the MLX array made of it taken for one memory

    ## What it does
    Finds writes to a NumPy array of which an MLX array was made above, where that is read below; and writes to the MLX
    array where only the NumPy array is read below.

    ## PyTorch and MLX
    `torch.from_numpy(a)` and `a` share their memory: what is written to one is seen in the other. `mx.array(a)` copies.
    In a file that does not speak of PyTorch the first case is a mere note, since the copy may be what is wanted.

    ## Example
    ```python
    import mlx.core as mx
    import numpy as np

    a = np.zeros((3,), dtype=np.float32)
    x = mx.array(a)
    x += 5
    print(a)
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import numpy as np

    a = np.zeros((3,), dtype=np.float32)
    x = mx.array(a)
    x += 5
    a[...] = np.array(x)
    print(a)
    ```

    ## References
    - [Conversion to NumPy and other frameworks](https://ml-explore.github.io/mlx/build/html/usage/numpy.html)
    """

    code = "MLX437"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{copy}` is a copy of `{source}`: writing to `{written}` leaves `{other}` as it was"
    targets = frozenset({cst.Subscript})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        self._check(node, context)

    def visit_AugAssign(self, node: cst.AugAssign, context: Context) -> None:
        self._check(node, context)

    def _check(self, node: cst.Assign | cst.AugAssign, context: Context) -> None:
        target = written(node)
        if not isinstance(target, cst.Name) or "numpy" not in context.frameworks:
            return
        value = context.value(target)
        if isinstance(value, Foreign) and value.type == NDARRAY:
            self._source_written(node, target.value, context)
        elif context.array(target) is not None:
            self._copy_written(node, target.value, context)

    def _source_written(self, node: cst.Assign | cst.AugAssign, source: str, context: Context) -> None:
        for binding in bindings_above(node, context):
            copy = cst.ensure_type(binding.targets[0].target, cst.Name).value
            if _copied(binding, context) != source or not read_below(node, copy, context):
                continue
            if not rebound_between(binding, node, source, context):
                severity = Severity.WARNING if is_port(context) else Severity.INFO
                self._report(node, copy, source, source, severity, binding, context)
                return

    def _copy_written(self, node: cst.Assign | cst.AugAssign, copy: str, context: Context) -> None:
        for binding in bindings_above(node, context):
            if cst.ensure_type(binding.targets[0].target, cst.Name).value != copy:
                continue
            source = _copied(binding, context)
            if source is not None and read_below(node, source, context) and not read_below(node, copy, context):
                self._report(node, copy, source, copy, Severity.WARNING, binding, context)
            return

    def _report(
        self, node: cst.CSTNode, copy: str, source: str, target: str, severity: Severity, binding: cst.Assign,
        context: Context,
    ) -> None:  # fmt: skip
        reason = [(f"`{context.brief(binding)}` copies", binding)]
        other = source if target == copy else copy
        context.report(
            self, node, because=reason, confidence=Confidence.LIKELY, severity=severity, copy=copy, source=source,
            written=target, other=other, repro={"copy_written": target == copy},
        )  # fmt: skip

    @staticmethod
    def repro(copy_written: bool = True) -> Evidence:
        import mlx.core as mx
        import numpy as np

        a = np.zeros((2,), dtype=np.float32)
        x = mx.array(a)
        if copy_written:
            x += 5
            seen = a.tolist()
        else:
            a += 5
            seen = x.tolist()
        return Evidence(differs(seen, [5, 5]), agrees(np.array(x).tolist() if copy_written else mx.array(a), [5, 5]))


def _copied(binding: cst.Assign, context: Context) -> str | None:
    """The name of the NumPy array that ``name = mx.array(a)`` copies."""
    call = binding.value
    if not isinstance(call, cst.Call) or context.callee(call) not in CONVERSIONS or not call.args:
        return None
    data = call.args[0].value
    value = context.value(data)
    known = isinstance(data, cst.Name) and isinstance(value, Foreign) and value.type == NDARRAY
    return data.value if known and isinstance(data, cst.Name) else None
