"""The imports that fixes add, where and under which name, and those that they leave without use."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest
from conftest import Lint

from mlxlint.fix import fix
from mlxlint.rule import Applicability, Confidence, Edit, Finding, Fix, Kind, Position, Severity
from mlxlint.source import Source

START = Position(1, 1)
FINDING = Finding(
    "MLX999", "some-rule", "message", "x.py", Severity.ERROR, Confidence.CERTAIN, Kind.CRASH, START, START, (0, 1)
)
READ = "x = mx.array([0.5, -1.0])\nkept = x[x > 0]\n"


def fixed(text: str, lint: Lint) -> str:
    result = fix(Source("example.py", text), lint(text), lambda changed: lint(changed.text), unsafe=True)
    ast.parse(result.source.text)
    assert result.stable
    return result.source.text


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("import mlx.core as mx\n", "import mlx.core as mx\nimport numpy as np\n"),
        ('"""Doc."""\n\nimport mlx.core as mx\n\n', '"""Doc."""\n\nimport mlx.core as mx\nimport numpy as np\n\n'),
        (
            "import mlx.core as mx  # arrays\nimport os\n",
            "import mlx.core as mx  # arrays\nimport os\nimport numpy as np\n",
        ),
        (
            "# coding: utf-8\nfrom __future__ import annotations\nimport mlx.core as mx\n",
            "# coding: utf-8\nfrom __future__ import annotations\nimport mlx.core as mx\nimport numpy as np\n",
        ),
        ("import numpy as np\nimport mlx.core as mx\n", "import numpy as np\nimport mlx.core as mx\n"),
    ],
)
def test_an_import_is_added_to_those_at_the_head_once(head: str, expected: str, lint: Lint) -> None:
    text = fixed(head + READ + READ, lint)
    assert text.startswith(expected + "x = mx.array")
    assert text.count("import numpy") == 1
    assert text.count("x[mx.array(np.flatnonzero(np.array(x > 0)))]") == 2


def test_the_name_in_use_is_used(lint: Lint) -> None:
    text = fixed("import numpy\nimport mlx.core as core\n" + READ.replace("mx.", "core."), lint)
    assert text.endswith("kept = x[core.array(numpy.flatnonzero(numpy.array(x > 0)))]\n")
    assert text.count("import") == 2


@pytest.mark.parametrize("line", ["np = 3\n", "def f(np): pass\n", "for np in range(3): pass\n", "class np: pass\n"])
def test_there_is_no_fix_where_the_name_means_something_else(line: str, lint: Lint) -> None:
    text = "import mlx.core as mx\n" + line + READ
    assert fixed(text, lint) == text


def test_a_file_without_imports_at_its_head(lint: Lint) -> None:
    text = fixed("VERSION = 1\nimport mlx.core as mx\n" + READ, lint)
    assert text.startswith("import numpy as np\nVERSION = 1\nimport mlx.core as mx\n")


def test_a_function_of_a_module_is_imported_by_name(lint: Lint) -> None:
    text = fixed("import mlx.nn as nn\n\nmodel = nn.Linear(2, 2)\nweights = model.state_dict()\n", lint)
    assert text.startswith("import mlx.nn as nn\nfrom mlx.utils import tree_flatten\n")
    assert text.endswith("weights = dict(tree_flatten(model.parameters()))\n")


HEADS = {  # before and after `F` lost its last use
    "import torch.nn.functional as F\n": "",
    "from torch.nn import functional as F, init\n": "from torch.nn import init\n",
    "from torch.nn import init, functional as F\n": "from torch.nn import init\n",
    "from torch.nn import (\r\n    functional as F,\r\n    init,\r\n)\r\n": (
        "from torch.nn import (\r\n    init,\r\n)\r\n"
    ),
    "from torch.nn import (\n    init,\n    functional as F,\n)\n": ("from torch.nn import (\n    init,\n)\n"),
    "x\u00e4 = '\u4e16'\nfrom torch.nn import functional as F, init as x\u00e4\n": (
        "x\u00e4 = '\u4e16'\nfrom torch.nn import init as x\u00e4\n"
    ),
}
KEPT = [
    "import mlx.core as mx\nimport torch.nn.functional as F  # noqa: F401\n",
    "import mlx.core as mx\n# why\nimport torch.nn.functional as F; y = 1\n",
    "import mlx.core as mx\ntry:\n    import torch.nn.functional as F\nexcept ImportError:\n    pass\n",
    "import mlx.core as mx\nimport torch.nn.functional as F\n__all__ = ['F']\n",
    "import mlx.core as mx\nimport torch.nn.functional as F\n\n\ndef f(x: 'F.Tensor'):\n    return x\n\n\n",
    "import mlx.core as mx\nimport torch.nn.functional as F\nF = F.relu\n",
]


def without_last_use(head: str, path: str = "example.py") -> str:
    """What fixing makes of a file when a fix replaces its one use of ``F``."""

    def lint(source: Source) -> list[Finding]:
        at = source.text.find("F.softmax")
        edits = () if at < 0 else (Edit(at, at + len("F"), "mx"),)
        return [replace(FINDING, offsets=(at, at + 1), fix=Fix("do it", Applicability.SAFE, edits))] if edits else []

    source = Source(path, head + "y = F.softmax(x, axis=-1)\n")
    result = fix(source, lint(source), lint)
    assert result.stable
    assert result.source.text.endswith("y = mx.softmax(x, axis=-1)\n")
    return result.source.text.removesuffix("y = mx.softmax(x, axis=-1)\n")


@pytest.mark.parametrize("head", HEADS)
def test_an_import_that_lost_its_last_use_goes(head: str) -> None:
    core = "import mlx.core as mx\r\n" if "\r" in head else "import mlx.core as mx\n"
    assert without_last_use(core + head) == core + HEADS[head]


@pytest.mark.parametrize("head", KEPT)
def test_an_import_that_may_have_another_use_stays(head: str) -> None:
    assert without_last_use(head) == head


def test_imports_that_had_no_use_before_stay() -> None:
    head = "import os\nimport mlx.core as mx\n"
    assert without_last_use(head) == head


def test_imports_of_a_package_are_for_others() -> None:
    head = "import mlx.core as mx\nimport torch.nn.functional as F\n"
    assert without_last_use(head, "pkg/__init__.py") == head
