"""``mlxlint probe``: surface checks, a local model made on the spot, the table, JSON, exit codes and recording."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mlxlint import evidence
from mlxlint.evidence import Run, Seen
from mlxlint.rule import Rule, Verification
from mlxlint.verify import Place, VerifyError, probe
from mlxlint.verify import command as command_module
from mlxlint.verify.command import probe_command
from mlxlint.verify.local_model import CHECKS as MODEL_CHECKS
from mlxlint.verify.mlx_lm_surface import CHECKS as LM_CHECKS
from mlxlint.verify.mlx_surface import CHECKS as MLX_CHECKS
from mlxlint.verify.pool import Facts, Task
from mlxlint.verify.probe import Outcome, Report, Statement, expected

pytest.importorskip("mlx.core")

FACTS = Facts("cpu", "9.9", None, "Linux-x86_64")
NO_RULES: Mapping[str, Rule] = {}


@pytest.fixture(scope="module")
def surface() -> Report:
    """All surface checks, run once for this module."""
    return probe("cpu", known=NO_RULES)


def test_every_surface_check_holds_or_says_why_it_cannot_run(surface: Report) -> None:
    seen = {outcome.key: outcome.verification for outcome in surface.outcomes}
    assert seen.keys() == MLX_CHECKS.keys() | LM_CHECKS.keys()
    assert {key: one for key, one in seen.items() if one.status not in ("confirmed", "skipped")} == {}
    skipped = {one.reason for one in seen.values() if one.status == "skipped"}
    assert all(reason and reason.endswith(("needs Metal", "is not installed")) for reason in skipped)


def test_a_statement_that_is_no_longer_so_is_refuted(tmp_path: Path) -> None:
    """An MLX that has lost a function, as another release might have."""
    (tmp_path / "mlx").mkdir()
    import mlx.core

    (tmp_path / "mlx" / "core.py").write_text(
        "import importlib.machinery, importlib.util, sys\n"
        f"loader = importlib.machinery.ExtensionFileLoader('mlx.core', {mlx.core.__file__!r})\n"
        "core = importlib.util.module_from_spec(importlib.util.spec_from_loader('mlx.core', loader))\n"
        "loader.exec_module(core)\n"
        "sys.modules['mlx.core'] = core\n"
        "del core.full_like, core.bartlett\n"
    )
    report = probe(known=NO_RULES, packages=["mlx"], place=Place("cpu", site=(str(tmp_path),)))
    assert {outcome.key for outcome in report.outcomes} == set(MLX_CHECKS)
    assert report.run.mlx_lm is None
    refuted = {outcome.key: outcome for outcome in report.outcomes if outcome.verification.status != "confirmed"}
    assert refuted["full-like-exists"].verification.status == "refuted"
    assert refuted["bartlett-as-numpy"].text == "module 'mlx.core' has no attribute 'bartlett'"
    assert set(report.deviations) >= {refuted["full-like-exists"], refuted["bartlett-as-numpy"]}


def make_tiny_model(folder: Path) -> Path:
    """A Llama of two layers with random weights, in the files that MLX-LM reads."""
    np = pytest.importorskip("numpy")
    save_file = pytest.importorskip("safetensors.numpy").save_file
    tokenizers = pytest.importorskip("tokenizers")
    pytest.importorskip("mlx_lm")
    words = ["<unk>", "<s>", "</s>", "hello", *(f"w{number}" for number in range(60))]
    hidden, inner, heads, pairs, width = 32, 64, 2, 1, 16
    config = {
        "model_type": "llama", "hidden_size": hidden, "num_hidden_layers": 2, "intermediate_size": inner,
        "num_attention_heads": heads, "num_key_value_heads": pairs, "head_dim": width, "rms_norm_eps": 1e-5,
        "vocab_size": len(words), "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip
    projections = {
        "self_attn.q_proj": (heads * width, hidden), "self_attn.k_proj": (pairs * width, hidden),
        "self_attn.v_proj": (pairs * width, hidden), "self_attn.o_proj": (hidden, heads * width),
        "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner),
    }  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens": (64, hidden),
        "lm_head": (64, hidden),
        "model.norm": (hidden,),
    }
    for layer in range(2):
        start = f"model.layers.{layer}."
        shapes |= {start + name: shape for name, shape in projections.items()}
        shapes |= {start + name: (hidden,) for name in ("input_layernorm", "post_attention_layernorm")}
    random = np.random.default_rng(0)
    weights = {f"{name}.weight": random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "mlx"})
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(special))
    return folder


def test_a_local_model_is_run(tmp_path: Path) -> None:
    report = probe("cpu", known=NO_RULES, packages=[], model=str(make_tiny_model(tmp_path)))
    assert {
        outcome.key: (outcome.verification.status, outcome.text) for outcome in report.outcomes if outcome.deviates
    } == {}
    assert {outcome.key for outcome in report.outcomes} == set(MODEL_CHECKS)
    texts = {outcome.key: outcome.text for outcome in report.outcomes}
    assert texts["model-stream-generate"].startswith("3 x GenerationResponse")
    assert texts["model-prompt-cache"] == "2 caches: KVCache; 4 arrays"
    assert texts["model-generation-stream"].startswith("own stream: True, async_eval ")


def stated(key: str, status: str, wanted: str = "confirmed", package: str = "mlx") -> Outcome:
    return Outcome(key, "surface", f"about {key}", package, Verification(status, "cpu", "9.9", f"[{key}] seen"), wanted)


def invoke(
    monkeypatch: pytest.MonkeyPatch, report: Report, *arguments: str, **environment: str
) -> tuple[Result, dict[str, Any]]:
    """Run the command on outcomes given; also what it asked for."""
    asked: dict[str, Any] = {}

    def given(**options: Any) -> Report:
        asked.update(options)
        return report

    monkeypatch.setattr(command_module, "probe", given)
    return CliRunner(env=environment).invoke(probe_command, arguments), asked


def test_all_as_recorded_is_exit_code_0(monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report(FACTS, [stated("a", "confirmed"), stated("b", "skipped"), stated("c", "refuted", "refuted")])
    result, _ = invoke(monkeypatch, report)
    assert result.exit_code == 0
    assert "MLX 9.9, MLX-LM not installed, cpu on Linux-x86_64" in result.output
    assert "1 confirmed, 1 refuted, 0 inconclusive, 1 skipped" in result.output
    assert "about a" in result.output
    assert "[a] seen" in result.output


@pytest.mark.parametrize(
    ("status", "wanted"), [("refuted", "confirmed"), ("inconclusive", "confirmed"), ("confirmed", "refuted")]
)
def test_a_deviation_is_exit_code_1(monkeypatch: pytest.MonkeyPatch, status: str, wanted: str) -> None:
    result, _ = invoke(monkeypatch, Report(FACTS, [stated("a", "confirmed"), stated("b", status, wanted)]))
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == f"b: {status}, expected {wanted}: [b] seen"


def test_json(monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = invoke(monkeypatch, Report(FACTS, [stated("a", "refuted")]), "--output-format", "json")
    data = json.loads(result.output)
    assert (data["mlx"], data["device"], data["platform"]) == ("9.9", "cpu", "Linux-x86_64")
    (outcome,) = data["outcomes"]
    assert (outcome["key"], outcome["status"], outcome["deviates"], outcome["evidence"]) == (
        "a",
        "refuted",
        True,
        "[a] seen",
    )


def test_options_reach_the_probe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = Report(FACTS, [])
    _, asked = invoke(
        monkeypatch, report, "--device", "cuda", "--python", "/some/python", MLX_LM_LOCAL_MODEL=str(tmp_path)
    )
    assert (asked["model"], asked["place"].device, asked["place"].python) == (str(tmp_path), "cuda", "/some/python")
    result, _ = invoke(monkeypatch, report, "--model", str(tmp_path / "none"))
    assert result.exit_code == 2


@pytest.mark.parametrize(
    "option", ["--python=/nowhere/python", f"--device={'cuda' if sys.platform == 'darwin' else 'metal'}"]
)
def test_what_is_missing_is_exit_code_2(option: str) -> None:
    result = CliRunner().invoke(probe_command, [option])
    assert result.exit_code == 2
    assert result.output.startswith("mlxlint: ")
    assert result.output.count("\n") == 1


def test_those_selected_are_run() -> None:
    pytest.importorskip("mlx.core")
    report = probe("cpu", select=["MLX102", "boolean-mask-read", "lm-ex", "nbytes"])
    assert [outcome.key for outcome in report.outcomes] == ["MLX101", "MLX102", "nbytes", "lm-exports"]
    with pytest.raises(VerifyError, match="nothing to run is called `no-such`, `model-`"):
        probe("cpu", select=["nbytes", "no-such", "model-"])


def test_recording_merges(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    invoke(monkeypatch, Report(FACTS, [stated("a", "confirmed"), stated("b", "refuted")]), "--record", str(path))
    later = Facts("metal", "9.10", "1.0", "Darwin-arm64")
    invoke(
        monkeypatch,
        Report(later, [stated("a", "confirmed"), stated("lm", "confirmed", package="mlx-lm")]),
        "--record",
        str(path),
    )
    invoke(monkeypatch, Report(FACTS, [stated("a", "inconclusive")]), "--record", str(path))
    first, second = Run("9.9", None, "Linux-x86_64", "cpu"), Run("9.10", "1.0", "Darwin-arm64", "metal")
    assert evidence.read(path) == {
        "a": {first: Seen(first, "inconclusive", "[a] seen"), second: Seen(second, "confirmed", "[a] seen")},
        "b": {first: Seen(first, "refuted", "[b] seen")},  # the last run did not ask for it
        "lm": {second: Seen(second, "confirmed", "[lm] seen")},
    }


def test_the_record_says_what_is_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen on the same platform and device, else on another; other releases and skipped runs do not count."""
    mac, same = Run("9.9", None, "Darwin-arm64", "metal"), Run("9.9", None, FACTS.platform, FACTS.device)
    other = Run("9.8", None, FACTS.platform, FACTS.device)
    seen: evidence.Records = {
        "both": {mac: Seen(mac, "confirmed", ""), same: Seen(same, "refuted", "")},
        "elsewhere": {mac: Seen(mac, "refuted", ""), same: Seen(same, "skipped", "")},
        "before": {other: Seen(other, "refuted", "")},
    }
    monkeypatch.setattr(evidence, "recorded", lambda: seen)
    wanted = {key: expected(Statement(key, "surface", "", "mlx", Task("", "")), FACTS) for key in (*seen, "new")}
    assert wanted == {"both": "refuted", "elsewhere": "refuted", "before": "confirmed", "new": "confirmed"}
