from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from conftest import HAZARD, PORTED

from mlxlint import cli as command_line
from mlxlint import contents
from mlxlint.cli import cli
from mlxlint.report import FORMATS
from mlxlint.rule import Confidence, Rule, Severity, Verification
from mlxlint.verify import DeviceUnavailable, MlxMissing

CONCISE = ("--output-format", "concise")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with one file that has a hazard on row 4 and one that has none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.py").write_text(HAZARD, encoding="utf-8")
    (tmp_path / "good.py").write_text(PORTED, encoding="utf-8")
    return tmp_path


def lint(*arguments: str, input: str | None = None) -> Result:
    """Run in this process, with usage errors raised as they reach ``main``."""
    result = CliRunner().invoke(cli, arguments, input=input, standalone_mode=False)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    result.exit_code = result.return_value if result.exit_code == 0 and result.return_value else result.exit_code
    return result


def refused(*arguments: str, input: str | None = None) -> str:
    """The one line with which a command line is refused."""
    with pytest.raises(command_line.click.ClickException) as error:
        lint(*arguments, input=input)
    message = error.value.format_message()
    assert "\n" not in message
    return message


def process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlxlint", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


def places(result: Result) -> list[str]:
    return [line.partition(" ")[0] for line in result.stdout.splitlines()]


# Commands


def test_check_is_the_command_when_none_is_named(tree: Path) -> None:
    runs = [lint(*arguments, *CONCISE) for arguments in (("check", "."), (".",), ("check",), ("./bad.py",))]
    assert {run.stdout for run in runs} == {runs[0].stdout}
    assert [run.exit_code for run in runs] == [1] * 4
    assert places(runs[0]) == ["bad.py:4:8:"]


def test_options_may_come_before_paths(tree: Path) -> None:
    assert places(lint("--select", "MLX1", ".", *CONCISE)) == ["bad.py:4:8:"]


def test_version() -> None:
    assert lint("--version").stdout == "mlxlint 0.1.0\n"


def test_a_misspelt_command() -> None:
    assert refused("rul") == "no such command or file: rul (did you mean `rule`?)"


def test_the_choices_shown_are_those_there_are() -> None:
    assert command_line.FORMATS == FORMATS
    assert set(command_line.SEVERITIES) == {severity.value for severity in Severity}
    assert set(command_line.CONFIDENCES) == {confidence.value for confidence in Confidence}


def test_help_lists_every_command() -> None:
    assert all(f"\n  {name} " in lint("--help").stdout for name in ("check", "rule", "probe"))


# Exit codes


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("good.py",), 0),
        (("bad.py",), 1),
        (("bad.py", "--exit-zero"), 0),
        (("bad.py", "--fail-on", "error"), 1),
        (("bad.py", "--ignore", "boolean-mask-read"), 0),
        (("bad.py", "--per-file-ignores", "b*.py:MLX0,MLX1"), 0),
        (("good.py", "nosuch.py"), 2),
        (("nosuch.py", "--exit-zero"), 2),
        (("empty",), 0),
    ],
)
def test_exit_codes(tree: Path, arguments: tuple[str, ...], code: int) -> None:
    (tree / "empty").mkdir()
    assert lint(*arguments).exit_code == code


def test_fail_on_compares_severities(tree: Path) -> None:
    (tree / "mlxlint.toml").write_text('[severity]\nMLX101 = "info"', encoding="utf-8")
    assert [lint("bad.py", "--fail-on", level).exit_code for level in ("error", "warning", "info")] == [0, 0, 1]


def test_a_rule_that_raises_is_exit_code_2_and_costs_no_other_finding(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlxlint import registry

    def visit_Subscript(self: Rule, node: object, context: object) -> None:
        raise RuntimeError("broken")

    other = next(r for r in registry.rules().values() if "Subscript" in r.triggers() and r.code != "MLX101")
    monkeypatch.setattr(type(other), "visit_Subscript", visit_Subscript)
    result = lint("bad.py", *CONCISE)
    assert result.exit_code == 2
    assert places(result) == ["bad.py:1:1:", "bad.py:4:8:"]
    assert "MLX002" in result.stdout


# Bad input


def test_problems_are_told_and_everything_else_is_reported(tree: Path) -> None:
    (tree / "broken.py").write_text("import mlx\n(", encoding="utf-8")
    result = lint("nosuch.py", ".", *CONCISE)
    assert places(result) == ["bad.py:4:8:", "broken.py:2:1:"]
    assert result.stderr == "mlxlint: error: nosuch.py: No such file or directory\n"
    assert result.exit_code == 2


def test_a_folder_without_python(tree: Path) -> None:
    (tree / "empty").mkdir()
    assert "warning: no Python files found: empty" in lint("empty").stderr


@pytest.mark.parametrize("text", ["nonsense = 1", "[[", 'select = ["nosuch"]'])
def test_a_bad_config(tree: Path, text: str) -> None:
    (tree / "mlxlint.toml").write_text(text, encoding="utf-8")
    result = lint(".")
    assert result.exit_code == 2
    assert result.stderr.startswith("mlxlint: error: mlxlint.toml: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--select", "nosuch"), "--select: unknown rule `nosuch`"),
        (("--config", "nosuch.toml"), "nosuch.toml: No such file or directory"),
        (("--isolated", "--config", "c.toml"), "exclude each other"),
        (("--show-files", "--show-settings"), "--show-files and --show-settings exclude each other"),
        (("--add-ignores", "--write-baseline", "b.json"), "exclude each other"),
        (("-", "good.py"), "exclude each other"),
        (("good.py", "--stdin-filename", "a.py"), "exclude each other"),
        (("-", "--add-ignores"), "cannot write to stdin"),
        (("--baseline", "nosuch.json"), "nosuch.json: No such file or directory"),
        (("--per-file-ignores", "tests"), "expected GLOB:RULE"),
        (("--statistics", "--output-format", "sarif"), "no statistics"),
        (("--jobs", "0"), "not in the range"),
        (("--output-format", "xml"), "is not one of"),
        (("--target-mlx", "new"), "--target-mlx: expected a version"),
        (("--output-file", "bad.py/report.txt"), "bad.py"),
        (("--nosuch",), "No such option"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(tree: Path, arguments: tuple[str, ...], message: str) -> None:
    assert message in refused("check", *arguments, input="")


def test_a_refusal_is_exit_code_2(tree: Path) -> None:
    result = process("check", "--select", "nosuch", cwd=tree)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "mlxlint: error: --select: unknown rule `nosuch`\n"


def test_a_failure_of_the_tool_is_exit_code_2(tree: Path) -> None:
    script = "from mlxlint import cli; cli._Check.run = None; import sys; sys.argv = ['mlxlint', '.']; cli.main()"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.endswith("please report it: https://github.com/mlxlint/mlxlint/issues\n")


@pytest.mark.skipif(os.name != "posix", reason="pipes differ")
def test_a_closed_pipe_is_no_failure(tree: Path) -> None:
    (tree / "bad.py").write_text(HAZARD + "kept = x[x > 0]\n" * 1000, encoding="utf-8")
    command = [sys.executable, "-m", "mlxlint", "bad.py", *CONCISE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline().startswith("bad.py:4:8:")
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode == 1


@pytest.mark.skipif(os.name != "posix", reason="shells differ")
@pytest.mark.parametrize(
    ("redirected", "code", "said"),
    [
        (">&-", 1, ""),
        (">&- 2>&-", 1, ""),
        pytest.param(
            "> /dev/full", 2, "mlxlint: error: standard output: No space left on device\n",
            marks=pytest.mark.skipif(not os.path.exists("/dev/full"), reason="has no /dev/full"),
        ),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("tree")
def test_where_nothing_can_be_written(redirected: str, code: int, said: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m mlxlint bad.py --no-cache {redirected}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)


def test_a_path_that_cannot_be_read_costs_no_other(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(path: object, *arguments: Any) -> Any:
        if str(path).endswith("good.py"):
            raise PermissionError(13, "Permission denied")
        return open(path, *arguments)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(contents, "open", opened, raising=False)
    result = lint("good.py", "bad.py", *CONCISE, "--no-cache")
    assert (result.exit_code, result.stderr) == (2, "mlxlint: error: good.py: Permission denied\n")
    assert result.stdout.startswith("bad.py:4:8: MLX101")


# Startup


def imported(*arguments: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "mlxlint", *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = result.stderr.splitlines()
    return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}


def test_nothing_is_said_of_escapes_in_the_strings_of_linted_code(tree: Path) -> None:
    (tree / "bad.py").write_text(HAZARD + 'names = {"\\i": 1}\nprint(names["\\i"])\n', encoding="utf-8")
    command = [sys.executable, "-W", "always", "-m", "mlxlint", "check", "--no-cache", "bad.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "invalid escape" not in done.stderr


def test_an_end_of_input_that_nobody_asked_for_is_no_interrupt() -> None:
    code = "import sys, mlxlint.files\ndef ends(*_): raise EOFError\nmlxlint.files.collect = ends\n"
    run = f"{code}from mlxlint.cli import main\nsys.argv[1:] = ['check', '.']\nmain()"
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "EOFError" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("mlxlint: error: internal error")


def test_version_imports_click_and_the_standard_library() -> None:
    modules = {name.partition(".")[0] for name in imported("--version")} - sys.stdlib_module_names
    assert "click" in modules
    assert not modules & {"libcst", "rich", "pygments", "pathspec", "mlx"}


def test_a_run_without_findings_imports_nothing_for_terminals(tree: Path) -> None:
    modules = imported("good.py", "--output-format", "json")
    assert "libcst" in modules
    assert not {name.partition(".")[0] for name in modules} & {"rich", "pygments", "mlx"}


# stdin


@pytest.mark.parametrize(
    ("arguments", "name"),
    [(("-",), "-"), (("-", "--stdin-filename", "a.py"), "a.py"), (("check", "--stdin-filename", "a.py"), "a.py")],
)
def test_stdin(tree: Path, arguments: tuple[str, ...], name: str) -> None:
    result = lint(*arguments, *CONCISE, input=HAZARD)
    assert (places(result), result.exit_code) == ([f"{name}:4:8:"], 1)


def test_stdin_has_the_settings_of_its_name(tree: Path) -> None:
    (tree / "sub").mkdir()
    (tree / "sub" / "mlxlint.toml").write_text('exclude = ["gen.py"]\nignore = ["MLX1"]', encoding="utf-8")
    assert lint("-", "--stdin-filename", "sub/a.py", input=HAZARD).exit_code == 0
    assert lint("-", "--stdin-filename", "sub/gen.py", input="import mlx\n(").exit_code == 0
    assert lint("-", "--stdin-filename", "sub/b.py", input="import mlx\n(").exit_code == 1


def test_stdin_without_usable_config(tree: Path) -> None:
    (tree / "mlxlint.toml").write_text("nonsense = 1", encoding="utf-8")
    assert lint("-", input=HAZARD).exit_code == 2


# Output


def test_output_file(tree: Path) -> None:
    result = lint("bad.py", "--output-format", "json", "--output-file", "reports/r.json")
    assert (result.stdout, result.exit_code) == ("", 1)
    assert [f["code"] for f in json.loads((tree / "reports" / "r.json").read_text(encoding="utf-8"))] == ["MLX101"]


def test_output_format_of_the_config(tree: Path) -> None:
    (tree / "mlxlint.toml").write_text('output-format = "json"', encoding="utf-8")
    assert json.loads(lint("bad.py").stdout)[0]["location"] == {"row": 4, "column": 8}
    assert places(lint("bad.py", *CONCISE)) == ["bad.py:4:8:"]


def test_statistics(tree: Path) -> None:
    (counts,) = json.loads(lint(".", "--statistics", "--output-format", "json").stdout)
    assert (counts["code"], counts["count"]) == ("MLX101", 1)


def test_show_files(tree: Path) -> None:
    result = lint(".", "--show-files")
    assert (result.stdout, result.exit_code) == ("bad.py\ngood.py\n", 0)


def test_show_settings(tree: Path) -> None:
    (tree / "mlxlint.toml").write_text('fail-on = "info"', encoding="utf-8")
    result = lint("bad.py", "--show-settings", "--min-confidence", "certain")
    assert result.stdout.startswith("# mlxlint.toml\n")
    assert 'fail-on = "info"\n' in result.stdout
    assert 'min-confidence = "certain"\n' in result.stdout


# Adopting it on old code


def test_a_baseline_leaves_only_what_is_new(tree: Path) -> None:
    written = lint(".", "--write-baseline", "known.json")
    assert (written.exit_code, written.stdout) == (0, "")
    assert written.stderr == "mlxlint: note: recorded 1 finding in known.json\n"
    assert lint(".", "--baseline", "known.json").exit_code == 0
    (tree / "bad.py").write_text("# moved\n" + HAZARD + "other = x[x < 0]\n", encoding="utf-8")
    assert places(lint(".", "--baseline", "known.json", *CONCISE)) == ["bad.py:6:9:"]


def test_a_stale_baseline_is_noted(tree: Path) -> None:
    lint(".", "--write-baseline", "known.json")
    (tree / "bad.py").write_text(PORTED, encoding="utf-8")
    (tree / "mlxlint.toml").write_text('baseline = "known.json"', encoding="utf-8")
    result = lint(".")
    assert result.exit_code == 0
    assert "1 finding on record" in result.stderr


def test_add_ignores_then_nothing_is_found(tree: Path) -> None:
    (tree / "bad.py").write_bytes(b"# coding: latin-1\r\n# \xe9\r\n" + HAZARD.replace("\n", "\r\n").encode())
    result = lint(".", "--add-ignores")
    assert (result.exit_code, result.stderr) == (0, "mlxlint: note: suppressed 1 finding\n")
    written = (tree / "bad.py").read_bytes()
    assert b"# \xe9\r\n" in written
    assert written.endswith(b"x[x > 0]  # mlxlint: ignore[boolean-mask-read]\r\n")
    assert lint(".").exit_code == 0
    assert lint(".", "--add-ignores").stderr == "mlxlint: note: suppressed 0 findings\n"


# Verification


def test_verify_sets_what_is_reported(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from mlxlint import verify

    def refute(findings: list[Any], device: str) -> list[Any]:
        return [replace(finding, verification=Verification("refuted", device, "9.9")) for finding in findings]

    monkeypatch.setattr(verify, "verify", refute)
    result = lint("bad.py", "--verify", "--device", "cpu", "--output-format", "json", "--fail-on", "info")
    assert json.loads(result.stdout)[0]["verification"]["device"] == "cpu"
    assert result.exit_code == 0


@pytest.mark.parametrize("error", [MlxMissing("MLX is not installed"), DeviceUnavailable("there is no Metal here")])
def test_verify_where_it_cannot_be_done(tree: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    from mlxlint import verify

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(verify, "verify", refuse)
    monkeypatch.setattr(verify, "run_one", refuse)
    assert refused("bad.py", "--verify") == str(error)
    assert refused("rule", "MLX101", "--repro", "--run") == str(error)


# rule


@pytest.mark.parametrize("name", ["MLX101", "mlx101", "boolean-mask-read"])
def test_a_rule_explained(name: str) -> None:
    text = lint("rule", name).stdout
    assert text.startswith("# boolean-mask-read (MLX101)\n")
    assert "## Example" in text


def test_rules_as_json() -> None:
    one = json.loads(lint("rule", "MLX001", "--output-format", "json").stdout)
    every = json.loads(lint("rule", "--all", "--output-format", "json").stdout)
    assert one in every
    assert one["name"] == "syntax-error"
    assert set(one) == {
        "aliases", "code", "documentation", "fixable", "kind", "name", "severity", "summary", "url", "verifiable",
    }  # fmt: skip


def test_all_rules_listed_and_explained() -> None:
    lines = lint("rule").stdout.splitlines()
    assert "MLX001  syntax-error: A file that is not Python" in lines
    pages = lint("rule", "--all").stdout
    assert all(f"# {line.split()[1].rstrip(':')} ({line.split()[0]})\n" in pages for line in lines)


def test_a_reproduction_printed_and_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlxlint import verify

    status = "confirmed"
    monkeypatch.setattr(verify, "run_one", lambda rule, parameters, device: Verification(status, device, "9.9", "seen"))
    printed = lint("rule", "MLX101", "--repro").stdout
    assert printed.startswith("@staticmethod\ndef repro(")
    result = lint("rule", "MLX101", "--repro", "--run", "--device", "cpu")
    assert (result.stdout, result.exit_code) == (printed + "confirmed on cpu, MLX 9.9: seen\n", 0)
    status = "refuted"
    assert lint("rule", "MLX101", "--repro", "--run").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bolean-mask-read",), "no such rule: bolean-mask-read (did you mean `boolean-mask-read`?)"),
        (("MLX101", "--all"), "RULE and --all exclude each other"),
        (("MLX101", "--run"), "--run goes with --repro"),
        (("--repro",), "--repro needs a RULE"),
        (("MLX001", "--repro"), "MLX001 (syntax-error) has no reproduction"),
    ],
)
def test_rule_refusals(arguments: tuple[str, ...], message: str) -> None:
    assert refused("rule", *arguments) == message
