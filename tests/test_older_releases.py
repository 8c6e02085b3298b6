"""What only older releases do: found where the project is to run on them, and nowhere else."""

from __future__ import annotations

import pytest

from mlxlint.engine import Analysis
from mlxlint.registry import rules
from mlxlint.rule import Skipped
from mlxlint.source import Source
from mlxlint.target import NEWEST, target

HEAD = """\
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

x = mx.array([1.0, 2.0, 3.0])
i = mx.array([1, 2, 3])
"""


def names(text: str, mlx: str | None = None) -> set[str]:
    analysis = Analysis(list(rules().values()), target_mlx=mlx)
    return {finding.name for finding in analysis.lint(Source("example.py", HEAD + text))}


@pytest.mark.parametrize(
    ("line", "last", "since", "name"),
    [
        ("x[x > 2] = 0", "0.29.4", "0.30.0", "unsupported-index"),
        ("x[[True, False, True]] = 0", "0.30.0", "0.30.6", "unsupported-index"),
        ("x[i.size > 2] = 0", "0.30.0", "0.30.6", "unsupported-index"),
        ("y = x[np.int32(1):]", "0.31.1", "0.31.2", "unsupported-index"),
        ("x[...] = 1", "0.32.0", "0.32.2", "unsupported-index"),
        ("y = [1, 2, 3][mx.argmax(x)]", "0.32.2", "0.32.4", "unsupported-index"),
        ("y = range(i.max())", "0.32.2", "0.32.4", "unsupported-index"),
        ('y = mx.pad(x, 1, mode="reflect")', "0.32.0", "0.32.2", "unknown-option"),
        ("try:\n    mx.eval(mx.linalg.inv(x))\nexcept RuntimeError:\n    pass", "0.32.0", "0.32.2", "error-after-try"),
        ("y = x[np.argmax(np.ones(3)) :]", "0.31.1", "0.31.2", "unsupported-index"),
        ("y = (i - 2) // 2", "0.32.2", "0.32.4", "integer-operator-limit"),
        ("y = i // (i > 1).sum()", "0.32.2", "0.32.4", "integer-operator-limit"),
        ("y = mx.array([2**31, 5])", "0.32.0", "0.32.2", "constant-out-of-range"),
        ("y = x.astype(mx.bfloat16).sum()", "0.32.2", "0.32.4", "half-precision-sum"),
        ("y = nn.losses.nll_loss(x, i, axis=1)", "0.31.2", "0.32.0", "differing-formula"),
        ("y = nn.losses.cross_entropy(x, i, axis=1)", "0.29.0", "0.29.4", "differing-formula"),
        ("y = nn.losses.triplet_loss(x, x, x, p=1)", "0.31.2", "0.32.0", "differing-formula"),
        ("y = nn.GRU(2, 3)", "0.31.1", "0.31.2", "differing-formula"),
        ("y = nn.TransformerDecoderLayer(4, 2, norm_first=False)", "0.31.1", "0.31.2", "differing-formula"),
        ("y = nn.log_softmax(x)", "0.32.0", "0.32.2", "differing-formula"),
        ("y = nn.Conv2d(8, 8, 3, groups=8)", "0.32.2", "0.32.4", "differing-formula"),
        ("mx.float16\ny, _ = optim.clip_grad_norm({}, 1.0)", "0.32.2", "0.32.4", "differing-formula"),
        ("nn.Conv2d(3, 8, 3)\ny = optim.Adafactor(1e-3, relative_step=False)", "0.31.2", "0.32.0", "differing-formula"),
        ("y = optim.SGD(0.1, weight_decay=0.1)", "0.32.2", "0.32.4", "differing-formula"),
        ('nn.Linear(2, 2).load_weights(mx.load("w.npz"))', "0.27.1", "0.28.0", "load-weights-argument"),
    ],
)
def test_hazard_of_older_releases(line: str, last: str, since: str, name: str) -> None:
    assert name in names(line, f"=={last}")
    assert name in names(line, f">={last}")
    assert name not in names(line, f">={since}")
    assert name not in names(line)


@pytest.mark.parametrize(
    ("line", "last", "name"),
    [
        ("y = nn.HardShrink(0.3)", "0.31.2", "surplus-argument"),
        ("y = nn.Upsample(2.0, antialias=True)", "0.32.0", "unknown-keyword"),
    ],
)
def test_arguments_that_a_release_does_not_take(line: str, last: str, name: str) -> None:
    assert name in names(line, f"=={last}")
    assert name not in names(line)


def test_zeros_are_written_over_safetensors_in_reach_of_an_older_release() -> None:
    text = 'model = nn.Linear(2, 2)\nmodel.load_weights("w.safetensors")\nmodel.save_weights("w.safetensors")'
    assert "saved-over-loaded-file" in names(text, ">=0.31.2")
    assert "saved-over-loaded-file" not in names(text)


def test_a_negative_power_hangs_older_releases() -> None:
    def messages(mlx: str | None) -> list[str]:
        found = Analysis(list(rules().values()), target_mlx=mlx).lint(Source("example.py", HEAD + "y = i**-1"))
        return [finding.message for finding in found if finding.name == "integer-operator-limit"]

    assert "never returns" in messages(">=0.31")[0]
    assert "never returns" not in messages(None)[0]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("unsupported-index", {"last": "0.30.0"}),
        ("integer-operator-limit", {"case": "older"}),
        ("constant-out-of-range", {"case": "older"}),
        ("half-precision-sum", {"operation": "sum"}),
        ("unknown-option", {"last": "0.32.0"}),
        ("error-after-try", {"last": "0.32.0"}),
        ("differing-formula", {"function": "older"}),
        ("load-weights-argument", {"kind": "a dict"}),
    ],
)
def test_reproductions_say_that_it_is_an_older_release(name: str, parameters: dict[str, str]) -> None:
    pytest.importorskip("mlx.core")
    rule = next(rule for rule in rules().values() if rule.name == name)
    assert rule.repro is not None
    with pytest.raises(Skipped, match=r"up to 0\.\d+"):
        rule.repro(**parameters)


def test_a_target_reaches_its_oldest_release() -> None:
    assert target("mlx", ">=0.30").reaches("0.30.0")
    assert not target("mlx", ">=0.32").reaches("0.31.2")
    assert not NEWEST.reaches("99.0")
