from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model.code import ClassCode
from mlxlint.model.values import LIKELY, Dict, Instance, Sequence, Value, members
from mlxlint.rule import Evidence, Kind, Rule, Severity, shown


class TrainNeverCalled(Rule):
    """A layer overrides `train`, which the model that holds it never calls

    ## What it does
    Finds a method `train` in subclasses of `nn.Module` whose objects are stored in another module of the file.

    ## PyTorch and MLX
    PyTorch's `train(mode)` and `eval()` call `train(mode)` of each child, so that a layer can keep its batch
    normalisation in evaluation mode. MLX sets the mode of every module below directly: such a `train` runs only where
    that very object is told. Override it in the model on which `train` and `eval` are called.

    ## Example
    ```python
    import mlx.nn as nn


    class Frozen(nn.Module):
        def __init__(self, dims):
            super().__init__()
            self.norm = nn.BatchNorm(dims)

        def train(self, mode=True):
            super().train(mode)
            self.norm.eval()
            return self


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = Frozen(8)
    ```

    ## Use instead
    ```python
    import mlx.nn as nn


    class Frozen(nn.Module):
        def __init__(self, dims):
            super().__init__()
            self.norm = nn.BatchNorm(dims)


    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = Frozen(8)

        def train(self, mode=True):
            super().train(mode)
            self.block.norm.eval()
            return self
    ```

    ## References
    - [Module.train](https://ml-explore.github.io/mlx/build/html/python/nn/_autosummary/mlx.nn.Module.train.html)
    """

    code = "MLX387"
    kind = Kind.SILENT
    severity = Severity.WARNING
    message = "`{holder}` holds a `{layer}`, and its `train` and `eval` do not call this method"
    functions = frozenset({"train"})

    def visit_FunctionDef(self, node: cst.FunctionDef, context: Context) -> None:
        code = context.module.functions.get(node)
        owner = None if code is None else code.owner
        if owner is None or not owner.is_mlx_module:
            return
        for holder in context.module.classes.values():
            if (
                holder is not owner
                and holder.is_mlx_module
                and holder.method("train") is None
                and _holds(holder, owner)
            ):
                context.report(self, node.name, confidence=LIKELY, holder=holder.name, layer=owner.name)
                return

    @staticmethod
    def repro() -> Evidence:
        import mlx.nn as nn

        class Frozen(nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.norm = nn.BatchNorm(2)

            def train(self, mode: bool = True) -> nn.Module:
                super().train(mode)
                self.norm.eval()
                return self

        model, alone = nn.Module(), Frozen()
        model.block = Frozen()
        model.train()
        alone.train()
        return Evidence(
            shown(model.block.norm.training, "the layer's normalisation is in training mode"),
            shown(not alone.norm.training, "told itself, it is not"),
        )


def _holds(holder: ClassCode, layer: ClassCode) -> bool:
    stored = (value for own in holder.ancestry()[0] for value in own.attributes.values())
    return any(_is_made_of(value, layer) for value in stored)


def _is_made_of(value: Value, layer: ClassCode) -> bool:
    """Whether a value is an object of a class, or a list or dict with one."""
    if isinstance(value, Sequence):
        return _is_made_of(value.joined(), layer)
    if isinstance(value, Dict):
        return any(_is_made_of(item, layer) for item in (*value.items.values(), value.element))
    return any(isinstance(member, Instance) and member.code is layer for member in members(value))
