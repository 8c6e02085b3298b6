"""Running what the table of names says: each example's result was recorded from PyTorch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import mlxlint
from mlxlint.rule import Observation, agrees, shown
from mlxlint.rules.api import _names

RECORD = Path(mlxlint.__file__).with_name("data") / "torch-names.json"
_MENTIONED = re.compile(r"\b((?:mx|nn|optim)(?:\.[a-z_A-Z]\w*)+)")


@cache
def record() -> Mapping[str, Any]:
    """``inputs``: name -> Python text of the arrays in the examples; ``examples``: "tensor.unsqueeze" -> those run."""
    content: Mapping[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return content


def namespace() -> dict[str, Any]:
    """What the examples' names stand for in MLX."""
    import mlx.core as mx
    import mlx.nn as nn
    import mlx.optimizers as optim
    import numpy as np

    names = {"mx": mx, "nn": nn, "optim": optim, "np": np, "float16": mx.float16}
    return names | {name: eval(text, dict(names)) for name, text in record()["inputs"].items()}  # our own text


def run(source: str) -> Any:
    """The result of an example's MLX side, as nested lists."""
    return plain(eval(source, namespace()))  # our own text


def compared(got: Any, expected: Any) -> Observation:
    """Whether a result is what PyTorch gave; a list of arrays of several sizes is compared part by part."""
    if isinstance(got, list) and isinstance(expected, list) and len(got) == len(expected) and _is_ragged(got):
        parts = [agrees(one, other) for one, other in zip(got, expected, strict=True)]
        return next((part for part in parts if not part.holds), parts[0])
    return agrees(got, expected)


def _is_ragged(listed: list[Any]) -> bool:
    import numpy as np

    return len({np.shape(item) for item in listed}) > 1


def plain(result: Any) -> Any:
    import mlx.core as mx

    if isinstance(result, mx.array):
        return plain_complex(result) if result.dtype == mx.complex64 else result.astype(mx.float32).tolist()
    if isinstance(result, (list, tuple)):
        return [plain(item) for item in result]
    return result.tolist() if hasattr(result, "tolist") else result


def plain_complex(result: Any) -> Any:
    import mlx.core as mx

    return mx.stack([result.real, result.imag], axis=-1).tolist()


def remedy(section: str, name: str) -> Observation:
    """The examples of a name, run; for one that has none, whether what the advice mentions is there."""
    examples = record()["examples"].get(f"{section}.{name}")
    if examples:
        seen = [compared(run(example["mlx"]), example["result"]) for example in examples]
        return next((observation for observation in seen if not observation.holds), seen[0])
    entry = _names.section(section).get(name)
    text = "" if entry is None else " ".join([entry.advice or "", *(form.template for form in entry.forms)])
    missing = [mention for mention in _MENTIONED.findall(text) if not _exists(mention)]
    return shown(
        entry is not None and not missing, f"missing: {missing}" if missing else "all that is advised is there"
    )


def _exists(path: str) -> bool:
    first, *rest = path.split(".")
    found: Any = namespace()[first]
    for part in rest:
        found = getattr(found, part, None)
    return found is not None
