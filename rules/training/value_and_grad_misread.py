from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.values import Partial, Sequence, Value, as_array
from mlxlint.rule import Evidence, Kind, Rule, Severity, raises, shown

from ._gradients import is_gradients
from ._optimizers import as_optimizer, method_call

_TRANSFORMS = frozenset({"mlx.core.value_and_grad", "mlx.nn.value_and_grad"})


class ValueAndGradMisread(Rule):
    """The result of `value_and_grad` is read as something else than a value and gradients

    ## What it does
    Finds results of `mx.value_and_grad` and `nn.value_and_grad` that are unpacked into more than two, the first of
    them used as a number though the function returns a tuple, and the pair or the loss given to `optimizer.update`.

    ## PyTorch and MLX
    PyTorch's gradients appear in the parameters, and a step returns what one likes. In MLX the differentiated function
    returns a pair: all that the function returned, a tuple if it was one, and then the gradients.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 1)


    def loss_fn(x):
        output = model(x)
        return output.sum(), output


    loss, output, gradients = nn.value_and_grad(model, loss_fn)(mx.ones((1, 2)))
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn

    model = nn.Linear(2, 1)


    def loss_fn(x):
        output = model(x)
        return output.sum(), output


    (loss, output), gradients = nn.value_and_grad(model, loss_fn)(mx.ones((1, 2)))
    ```

    ## References
    - [mlx.nn.value_and_grad](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.value_and_grad.html)
    """

    code = "MLX219"
    kind = Kind.CRASH
    severity = Severity.ERROR
    calls = frozenset({"update", "item"})
    message = "{problem}"

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        target = node.targets[0].target
        if not isinstance(target, cst.Tuple) or not isinstance(node.value, cst.Call):
            return
        called = context.called(node.value)
        if not isinstance(called, Partial) or called.transform not in _TRANSFORMS:
            return
        starred = any(isinstance(element, cst.StarredElement) for element in target.elements)
        count = len(target.elements)
        if _is_pair(context.value(node.value)) and count != 2 and not starred:
            problem = f"`value_and_grad` gives two, what the function returns and the gradients: this unpacks {count}"
            context.report(self, target, because=[node.value], problem=problem)

    def visit_Call(self, node: cst.Call, context: Context) -> None:
        if (method := method_call(node, "item")) is not None and not node.args:
            self._check_number(method.value, context)
        elif method_call(node, "update") is not None and as_optimizer(context.receiver(node)) is not None:
            given = context.argument(node, 1, "gradients")
            if given is not None:
                self._check_gradients(given, context)

    def _check_number(self, node: cst.BaseExpression, context: Context) -> None:
        value = context.value(node)
        items = value.items if isinstance(value, Sequence) and value.kind == "tuple" else None
        if items and as_array(items[0]) is not None:
            text = context.brief(node)
            problem = f"`{text}` is the tuple of all that the function returned: `(loss, …), gradients = …` unpacks it"
            context.report(self, node, because=[node], problem=problem, repro={"use": "number"})

    def _check_gradients(self, node: cst.BaseExpression, context: Context) -> None:
        value, text = context.value(node), context.brief(node)
        if _is_pair(value):
            problem = f"`{text}` is the pair of a value and gradients: the gradients are the second of it"
            context.report(self, node, because=[node], problem=problem, repro={"use": "pair"})
        elif (array := as_array(value)) is not None and array.rank == 0 and not array.parameter:
            problem = f"`{text}` is a number, not the gradients: `value_and_grad` gives the value first"
            context.report(self, node, because=[node], problem=problem, repro={"use": "loss"})

    @staticmethod
    def repro(use: str = "unpacked") -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        model, optimizer, x = nn.Linear(2, 1), optim.SGD(0.5), mx.ones((1, 2))

        def loss_fn(x: mx.array) -> tuple[mx.array, mx.array]:
            output = model(x)
            return output.sum(), output

        pair = nn.value_and_grad(model, loss_fn)(x)

        def misread() -> None:
            if use == "number":
                pair[0].item()
            elif use == "unpacked":
                _, _, _ = pair
            else:
                optimizer.update(model, pair if use == "pair" else pair[0][0])

        hazard = raises(misread, TypeError, ValueError, AttributeError)
        (loss, _), gradients = pair
        optimizer.update(model, gradients)
        return Evidence(hazard, shown(loss.size == 1, "unpacked as (loss, …), gradients: a step is made"))


def _is_pair(value: Value) -> bool:
    return (
        isinstance(value, Sequence)
        and value.items is not None
        and len(value.items) == 2
        and not is_gradients(value.items[0])
        and is_gradients(value.items[1])
    )
