"""The imports that fixes add: where they go, under which name, and that they are made once."""

from __future__ import annotations

import ast

import pytest
from conftest import Lint

from mlxlint.fix import fix
from mlxlint.source import Source

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
