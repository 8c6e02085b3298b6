from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.code import FunctionCode
from mlxlint.model.values import Function, Name
from mlxlint.rule import Confidence, Evidence, Kind, Rule, Severity, shown

from ._threads import STARTING, work_of

_DRAWING = frozenset(
    f"mlx.core.random.{name}"
    for name in (
        "uniform normal bernoulli categorical randint gumbel truncated_normal laplace permutation multivariate_normal"
    ).split()
)
_SEED = "mlx.core.random.seed"
_LOOPS = (cst.For, cst.While, cst.ListComp, cst.GeneratorExp, cst.SetComp, cst.DictComp)


class RandomNumbersInThreads(Rule):
    """Threads draw random numbers without a key

    ## What it does
    Finds functions run by a thread pool, or by several `threading.Thread`, that draw from `mx.random` without `key`
    and without a seed of their own.

    ## PyTorch and MLX
    PyTorch's generator is shared by all threads. Since MLX 0.31.2 each thread has its own, and all of them start from
    the same key: workers draw the same numbers, and `mx.random.seed` of the main thread does not reach them. Give
    each piece of work a key.

    ## Example
    ```python
    from concurrent.futures import ThreadPoolExecutor

    import mlx.core as mx


    def noisy(size):
        return mx.random.normal((size,)).tolist()


    with ThreadPoolExecutor() as pool:
        samples = list(pool.map(noisy, [4, 4]))
    ```

    ## Use instead
    ```python
    from concurrent.futures import ThreadPoolExecutor

    import mlx.core as mx


    def noisy(seed):
        return mx.random.normal((4,), key=mx.random.key(seed)).tolist()


    with ThreadPoolExecutor() as pool:
        samples = list(pool.map(noisy, [0, 1]))
    ```

    ## References
    - [Random](https://ml-explore.github.io/mlx/build/html/python/random.html)
    """

    code = "MLX613"
    kind = Kind.SILENT
    severity = Severity.WARNING
    calls = STARTING
    message = "`{call}` draws without a key in another thread: every new thread draws the same numbers"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        drawing = context.shared(_drawing, context.tree)
        is_alone = context.callee(node) == "threading.Thread" and len(drawing) == 1
        if node in drawing and not (is_alone and context.enclosing(node, *_LOOPS) is None):
            context.report(self, node, confidence=Confidence.LIKELY, call=drawing[node])

    @staticmethod
    def repro(size: int = 4) -> Evidence:
        import threading

        import mlx.core as mx

        def drawn(keys: bool) -> list[list[float]]:
            found: list[list[float]] = []

            def work(seed: int) -> None:
                key = mx.random.key(seed) if keys else None
                found.append(mx.random.normal((size,), key=key).tolist())

            threads = [threading.Thread(target=work, args=(seed,)) for seed in range(2)]
            for thread in threads:
                thread.start()
                thread.join()
            return found

        same, different = drawn(False), drawn(True)
        return Evidence(
            shown(same[0] == same[1], f"two threads draw {same[0][0]:.4f} and {same[1][0]:.4f}"),
            shown(different[0] != different[1], f"with keys {different[0][0]:.4f} and {different[1][0]:.4f}"),
        )


def _drawing(tree: cst.CSTNode, context: Context) -> dict[cst.Call, str]:
    """The calls of a file that hand work to other threads which draws, with how it draws."""
    found = {}
    for call in context.module.calls:
        function = context.value(work_of(call, context))
        draw = _draw(function.code, context) if isinstance(function, Function) else None
        if draw is not None:
            found[call] = draw
    return found


def _draw(code: FunctionCode, context: Context) -> str | None:
    """A call that draws without a key, in a function that sets no seed."""
    draw = None
    for call, called, module in context.calls(code.node.body):
        if not isinstance(called, Name):
            continue
        if called.name == _SEED:
            return None
        if called.name in _DRAWING and not any(arg.keyword and arg.keyword.value == "key" for arg in call.args):
            if not any(arg.star for arg in call.args):
                draw = draw or module.concrete.text(call.func)
    return draw
