"""Which texts show that PyTorch's behaviour is meant, and which only look like it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlxlint.cli import cli
from mlxlint.model.port import around, in_text

MLX = "import mlx.nn as nn\n\n\nclass Block(nn.Module):\n    pass\n"
TORCH = "import torch.nn as nn\n\n\nclass Block(nn.Module):\n    pass\n"


@pytest.mark.parametrize(
    ("text", "kind", "clause"),
    [
        ("import torch\n", "imports", "imports PyTorch"),
        ("def f():\n    from torch.nn import functional as F\n", "imports", "imports PyTorch"),
        ("import torch.nn.functional as F\n", "imports", "imports PyTorch"),
        ('weights = mx.load("pytorch_model.safetensors")\n', "weights", '"pytorch_model.safetensors"'),
        ("path = folder / 'model.pth'\n", "weights", "'model.pth'"),
        ('name = "checkpoints/last.ckpt"\n', "weights", '"checkpoints/last.ckpt"'),
        ("# As in the Torch original.\n", "words", "speaks of PyTorch"),
        ('"""A port of a PyTorch model."""\n', "words", "speaks of PyTorch"),
        ("# https://github.com/x/y/modeling_llama.py\n", "words", "`modeling_llama.py`"),
    ],
)
def test_signs_in_a_text(text: str, kind: str, clause: str) -> None:
    sign = in_text(text)
    assert sign is not None
    assert sign.kind == kind
    assert clause in sign.clause


@pytest.mark.parametrize(
    "text",
    [
        "",
        MLX,
        'weights = mx.load("model.safetensors")\n',
        "# See modeling_tf_llama.py and modeling_flax_llama.py.\n",
        'name = "model.ptx"\n',
        "import jax\n",
    ],
)
def test_texts_without_signs(text: str) -> None:
    assert in_text(text) is None


def test_the_surest_sign_is_told() -> None:
    sign = in_text('# PyTorch\nimport torch\nweights = torch.load("model.pt")\n')
    assert sign is not None
    assert sign.kind == "imports"


def test_an_importer_that_imports_pytorch_too() -> None:
    sign = around(MLX, [("tools/plain.py", "import model\n"), ("tools/parity.py", "import model\nimport torch\n")], [])
    assert sign is not None
    assert (sign.kind, sign.clause) == ("importer", "`parity.py` imports it and PyTorch")


def test_a_twin_beside_the_file() -> None:
    sign = around(MLX, [], [("src/other.py", "import torch\nclass Other(nn.Module): pass\n"), ("src/ref.py", TORCH)])
    assert sign is not None
    assert (sign.kind, sign.clause) == ("twin", "`ref.py` has a `Block` of PyTorch's")


def test_neighbours_that_show_nothing() -> None:
    assert around(MLX, [("use.py", "import model\n")], [("same.py", MLX)]) is None
    assert around("x = 1\n", [], [("ref.py", TORCH)]) is None
    assert around("class Block:\n    pass\n", [], [("ref.py", TORCH)]) is None  # a class without bases is no twin


@pytest.mark.parametrize(
    ("neighbour", "severity", "clause"),
    [
        ("reference.py", "warning", "(`reference.py` has a `Net` of PyTorch's)"),
        ("parity.py", "warning", "(`parity.py` imports it and PyTorch)"),
        (None, "info", "PyTorch's always does"),
    ],
)
def test_a_sign_makes_a_note_a_warning(tmp_path: Path, neighbour: str | None, severity: str, clause: str) -> None:
    head = "import mlx.nn as nn\nimport mlx.optimizers as optim\n\n\n"
    text = head + "class Net(nn.Module):\n    pass\n\n\noptimizer = optim.Adam(1e-3)\n"
    (tmp_path / "model.py").write_text(text, encoding="utf-8")
    if neighbour is not None:
        twin = "import torch\n\n\nclass Net(torch.nn.Module): ...\n"
        other = "import mlx.core as mx\nimport torch\nimport model\n" if "parity" in neighbour else twin
        (tmp_path / neighbour).write_text(other, encoding="utf-8")
    result = CliRunner().invoke(cli, ["check", "--no-cache", "--output-format", "json", str(tmp_path)])
    found = [each for each in json.loads(result.stdout) if each["name"] == "uncorrected-adam"]
    assert [each["severity"] for each in found] == [severity]
    assert clause in found[0]["message"]
