from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import NONE, constant
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown

_OPTIONS = {"top_p": 1, "min_p": 2, "top_k": 4, "xtc_probability": 5}


class SamplerStaysGreedy(Rule):
    """`make_sampler` is given sampling options and no temperature

    ## What it does
    Finds `make_sampler` with `top_p`, `min_p`, `top_k` or `xtc_probability` and no `temp`, or with `temp=0`.

    ## PyTorch and MLX
    In transformers `temperature` is 1 unless it is given, and `do_sample` switches sampling on. `make_sampler` has
    `temp=0.0`, and with that takes the likeliest token whatever else it is given.

    ## Example
    ```python
    from mlx_lm.sample_utils import make_sampler

    sampler = make_sampler(top_p=0.9)
    ```

    ## Use instead
    ```python
    from mlx_lm.sample_utils import make_sampler

    sampler = make_sampler(temp=1.0, top_p=0.9)
    ```

    ## References
    - [MLX-LM, sample_utils.py](https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/sample_utils.py)
    """

    code = "MLX706"
    kind = Kind.SILENT
    severity = Severity.ERROR
    calls = frozenset({"make_sampler"})
    message = "without a temperature `make_sampler` takes the likeliest token and ignores `{option}`"

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if context.callee(node) != "mlx_lm.sample_utils.make_sampler" or any(arg.star for arg in node.args):
            return
        temperature = context.argument(node, 0, "temp")
        if temperature is not None and constant(context.value(temperature), (int, float)) != 0:
            return
        for option, index in _OPTIONS.items():
            given = context.argument(node, index, option)
            value = NONE if given is None else context.value(given)
            if given is not None and constant(value, (int, float)) != 0 and value is not NONE:
                context.report(self, node, option=option)
                return

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        from mlx_lm.sample_utils import make_sampler

        mx.random.seed(0)
        logprobs = mx.log(mx.array([[0.4, 0.35, 0.25]]))

        def drawn(**options: float) -> int:
            sampler = make_sampler(**options)
            return len({sampler(logprobs).item() for _ in range(100)})

        greedy, sampled = drawn(top_p=0.95), drawn(temp=1.0, top_p=0.95)
        hazard = shown(greedy == 1, f"make_sampler(top_p=0.95): {greedy} kind of token in 100 draws")
        return Evidence(hazard, shown(sampled > 1, f"make_sampler(temp=1.0, top_p=0.95): {sampled} kinds"))
