"""What the use of a name says of a value that nothing else is known of."""

from __future__ import annotations

import libcst as cst

from mlxlint.model.arguments import Arguments
from mlxlint.model.machine import Machine
from mlxlint.model.values import LIKELY, NONE, UNKNOWN, Array, Const, Name, Value

# MLX's functions that raise TypeError when the first argument is not an array: a number or NumPy's array will not do.
TAKE_ARRAYS = frozenset(
    """
        all any argmax argmin argpartition argsort cumprod cumsum diag diagonal expand_dims flatten flip logsumexp
        matmul max mean median min moveaxis ones_like outer pad partition prod repeat reshape roll softmax sort split
        squeeze std stop_gradient sum swapaxes take take_along_axis tensordot tile topk trace transpose tril triu
        unflatten var zeros_like
        """.split()
)


class Uses(Machine):
    """Takes a name for an array, likely, that is used as only arrays are."""

    def indexed(self, node: cst.Subscript, parts: list[Value | None]) -> Value:
        """The value indexed: an array where several axes are, in a file that knows no other library's arrays."""
        several = len(parts) > 1 and any(part is None for part in parts)
        special = any(part is NONE or (isinstance(part, Const) and part.value is ...) for part in parts)
        if (several or special) and self.frame.module.has_arrays_of_mlx_alone:
            return self._take(node.value, "indexed")
        return UNKNOWN

    def given(self, node: cst.Call, function: Value, args: Arguments) -> Arguments:
        """The arguments, the first being an array where the function takes nothing else."""
        first = node.args[0] if node.args else None
        if first is None or first.star or not isinstance(function, Name) or args.get(0) is not UNKNOWN:
            return args
        package, _, name = function.name.rpartition(".")
        if package != "mlx.core" or name not in TAKE_ARRAYS or first.keyword is not None:
            return args
        return Arguments((self._take(first.value, "given"), *args.positional[1:]), args.keywords, args.starred)

    def _take(self, node: cst.BaseExpression, how: str) -> Value:
        frame = self.frame
        if not isinstance(node, cst.Name) or node.value not in frame.env:
            return UNKNOWN
        array = Array(op=how, confidence=LIKELY)
        frame.env[node.value] = frame.values[node] = array
        if frame.code is not None:
            used = self.calls_of(frame.code).used
            if node.value not in used and node.value not in frame.code.rebound:
                used[node.value] = array
        return array
