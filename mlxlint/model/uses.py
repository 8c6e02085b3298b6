"""What the use of a name says of a value that nothing else is known of."""

from __future__ import annotations

import libcst as cst

from mlxlint.model import ops
from mlxlint.model.arguments import Arguments
from mlxlint.model.machine import Machine
from mlxlint.model.values import LIKELY, NONE, UNKNOWN, Array, Const, Instance, Name, Scalar, Tree, Value, constant

# MLX's functions that raise TypeError when the first argument is not an array: a number or NumPy's array will not do.
TAKE_ARRAYS = frozenset(
    """
        all any argmax argmin argpartition argsort cumprod cumsum diag diagonal expand_dims flatten flip logsumexp
        matmul max mean median min moveaxis ones_like outer pad partition prod repeat reshape roll softmax sort split
        squeeze std stop_gradient sum swapaxes take take_along_axis tensordot tile topk trace transpose tril triu
        unflatten var zeros_like
        """.split()
)
# Methods of PyTorch's tensors that NumPy's arrays do not have, nor objects of Python's.
OF_TENSORS = frozenset(
    """
        add_ addmm bmm clamp clamp_ clamp_max clamp_min copy_ div_ expand_as fill_ index_add_ index_copy_
        index_select log_softmax masked_fill masked_fill_ masked_select mul_ new_ones new_zeros normal_ numel permute
        repeat_interleave reshape_as scatter_ scatter_add scatter_add_ sigmoid softmax squeeze_ sub_ type_as uniform_
        unsqueeze unsqueeze_ view_as zero_
        """.split()
)
ALONG_AXES = frozenset(  # with `dim` for the axis
    """
        all any argmax argmin argsort chunk cumprod cumsum flip logsumexp max mean median min norm prod roll sort split
        squeeze std sum topk var
        """.split()
)
UPDATES = frozenset("add subtract multiply divide maximum minimum".split())  # of a part of an array


class Uses(Machine):
    """Takes a name for an array, a model or an optimizer, likely, that is used as only these are."""

    def indexed(self, node: cst.Subscript, parts: list[Value | None]) -> Value:
        """The value indexed: an array where a mask of MLX's indexes it.

        It is one where several axes are indexed, too, in a file that knows no other library's arrays.
        """
        several = len(parts) > 1 and any(part is None for part in parts)
        special = any(part is NONE or (isinstance(part, Const) and part.value is ...) for part in parts)
        masked = any(isinstance(part, Array) and part.dtype == "bool_" for part in parts)
        if masked or ((several or special) and self.frame.module.has_arrays_of_mlx_alone):
            return self._take(node.value, Array(op="indexed", confidence=LIKELY))
        return UNKNOWN

    def given(self, node: cst.Call, function: Value, args: Arguments) -> Arguments:
        """The arguments, the first being an array where the function takes nothing else."""
        first = node.args[0] if node.args else None
        if first is None or first.star or not isinstance(function, Name) or args.get(0) is not UNKNOWN:
            return args
        package, _, name = function.name.rpartition(".")
        if function.name == "mlx.nn.value_and_grad":
            taken: Value = Instance("mlx.nn.Module", confidence=LIKELY)
        elif package == "mlx.core" and name in TAKE_ARRAYS:
            taken = Array(op="given", confidence=LIKELY)
        else:
            return args
        if first.keyword is not None:
            return args
        return Arguments((self._take(first.value, taken), *args.positional[1:]), args.keywords, args.starred)

    def of_unknown(self, node: cst.Call, args: Arguments) -> Value:
        """What a method of an object that is not known returns, where the call tells."""
        method = node.func.attr.value if isinstance(node.func, cst.Attribute) else ""
        if method == "apply_chat_template" and constant(args.get(None, "tokenize"), bool) is False:
            return Scalar("str", LIKELY)
        if method == "astype" and (dtype := ops.dtype_of(args.get(0, "dtype"))) is not None:
            return Array(dtype, op="mlx.core.array.astype", confidence=LIKELY, node=node)
        if method in OF_TENSORS or (method in ALONG_AXES and args.keywords.keys() & {"dim", "keepdim"}):
            return self._of_array(node, args)
        if method in UPDATES and self.frame.module.has_arrays_of_mlx_alone:
            return self._updated(node, args)
        gradients = args.get(0 if method == "apply_gradients" else 1)
        applies = method in ("update", "apply_gradients")
        if applies and isinstance(gradients, Tree) and gradients.kind == "gradients":
            self._take(node.func.value, Instance("mlx.optimizers.Optimizer", confidence=LIKELY))  # type: ignore[attr-defined]
            self.frame.calls[node] = self.eval(node.func)
        return UNKNOWN

    def _updated(self, node: cst.Call, args: Arguments) -> Value:
        """What ``x.at[i].add(v)`` returns: nothing but an array has an ``at`` with such methods."""
        part = node.func.value if isinstance(node.func, cst.Attribute) else None
        at = part.value if isinstance(part, cst.Subscript) else None
        if not isinstance(at, cst.Attribute) or at.attr.value != "at":
            return UNKNOWN
        if self._take(at.value, Array(op="called", confidence=LIKELY)) is UNKNOWN:
            return UNKNOWN
        function = self.frame.calls[node] = self.eval(node.func)
        return self.call(function, args, node)

    def _of_array(self, node: cst.Call, args: Arguments) -> Value:
        """What a method of PyTorch's tensors returns that is called where only MLX's arrays can be."""
        func, frame = node.func, self.frame
        if not isinstance(func, cst.Attribute) or not frame.module.has_tensors_of_mlx_alone:
            return UNKNOWN
        if args.positional and "axis" in args.keywords:
            return UNKNOWN  # a library's function, of its first argument
        array = Array(op="called", confidence=LIKELY)
        self._take(func.value, array)
        function = self.attribute(array, func.attr.value, func)
        frame.values[func.value], frame.values[func], frame.calls[node] = array, function, function
        return self.call(function, args, node)

    def _take(self, node: cst.BaseExpression, value: Value) -> Value:
        frame = self.frame
        if not isinstance(node, cst.Name) or not any(node.value in env for env in (frame.env, *frame.scopes)):
            return UNKNOWN
        frame.env[node.value] = frame.values[node] = value
        if frame.code is not None:
            used = self.calls_of(frame.code).used
            if node.value not in used and node.value not in frame.code.rebound:
                used[node.value] = value
        return value
