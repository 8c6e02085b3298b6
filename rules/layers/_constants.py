"""Telling fixed tables from weights, by how an array was made."""

from __future__ import annotations

import re

import libcst as cst

from mlxlint.context import Context
from mlxlint.model import tree
from mlxlint.model.code import ClassCode, ModuleCode
from mlxlint.model.values import Array, Dict, Foreign, Function, Name, Sequence, Value, as_array
from mlxlint.rule import Applicability, NodeFix, Severity

from ._modules import renamed

# Arrays made with these follow a formula: nobody initialises weights so.
_FORMULAS = frozenset(
    """arange linspace tril triu tri eye identity meshgrid cumsum cumprod sin cos hanning hamming blackman bartlett
    outer""".split()
)
_RANDOM = ("mlx.core.random.", "mlx.nn.init.", "numpy.random.")
_TABLE_NAME = re.compile(
    r"(?:^|_)(?:mask|causal|tril|positions?|position_ids|inv_freq|freqs?|window|mean|std|anchors?|sigmas?|betas?|alphas_cumprod|indices|offsets)$"
)
_WEIGHT_NAME = re.compile(
    r"weight|bias|embed|token|gamma|logit|query|queries|latent|param|learn|init|lora|proto|codebook|slopes?$|A_log|dt_"
)
_INDEX_NAME = re.compile(r"(?:^|_)(?:index|indices|idx|ids|order|perm|permutation)$")
_TRAINS = re.compile(r"value_and_grad|mx\.grad\b|mlx\.optimizers|(?:load|save)_weights")
MAX_STEPS = 60


def arrays_in(value: Value, optional: bool = True) -> Array | None:
    """The arrays of an attribute, which may be a list or dict of them; None when it may hold something else.

    ``optional``: it may be None besides.
    """
    if (isinstance(value, Sequence) and value.kind == "list") or isinstance(value, Dict):
        return as_array(value.joined(), optional=False)
    return as_array(value, optional)


def made_by(node: cst.CSTNode, context: Context) -> set[str]:
    """Qualified names of all that an expression calls, followed back through names and the project's functions."""
    found: set[str] = set()
    seen: set[int] = set()
    stack: list[tuple[cst.CSTNode, ModuleCode]] = [(node, context.module)]
    while stack and len(seen) < MAX_STEPS:
        root, module = stack.pop()
        if id(root) in seen:
            continue
        seen.add(id(root))
        for part in tree.walk(root):
            if isinstance(part, cst.Call):
                called = module.calls.get(part)
                if isinstance(called, Name):
                    found.add(called.name)
                elif isinstance(called, Function):
                    stack.append((called.code.node.body, called.code.module))
            elif isinstance(part, (cst.Name, cst.Attribute)):
                value = module.values.get(part)
                origin = getattr(as_array(value) if value is not None else None, "node", None) or getattr(
                    value, "node", None
                )
                if (
                    isinstance(value, (Array, Foreign))
                    and isinstance(origin, cst.BaseExpression)
                    and origin is not part
                ):
                    stack.append((origin, module))
    return found


def is_formula(names: set[str]) -> bool:
    """Whether an array made by calls of these names follows a formula and holds nothing random."""
    if any(name.startswith(_RANDOM) for name in names):
        return False
    short = {name.rpartition(".")[2] for name in names if name.startswith(("mlx.core.", "numpy."))}
    return bool(short & _FORMULAS)


def severity_of_parameter(context: Context) -> Severity:
    """A warning where a file differentiates, optimizes, loads or saves parameters; a note in one that only computes."""
    return Severity.WARNING if _TRAINS.search(context.module.text) else Severity.INFO


def is_table_name(name: str) -> bool:
    return bool(_TABLE_NAME.search(name)) and not _WEIGHT_NAME.search(name)


def is_weight_name(name: str) -> bool:
    return bool(_WEIGHT_NAME.search(name))


def is_index_name(name: str) -> bool:
    return bool(_INDEX_NAME.search(name))


def _strings(node: cst.CSTNode) -> set[object]:
    return {n.evaluated_value for n in tree.walk(node) if isinstance(n, (cst.SimpleString, cst.ConcatenatedString))}


def is_frozen(name: str, owner: ClassCode) -> bool:
    """Whether a class freezes itself wholly, or the attribute by its name, or says itself what is trained."""
    if not any(word in owner.module.text for word in ("freeze", "parameters(")):
        return False
    for node in tree.walk(owner.node.body):
        if isinstance(node, cst.Call) and tree.dotted(node.func) == "self.freeze":
            keys = next((a.value for a in node.args if a.keyword is not None and a.keyword.value == "keys"), None)
            if keys is None or name in _strings(keys):
                return True
        if isinstance(node, cst.FunctionDef) and node.name.value in ("trainable_parameters", "unfreeze", "parameters"):
            return True
    return False


def hidden(name: str, owner: ClassCode, context: Context) -> NodeFix | None:
    """An underscore keeps an attribute out of the parameters."""
    edits = renamed(name, f"_{name}", owner, context)
    return NodeFix("Keep it out of the parameters", edits, Applicability.UNSAFE) if edits else None
