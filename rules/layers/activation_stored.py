from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import ClassCode
from mlxlint.model.values import CERTAIN, LIKELY, Array, Dict, Sequence, Value, as_array
from mlxlint.rule import Evidence, Fixable, Kind, Rule, Severity, raises, shown

from ..training._step import is_forward
from ._constants import hidden, is_frozen, severity_of_parameter
from ._modules import stored_on_self


class ActivationStored(Rule):
    """A result of the forward pass is stored in a public attribute, and is thereby a parameter

    ## What it does
    Finds `self.name = …` in a module's `__call__`, and in methods that this calls, where the value is an array or a
    list of arrays and `__init__` stores none under that name. It is a warning in a file that trains, loads or saves
    parameters, and a note elsewhere.

    ## PyTorch and MLX
    In PyTorch a tensor in an attribute is a plain attribute. In MLX it is a parameter from then on: the second training
    step raises `KeyError`, since the optimizer's state was made without it; `save_weights` writes it, and a fresh model
    refuses the file. A leading underscore keeps it out of `parameters()`.

    ## Example
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.proj = nn.Linear(4, 4)

        def __call__(self, x):
            self.scores = mx.softmax(self.proj(x), axis=-1)
            return self.scores @ x
    ```

    ## Use instead
    ```python
    import mlx.core as mx
    import mlx.nn as nn


    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.proj = nn.Linear(4, 4)

        def __call__(self, x):
            self._scores = mx.softmax(self.proj(x), axis=-1)
            return self._scores @ x
    ```

    ## Fix safety
    The fix puts an underscore before the name, wherever the class uses it. It is unsafe: other files may use the name.
    There is none where this file uses it outside the class.

    ## References
    - [Parameters of a module](https://ml-explore.github.io/mlx/build/html/python/nn.html#parameters)
    """

    code = "MLX364"
    kind = Kind.CRASH
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "`{attribute}` is a result of the forward pass in a public attribute: MLX takes it for a parameter"
    targets = frozenset({cst.Attribute})

    def visit_Assign(self, node: cst.Assign, context: Context) -> None:
        for name, owner in stored_on_self(node, context, method=None):
            if name.startswith("_") or not _holds_arrays(context.value(node.value)) or not is_forward(node, context):
                continue
            if _is_made_at_first(name, owner) or is_frozen(name, owner):
                continue
            context.report(
                self, node, because=[node.value], severity=severity_of_parameter(context),
                confidence=CERTAIN if as_array(context.value(node.value)) else LIKELY,
                attribute=f"self.{name}", fix=hidden(name, owner, context),
            )  # fmt: skip

    @staticmethod
    def repro() -> Evidence:
        import mlx.core as mx
        import mlx.nn as nn
        import mlx.optimizers as optim

        class Net(nn.Module):  # type: ignore[misc]
            def __init__(self, name: str) -> None:
                super().__init__()
                self.layer, self._name = nn.Linear(2, 1), name

            def __call__(self, x: mx.array) -> mx.array:
                setattr(self, self._name, self.layer(x))
                return self[self._name] if self._name in self else getattr(self, self._name)

        def train(name: str) -> mx.array:
            model, optimizer = Net(name), optim.Adam(0.1)
            step = nn.value_and_grad(model, lambda x: model(x).sum())
            for _ in range(3):
                loss, gradients = step(mx.ones((2, 2)))
                optimizer.update(model, gradients)
                mx.eval(model.parameters(), optimizer.state)
            return loss

        return Evidence(raises(lambda: train("last"), KeyError), shown(train("_last").ndim == 0, "hidden: it trains"))


def _holds_arrays(value: Value) -> bool:
    """Whether a value surely is an array, or a list or dict with arrays."""
    if isinstance(value, Sequence) and value.kind == "list":
        return isinstance(value.joined(), Array)
    if isinstance(value, Dict):
        return any(isinstance(item, Array) for item in (*value.items.values(), value.element))
    return isinstance(value, Array)


def _is_made_at_first(name: str, owner: ClassCode) -> bool:
    """Whether the class, or one it is derived from, makes an array of that name when an object is made."""
    for code in owner.ancestry()[0]:
        initialiser = code.body.get("__init__")
        function = getattr(initialiser, "code", None)
        for node in tree.walk(function.node.body) if function is not None else ():
            if isinstance(node, cst.Assign) and any(tree.dotted(t.target) == f"self.{name}" for t in node.targets):
                return not (isinstance(node.value, cst.Name) and node.value.value == "None")
    return False
