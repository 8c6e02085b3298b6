"""The audit of PyTorch code: its numbers agree with a count by hand, its places with the code, for any file."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlxlint.audit import reading
from mlxlint.audit.auditor import survey
from mlxlint.audit.command import audit_command
from mlxlint.audit.spelling import MODULES, in_mlx, in_torch
from mlxlint.audit.survey import Survey
from mlxlint.audit.ways import OF_OBJECTS, SCHEDULER, Way, meaning
from mlxlint.config import Configuration
from mlxlint.files import collect
from mlxlint.registry import by_name
from mlxlint.rules.api import _names
from mlxlint.workers import POOL_FROM

SAMPLES = Path(__file__).with_name("audit")

# Counted by hand, reading the files: each mention of a name of PyTorch's in the code, import statements apart.
COUNTS = {
    "residual.py": {
        "torch.Tensor": 4, "torch.flatten": 1, "torch.nn.AdaptiveAvgPool2d": 1, "torch.nn.BatchNorm2d": 2,
        "torch.nn.Conv2d": 5, "torch.nn.GroupNorm": 1, "torch.nn.Linear": 1, "torch.nn.MaxPool2d": 1,
        "torch.nn.Module": 3, "torch.nn.Module.modules": 1, "torch.nn.ModuleList": 1, "torch.nn.ReLU": 1,
        "torch.nn.Sequential": 3, "torch.nn.init.constant_": 2, "torch.nn.init.kaiming_normal_": 1,
    },
    "attention.py": {
        "torch.Tensor": 5, "torch.Tensor.contiguous": 1, "torch.Tensor.expand": 1, "torch.Tensor.masked_fill": 1,
        "torch.Tensor.max": 1, "torch.Tensor.permute": 1, "torch.Tensor.reshape": 1, "torch.Tensor.shape": 3,
        "torch.Tensor.size": 1, "torch.Tensor.transpose": 2, "torch.Tensor.unbind": 1, "torch.Tensor.view": 1,
        "torch.arange": 1, "torch.cat": 1, "torch.einsum": 1, "torch.matmul": 1, "torch.nn.Dropout": 1,
        "torch.nn.GELU": 1, "torch.nn.LayerNorm": 1, "torch.nn.Linear": 4, "torch.nn.Module": 2,
        "torch.nn.Module.register_buffer": 1, "torch.nn.ModuleList": 1, "torch.nn.Parameter": 2,
        "torch.nn.Sequential": 1, "torch.nn.functional.layer_norm": 1, "torch.nn.functional.softmax": 1,
        "torch.nn.init.trunc_normal_": 1, "torch.zeros": 2,
    },
    "training.py": {
        "torch.Tensor": 5, "torch.Tensor.backward": 1, "torch.Tensor.eq": 1, "torch.Tensor.float": 1,
        "torch.Tensor.item": 1, "torch.Tensor.size": 1, "torch.Tensor.sum": 1, "torch.Tensor.t": 1,
        "torch.Tensor.to": 2, "torch.Tensor.topk": 1, "torch.Tensor.view": 1, "torch.cuda.is_available": 1,
        "torch.device": 1, "torch.manual_seed": 1, "torch.nn.Module": 1, "torch.nn.Module.parameters": 2,
        "torch.nn.Module.state_dict": 1, "torch.nn.Module.to": 1, "torch.nn.Module.train": 1,
        "torch.nn.functional.cross_entropy": 1, "torch.nn.utils.clip_grad_norm_": 1, "torch.no_grad": 1,
        "torch.optim.Optimizer.step": 1, "torch.optim.Optimizer.zero_grad": 1, "torch.optim.SGD": 2,
        "torch.optim.lr_scheduler.LRScheduler.step": 1, "torch.optim.lr_scheduler.StepLR": 1, "torch.save": 1,
        "torch.utils.data.DataLoader": 1,
    },
}  # fmt: skip
# ... and which of them a port has to think about, by row.
BY_HAND = {
    "residual.py": {
        (22, "torch.nn.BatchNorm2d"), (48, "torch.nn.AdaptiveAvgPool2d"), (52, "torch.nn.init.kaiming_normal_"),
        (53, "torch.nn.BatchNorm2d"), (54, "torch.nn.init.constant_"), (55, "torch.nn.init.constant_"),
    },
    "attention.py": {
        (40, "torch.nn.init.trunc_normal_"), (43, "torch.Tensor.expand"), (46, "torch.nn.functional.layer_norm"),
    },
    "training.py": {
        (8, "torch.device"), (13, "torch.Tensor.topk"), (20, "torch.nn.functional.cross_entropy"),
        (23, "torch.nn.utils.clip_grad_norm_"), (24, "torch.optim.Optimizer.step"),
        (28, "torch.utils.data.DataLoader"), (32, "torch.optim.lr_scheduler.StepLR"),
        (37, "torch.optim.lr_scheduler.LRScheduler.step"), (38, "torch.save"),
    },
}  # fmt: skip
# Silent ones, and those that stop the program at once in ways that a new name does not mend.
HAZARDS = {
    "residual.py": {"pooling-channels-first": [46], "conv-channels-first": [9, 23, 30], "forward-method": [32, 60]},
    "attention.py": {"forward-method": [20, 42], "transpose-of-two-axes": [24, 29], "view-as-reshape": [29]},
    "training.py": {"gradient-context": [12], "autograd-on-array": [22], "optimizer-given-parameters": [31]},
}
NOT_KNOWN = {"residual.py": {}, "attention.py": {}, "training.py": {"squeeze": 1}}  # what a loader yields

every_sample = pytest.mark.parametrize("name", COUNTS)


def audit(*paths: Path, jobs: int = 1) -> Survey:
    return survey(collect([str(path) for path in paths], Configuration(isolated=True)).files, jobs=jobs)


def audit_of(tmp_path: Path, text: str | bytes, name: str = "net.py") -> Survey:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return audit(path)


def names(found: Survey) -> list[str]:
    return [usage.name for usage in found.usages]


@every_sample
def test_uses_agree_with_a_count_by_hand(name: str) -> None:
    assert Counter(names(audit(SAMPLES / name))) == COUNTS[name]


def imported(tree: ast.Module) -> dict[str, str]:
    """Bound name -> the name of PyTorch's, as Python's own tree has the imports."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {a.asname or "torch": a.name if a.asname else "torch" for a in node.names if "torch" in a.name}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("torch"):
            found |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return found


@every_sample
def test_names_reached_through_imports_are_those_in_python_s_own_tree(name: str) -> None:
    tree = ast.parse((SAMPLES / name).read_text(encoding="utf-8"))
    bound, found, inner = imported(tree), Counter[str](), set()
    for node in ast.walk(tree):  # from the outside
        root, parts = node, []
        while isinstance(root, ast.Attribute):
            parts.insert(0, root.attr)
            root = root.value
            inner.add(root)
        if node not in inner and isinstance(root, ast.Name) and root.id in bound:
            found[".".join([bound[root.id], *parts])] += 1
    of_objects = tuple(f"{scope}." for scope in (*OF_OBJECTS, SCHEDULER))
    assert found == {used: number for used, number in COUNTS[name].items() if not used.startswith(of_objects)}


@every_sample
def test_what_needs_a_person_agrees_with_a_count_by_hand(name: str) -> None:
    found = audit(SAMPLES / name)
    assert {(usage.place.row, usage.name) for usage in found.usages if not usage.mechanical} == BY_HAND[name]
    assert found.files[0].by_hand == len(BY_HAND[name])
    assert found.mechanical == sum(COUNTS[name].values()) - len(BY_HAND[name])


@every_sample
def test_hazards_agree_with_those_found_by_hand(name: str) -> None:
    hazards = audit(SAMPLES / name).hazards
    assert {rule: [hazard.place.row for hazard in hazards[rule]] for rule in HAZARDS[name]} == HAZARDS[name]


@every_sample
def test_what_is_not_known_to_be_a_tensor_is_told_apart(name: str) -> None:
    assert audit(SAMPLES / name).unresolved == NOT_KNOWN[name]


def test_every_place_is_where_the_name_stands() -> None:
    for usage in audit(SAMPLES).usages:
        line = Path(usage.place.path).read_text(encoding="utf-8").splitlines()[usage.place.row - 1]
        assert line[usage.place.column - 1 :].startswith(usage.name.rpartition(".")[2]), usage


def test_files_together_are_the_sum_of_each() -> None:
    together = audit(SAMPLES)
    assert Counter(names(together)) == sum((Counter(counts) for counts in COUNTS.values()), Counter())
    assert [Path(file.path).name for file in together.ranking] == ["training.py", "residual.py", "attention.py"]
    share = 1 - sum(map(len, BY_HAND.values())) / sum(map(sum, (counts.values() for counts in COUNTS.values())))
    assert together.share == pytest.approx(share)


def test_worker_processes_find_the_same(tmp_path: Path) -> None:
    for sample in SAMPLES.glob("*.py"):
        (tmp_path / sample.name).write_bytes(sample.read_bytes() + b"# " + b"-" * POOL_FROM)
    alone, together = audit(tmp_path), audit(tmp_path, jobs=2)
    assert alone.files == together.files


# Ways


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("torch.nn.Linear", Way.SAME),
        ("torch.Tensor.reshape", Way.SAME),
        ("torch.cat", Way.RENAMED),
        ("torch.Tensor.unsqueeze", Way.RENAMED),
        ("torch.Tensor.mul_", Way.RENAMED),
        ("torch.nn.functional.relu", Way.RENAMED),
        ("torch.nn.Conv2d", Way.DIFFERENT),
        ("torch.nn.functional.pad", Way.DIFFERENT),
        ("torch.optim.lr_scheduler.CosineAnnealingLR", Way.DIFFERENT),  # as its module
        ("torch.nn.Module.zero_grad", Way.DIFFERENT),
        ("torch.nn.Module.append", Way.DIFFERENT),
        ("torch.cuda.empty_cache", Way.RENAMED),
        ("torch.cuda.is_available", Way.SAME),
        ("torch.cuda.amp.autocast", Way.DIFFERENT),
        ("torch.jit.is_scripting", Way.DIFFERENT),
        ("torch.distributed.get_rank", Way.RENAMED),
        ("torch.distributed.all_reduce", Way.DIFFERENT),
        ("torch.nn.CTCLoss", Way.MISSING),
        ("torch.optim.LBFGS", Way.MISSING),
        ("torch.utils.data.DataLoader", Way.MISSING),
        ("torch.Tensor.no_such_method", Way.MISSING),
    ],
)
def test_ways(name: str, way: Way) -> None:
    assert meaning(name).way is way


def test_every_name_of_the_tables_has_a_way_and_its_rule_is_one() -> None:
    torch_module = {"core": "torch", "nn": "torch.nn", "functional": "torch.nn.functional", "tensor": "torch.Tensor"}
    for table in (_names.table(), _names.shared()):
        for section, scope in torch_module.items():
            for member in table.get(section, ()):
                found = meaning(f"{scope}.{member}")
                assert found.listed, (scope, member)
                assert found.rule is None or found.rule in by_name()
                assert found.way is not Way.MISSING or found.instead


def test_there_is_a_way_back_from_every_module() -> None:
    for module in MODULES:
        assert in_torch(in_mlx(f"{module}.name")) == f"{module}.name"
    assert in_mlx("torch.cuda.amp.autocast") == "torch.cuda.amp.autocast"
    assert in_torch("numpy.array") == "numpy.array"


# What counts


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import torch as t\nt.ones(2)", ["torch.ones"]),
        ("import torch.nn.functional as F\nF.relu(1)", ["torch.nn.functional.relu"]),
        ("import torch.nn\ntorch.nn.functional.relu(1)", ["torch.nn.functional.relu"]),
        ("from torch.nn import Linear as Dense\nDense(1, 2)", ["torch.nn.Linear"]),
        ("def f():\n    from torch import ones\n    return ones(2)", ["torch.ones"]),
        ("import torch\ndef f(x: 'torch.Tensor'): x.view(1)", ["torch.Tensor.view"]),
        ("import torch\nx = torch.ones(2)\nx.grad = None", ["torch.ones", "torch.Tensor.grad"]),
        ("import torch\ntorch.nn.Module.__init__", ["torch.nn.Module"]),
        ("from torch import fx\ndef f(x: fx.node.Node): ...", ["torch.fx.node.Node"]),
        ("import torch.nn as nn\nkind = nn.ReLU\nlayer = kind()", ["torch.nn.ReLU"]),
        (
            "import torch\ndef f(y):\n    if isinstance(y, torch.Tensor):\n        y.numel()",
            ["torch.Tensor", "torch.Tensor.numel"],
        ),
        (
            "from torch import nn\nlayers = nn.Sequential()\nlayers.append(nn.ReLU())\nlayers.zero_grad()",
            ["torch.nn.Sequential", "torch.nn.Module.append", "torch.nn.ReLU", "torch.nn.Module.zero_grad"],
        ),
        (
            "from torch import nn\nclass A(nn.Module):\n    def forward(self, x):\n        return self.training",
            ["torch.nn.Module", "torch.nn.Module.training"],
        ),
        ("import torch\ntorch.cuda.synchronize()", ["torch.cuda.synchronize"]),
        ("import torch", []),
        ("import torch, mlx.core as mx\nmx.ones(2).reshape(1, 2)", []),
        ("import numpy as np  # not torch\nnp.ones(2).reshape(1, 2)", []),
        ("import torch\nclass A:\n    def view(self): ...\nA().view()", []),
    ],
)
def test_what_is_a_use(tmp_path: Path, code: str, expected: list[str]) -> None:
    assert names(audit_of(tmp_path, code)) == expected


CHAIN = {
    "net/__init__.py": "from net.blocks import Block\n",
    "net/blocks/__init__.py": "from .block import Block\n",
    "net/blocks/block.py": "import torch\nfrom ..core import Core\n\nclass Block(Core):\n    pass\n",
    "net/core/__init__.py": "from .base import Base as Core\n",  # names no PyTorch, as those above
    "net/core/base.py": (
        "import torch\nfrom torch import nn\n\nclass Base(nn.Module):\n"
        "    def features(self):\n        return torch.ones(2)\n"
    ),
    "train.py": (
        "import torch\nfrom net import Block\n\nblock = Block()\nblock.state_dict()\nblock.features().view(-1)\n"
    ),
}


@pytest.mark.parametrize(("most", "expected"), [(300, ["torch.nn.Module.state_dict", "torch.Tensor.view"]), (2, [])])
def test_imports_are_followed_but_through_no_framework(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, expected: list[str]
) -> None:
    monkeypatch.setattr(reading, "MOST_FOLLOWED", most)
    for name, text in CHAIN.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert names(audit(tmp_path / "train.py")) == expected


def test_modules_in_an_empty_list_are_listed_later(tmp_path: Path) -> None:
    code = """\
        from torch import nn

        class Net(nn.Module):
            def __init__(self):
                self.layers = nn.ModuleList()
                self.layers.append(nn.ReLU())

            def forward(self, x):
                for layer in self.layers:
                    x = layer(x)
                return x.view(-1)
    """
    expected = ["torch.nn.Module", "torch.nn.ModuleList", "torch.nn.ReLU", "torch.Tensor.view"]
    assert names(audit_of(tmp_path, textwrap.dedent(code))) == expected


def test_hazards_come_from_what_the_code_does(tmp_path: Path) -> None:
    code = "import torch\nx = torch.zeros(3)\nmask = x > 0\nx[mask].sum()\nmask.float()\n"
    hazards = audit_of(tmp_path, code).hazards
    assert {rule: [hazard.place.row for hazard in found] for rule, found in hazards.items()} == {
        "boolean-mask-read": [4],
        "tensor-method": [5],
    }


def test_silent_hazards_come_first() -> None:
    kinds = [by_name()[name].kind.value for name in audit(SAMPLES).hazards]
    assert kinds == sorted(kinds, key=["silent", "crash", "cost", "deprecated"].index)


# Files of all kinds


def test_files_without_pytorch_are_counted(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text("print()\n")
    found = audit(tmp_path)
    assert (found.files, found.others, found.share) == ([], 1, None)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"import torch\nx = (", "does not parse"),
        (b"import torch\n\xff\xfe", "invalid byte 0xff"),
        (b"# -*- coding: nonsense -*-\nimport torch\n", "nonsense"),
        (b"import torch\n\0", "null bytes"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, data: bytes, problem: str) -> None:
    found = audit_of(tmp_path, data)
    assert problem in (found.files[0].problem or "")
    assert found.usages == []


def test_other_encodings_are_read(tmp_path: Path) -> None:
    text = "# -*- coding: latin-1 -*-\nimport torch\nname = 'é'; torch.ones(2)\n"
    [usage] = audit_of(tmp_path, text.encode("latin-1")).usages
    assert (usage.place.row, usage.place.column) == (3, 19)


def test_deeply_nested_code(tmp_path: Path) -> None:
    assert names(audit_of(tmp_path, f"import torch\nx = {'(' * 90}torch.ones(2){')' * 90}")) == ["torch.ones"]
    assert audit_of(tmp_path, "import torch\nx = " + " + ".join(["1"] * 400) + "\ntorch.ones(2)").share == 1


def notebook(*cells: str) -> str:
    code = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells]
    return json.dumps({"cells": code, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def test_notebooks_are_told_by_cell(tmp_path: Path) -> None:
    found = audit_of(tmp_path, notebook("%matplotlib inline\nimport torch", "x = 1\ntorch.cat([x])"), "port.ipynb")
    [usage] = found.usages
    assert (usage.name, usage.place.cell, usage.place.row, usage.place.column) == ("torch.cat", 2, 2, 7)
    [[hazard]] = found.hazards.values()
    assert hazard.place[1:3] == (2, 2)


def test_a_broken_cell_costs_no_other(tmp_path: Path) -> None:
    found = audit_of(tmp_path, notebook("import torch", "x = (", "torch.ones(2)"), "port.ipynb")
    assert names(found) == ["torch.ones"]
    assert "does not parse" in (found.files[0].problem or "")


PIECES = ["torch.", "nn.", "F.", "x.", "view", "cat", "(", ")", "[", "]", "\n", "=", "def f(x):", " ", "self", ","]


@settings(max_examples=60, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(PIECES), max_size=20))
def test_any_text_is_survived(tmp_path: Path, parts: list[str]) -> None:
    head = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\nx = torch.ones(2)\n"
    problem = audit_of(tmp_path, head + "".join(parts)).files[0].problem
    assert problem is None or "does not parse" in problem


# Reports


def run(*arguments: str) -> str:
    result = CliRunner().invoke(audit_command, list(arguments), standalone_mode=False)
    assert result.exception is None, result.exception
    assert result.return_value == 0
    return result.output


@pytest.fixture
def in_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SAMPLES)


@pytest.mark.usefixtures("in_samples")
def test_text() -> None:
    text = run("residual.py")
    assert "28 uses of 15 names of PyTorch's; 79% of the uses (22) port mechanically" in text
    assert re.search(r"^ +2 +2  renamed    torch\.nn\.BatchNorm2d  +use `nn\.BatchNorm", text, re.MULTILINE)
    assert "MLX332 pooling-channels-first" in text
    assert "(--all)" in text
    assert "(--all)" not in run("residual.py", "--all")


@pytest.mark.usefixtures("in_samples")
def test_json() -> None:
    content: dict[str, Any] = json.loads(run("residual.py", "--output-format", "json"))
    assert content["totals"]["uses"] == sum(COUNTS["residual.py"].values())
    assert {api["name"]: api["uses"] for api in content["apis"]} == COUNTS["residual.py"]
    assert sum(way["uses"] for way in content["totals"]["ways"].values()) == content["totals"]["uses"]
    [file] = content["files"]
    assert (file["filename"], file["by_hand"], file["names"]) == ("residual.py", 6, COUNTS["residual.py"])
    first = content["hazards"][0]
    assert (first["name"], first["kind"], first["places"][0]["row"]) == ("pooling-channels-first", "silent", 46)


@pytest.mark.usefixtures("in_samples")
def test_html(tmp_path: Path) -> None:
    path = tmp_path / "new" / "audit.html"
    run(".", "--output-format", "html", "--output-file", str(path))
    page = path.read_text(encoding="utf-8")
    for name in COUNTS["training.py"]:
        assert f"<code>{name}</code>" in page
    assert 'data-way="missing"' in page


def test_nothing_to_audit(tmp_path: Path) -> None:
    assert "No use of PyTorch found" in run(str(tmp_path))
    assert "No use of PyTorch found" in run(str(tmp_path), "--output-format", "html")
    assert json.loads(run(str(tmp_path), "--output-format", "json"))["totals"]["share"] is None


def test_a_path_that_is_not_there_is_exit_code_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mlxlint", "audit", str(tmp_path / "none.py"), str(SAMPLES / "residual.py")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"})
    assert done.returncode == 2
    assert "none.py: No such file or directory" in done.stderr
    assert "28 uses" in done.stdout


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "<img src=x onerror=alert(1)>.py"
    path.write_text("import torch\ntorch.zeros(1)[torch.zeros(1) > 0]  # <script>\n")
    from mlxlint.audit import report

    out = io.StringIO()
    report.write("html", audit(path), tmp_path, True, out)
    assert "<img" not in out.getvalue()
    assert out.getvalue().count("<script>") == 1
