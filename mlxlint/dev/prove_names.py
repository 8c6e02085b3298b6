"""Prove the table of PyTorch's names: run each example in PyTorch, rewrite it as the linter does, run that in MLX.

``python -m mlxlint.dev.prove_names`` needs torch and mlx, prints what does not agree, and records the rest in
``mlxlint/data/torch-names.json``, from which tests and reproductions compare without torch.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from mlxlint.engine import Analysis
from mlxlint.registry import rules
from mlxlint.rule import Confidence, Finding, Observation, shown
from mlxlint.rules.api import _names, _proof
from mlxlint.source import Source

INPUTS = {
    "x": "[[1.5, -2.0, 0.5], [3.0, 0.0, -1.25]]",
    "y": "[[2.0, 1.0, -1.5], [0.5, 4.0, 2.5]]",
    "w": "[[2.0, 1.0], [0.5, 4.0]]",
    "p": "[[1.5, 2.0, 1.25], [3.0, 1.0, 2.25]]",
    "q": "[[0.5, 0.25, 0.75], [0.9, 0.1, 0.3]]",
    "f": "[[0.5, -0.25, 0.75], [-0.5, 0.0, 0.25]]",
    "v": "[1.0, 2.0, 4.0]",
    "s": "[[2.0, 0.5], [0.5, 1.0]]",
    "m": "[[True, False, True], [False, True, False]]",
    "n": "[[1, 2, 3], [4, 0, 6]]",
    "i": "[[0, 2], [1, 0]]",
    "r": "[0, 1]",
    "z": "[[1 + 2j, 3 - 1j], [-1j, 2 + 0j]]",
}
IMPORTS = "import mlx.core as mx\nimport mlx.nn as nn\nimport numpy as np\nfrom mlx.core import float16"
MOST_PASSES = 10


def in_mlx(example: str) -> str:
    """An example as someone would write it who takes MLX for PyTorch."""
    return example.replace("torch.nn.", "nn.").replace("torch.optim.", "optim.").replace("torch.", "mx.")


def rewritten(source: str) -> str:
    """A one-line MLX expression with every fix of the linter applied."""
    arrays = "\n".join(f"{name} = mx.array({text})" for name, text in INPUTS.items())
    head = f"{IMPORTS}\n{arrays}\nresult = "
    analysis = _analysis()
    text = head + source + "\n"
    for _ in range(MOST_PASSES):
        finding = next(_fixable(analysis.lint(Source("example.py", text)), len(head)), None)
        if finding is None or finding.fix is None:
            break
        for edit in reversed(finding.fix.edits):
            text = text[: edit.start] + edit.content + text[edit.end :]
    return text[len(head) :].strip()


@cache
def _analysis() -> Analysis:
    return Analysis(list(rules().values()), min_confidence=Confidence.LIKELY)


def _fixable(findings: list[Finding], start: int) -> Iterator[Finding]:
    return (f for f in findings if f.fix and f.code.startswith("MLX4") and f.offsets[0] >= start)


def expected(example: str) -> Any:
    """An example's result in PyTorch, as nested lists."""
    import torch

    names: dict[str, Any] = {"torch": torch, "float16": torch.float16}
    names |= {name: torch.tensor(eval(text)) for name, text in INPUTS.items()}
    return _plain(eval(example, names), torch)


def _plain(result: Any, torch: Any) -> Any:
    if isinstance(result, torch.Tensor):
        return torch.view_as_real(result.resolve_conj()).tolist() if result.is_complex() else result.float().tolist()
    if isinstance(result, (list, tuple)):
        return [_plain(item, torch) for item in result]
    return result.tolist() if hasattr(result, "tolist") else result


def _rewritten_examples() -> Iterator[tuple[str, str, str]]:
    for section, names in _names.table().items():
        for name, entry in names.items():
            for form in entry.forms:
                if form.example is not None:
                    yield f"{section}.{name}", form.example, rewritten(in_mlx(form.example))


def _shared_examples(differ: bool) -> Iterator[tuple[str, str, str]]:
    """What gives the same as it stands, or what does not."""
    for section, names in _names.shared().items():
        for name, row in names.items():
            if "try" in row and ("differs" in row or "say" in row) is differ:
                yield f"{section}.{name}", row["try"], in_mlx(row["try"])


def _observed(text: str, expected: Any) -> Observation:
    """Whether MLX gives what PyTorch gave."""
    try:
        return _proof.compared(_proof.run(text), expected)
    except Exception as error:
        return shown(False, f"{type(error).__name__}: {error}")


def main() -> None:
    _proof.record.cache_clear()
    inputs = {name: f"mx.array({text})" for name, text in INPUTS.items()}
    record: dict[str, Any] = {
        "versions": {package: importlib.metadata.version(package) for package in ("torch", "mlx")},
        "inputs": inputs,
        "examples": {},
        "differences": {},
    }
    _write(record)
    failures = 0
    alike = (("examples", example) for example in (*_rewritten_examples(), *_shared_examples(differ=False)))
    unlike = (("differences", example) for example in _shared_examples(differ=True))
    for kind, (name, example, text) in (*alike, *unlike):
        result = expected(example)
        observed = _observed(text, result)
        if observed.holds is (kind == "examples"):
            record[kind].setdefault(name, []).append({"torch": example, "mlx": text, "result": result})
        else:
            failures += 1
            print(f"{name}: {example} -> {text}: {observed.text}")
    _write(record)
    agree, differ = (sum(map(len, record[kind].values())) for kind in ("examples", "differences"))
    print(f"{agree} examples agree, {differ} differ as stated, {failures} are not as stated")


def _write(record: dict[str, Any]) -> None:
    kinds = ("examples", "differences")
    text = json.dumps({key: value for key, value in record.items() if key not in kinds})[:-1]
    for kind in kinds:
        rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in record[kind].items())
        text += f',\n "{kind}": {{\n{rows}\n}}'
    text += "}\n"
    _proof.RECORD.write_text(text, encoding="utf-8")
    _proof.record.cache_clear()


if __name__ == "__main__":
    main()
