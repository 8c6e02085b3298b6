from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.tree import walk
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, shown

from ._flow import operation
from ._measure import agree, peak_bytes, seconds

_ELEMENTWISE = frozenset(
    """
    abs add arctan ceil clip cos cosh divide erf exp expm1 floor log log1p log2 logaddexp maximum minimum multiply
    negative power reciprocal rsqrt sigmoid sin sinh sqrt square subtract tan tanh where softplus relu silu
    """.split()
)
_OPERATORS = (cst.Add, cst.Subtract, cst.Multiply, cst.Divide, cst.Power)
_FEWEST = 6  # operations


class ElementwiseUncompiled(Rule):
    """A chain of elementwise operations is not compiled

    ## What it does
    Finds functions of a file that never compiles that do nothing but six or more elementwise operations on arrays:
    hand-written activations, noise schedules, losses. It is advice.

    ## PyTorch and MLX
    PyTorch has fused kernels for its own activations, and `torch.compile` for others. In MLX each operation writes an
    array of its own: `mx.compile` makes one kernel of the chain, which reads and writes memory once. MLX's own
    `nn.gelu`, `nn.silu` and others are compiled.

    ## Example
    ```python
    import mlx.core as mx


    def activation(x: mx.array):
        return 0.5 * x * (1 + mx.tanh(0.7979 * (x + 0.0447 * x * x * x)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx


    @mx.compile
    def activation(x: mx.array):
        return 0.5 * x * (1 + mx.tanh(0.7979 * (x + 0.0447 * x * x * x)))
    ```

    ## References
    - [Compilation: basics](https://ml-explore.github.io/mlx/build/html/usage/compile.html)
    """

    code = "MLX855"
    kind = Kind.COST
    severity = Severity.INFO
    message = "`{function}` is {count} elementwise operations: with `mx.compile` they are one"

    def visit_FunctionDef(self, node: cst.FunctionDef, context: Context) -> None:
        if context.parent(node) is not context.tree or node.decorators or node.asynchronous is not None:
            return
        if len(node.body.body) > 8:
            return
        count = _chain(node, context)
        code = context.module.functions.get(node)
        if count < _FEWEST or code is None or code.owner is not None or _compiles(context):
            return
        context.report(self, node.name, function=node.name.value, count=count, confidence=Confidence.LIKELY)

    @staticmethod
    def repro(size: int = 512) -> Evidence:
        import mlx.core as mx

        def activation(x: mx.array) -> mx.array:
            return 0.5 * x * (1 + mx.tanh(0.7979 * (x + 0.0447 * x * x * x)))

        x, compiled = mx.random.normal((size, size), key=mx.random.key(0)), mx.compile(activation)
        mx.eval(compiled(x))
        apart, fused = peak_bytes(activation, x), peak_bytes(compiled, x)
        slow, quick = seconds(activation, x) * 1e3, seconds(compiled, x) * 1e3
        times = f"{slow:.2f} and {quick:.2f} ms on {mx.default_device()}"
        return Evidence(  # the CPU takes as long either way, a GPU may use buffers again
            shown(
                apart > 1.5 * fused or slow > 1.5 * quick,
                f"{apart} bytes beyond the argument, compiled {fused}; {times}",
            ),
            agree(compiled(x), activation(x)),
        )


def _chain(function: cst.FunctionDef, context: Context) -> int:
    """How many elementwise operations a function consists of; 0 when it does anything else."""
    count = 0
    for node in walk(function.body):
        if isinstance(
            node, (cst.If, cst.For, cst.While, cst.With, cst.Try, cst.Yield, cst.Await, cst.Subscript, cst.Lambda)
        ):
            return 0
        if isinstance(node, cst.Call):
            if operation(node, context) not in _ELEMENTWISE:
                return 0
            count += 1
        elif isinstance(node, cst.BinaryOperation) and context.array(node) is not None:
            if not isinstance(node.operator, _OPERATORS):
                return 0
            count += 1
    return count


def _compiles(context: Context) -> bool:
    """Whether a file compiles anything: perhaps what calls the function, and all of it."""
    return re.search(r"\bcompile\b", context.module.text) is not None
