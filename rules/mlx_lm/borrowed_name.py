from __future__ import annotations

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import api
from mlxlint.model.tree import dotted
from mlxlint.rule import Applicability, Evidence, Fixable, Kind, NodeFix, Replace, Rule, Severity, shown


class BorrowedName(Rule):
    """A name imported from a module of MLX-LM that only imports it itself

    ## What it does
    Finds `from mlx_lm.x import name` where `name` is defined in another module of MLX-LM.

    ## PyTorch and MLX
    What a module of MLX-LM imports for its own use is no part of its interface: when the module no longer needs a
    name, it goes, and `ImportError` is raised. Of the names that stood in a second module in this way, nearly a third
    are gone by now; `make_sampler` could be had from `mlx_lm.utils` until 0.22.2, and stood in
    `mlx_lm.sample_utils` all the time.

    ## Example
    ```python
    from mlx_lm.generate import make_sampler

    sampler = make_sampler(temp=0.7)
    ```

    ## Use instead
    ```python
    from mlx_lm.sample_utils import make_sampler

    sampler = make_sampler(temp=0.7)
    ```

    ## Fix safety
    The fix names the module that defines what is imported, and is safe. There is none where several names are imported
    together.

    ## References
    - [MLX LM](https://github.com/ml-explore/mlx-lm#python-api)
    """

    code = "MLX728"
    kind = Kind.DEPRECATED
    severity = Severity.INFO
    fixable = Fixable.SOMETIMES
    message = "`{module}` only imports `{name}` itself, and may stop to: it is defined in `{home}`"

    def visit_ImportFrom(self, node: cst.ImportFrom, context: Context) -> None:
        module = dotted(node.module) or ""
        if node.relative or not module.startswith("mlx_lm.") or isinstance(node.names, cst.ImportStar):
            return
        for alias in node.names:
            name = alias.name.value if isinstance(alias.name, cst.Name) else ""
            home = _home(module, name, context)
            if home is not None and node.module is not None:
                fix = NodeFix("Import it from there", [Replace(node.module, home)], Applicability.SAFE)
                context.report(
                    self, alias, module=module, name=name, home=home, fix=fix if len(node.names) == 1 else None,
                    repro={"module": module, "name": name, "home": home},
                )  # fmt: skip

    @staticmethod
    def repro(
        module: str = "mlx_lm.generate", name: str = "make_sampler", home: str = "mlx_lm.sample_utils"
    ) -> Evidence:
        import importlib

        found = getattr(importlib.import_module(module), name, None)
        known = getattr(importlib.import_module(home), name, None)
        hazard = shown(found is None or found is known, f"{module}.{name} is {home}'s, or gone")
        return Evidence(hazard, shown(known is not None, f"{home} has it"))


def _home(module: str, name: str, context: Context) -> str | None:
    """The module beside this one that defines a name; None when it is this one, or a package above exports it."""
    found = api.lookup(f"{module}.{name}", context.target_mlx_lm.newest)
    if found is None or found.kind == "module" or name.startswith("_"):
        return None
    home = found.name.rpartition(".")[0]
    is_beside = home.startswith("mlx_lm.") and home != module and not module.startswith(f"{home}.")
    return home if is_beside and not home.startswith(f"{module}.") else None
