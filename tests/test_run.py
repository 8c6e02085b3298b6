from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from conftest import HAZARD, PORTED

from mlxlint import checker, run, workers
from mlxlint.config import Configuration
from mlxlint.files import File, collect
from mlxlint.rule import Finding, Severity

forked = pytest.mark.skipif(sys.platform != "linux", reason="what is patched here reaches forked workers only")


def files(folder: Path, **options: object) -> list[File]:
    return collect([str(folder)], Configuration({key.replace("_", "-"): value for key, value in options.items()})).files


def brief(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(Path(finding.path).name, finding.code) for finding in findings]


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    """A folder of ten files, every second with a hazard."""
    for index in range(10):
        (tmp_path / f"f{index}.py").write_text(HAZARD if index % 2 else PORTED, encoding="utf-8")
    return tmp_path


HAZARDS = [(f"f{index}.py", "MLX101") for index in (1, 3, 5, 7, 9)]


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_findings_are_the_same_for_any_number_of_processes(
    ten: Path, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "POOL_FROM", 0)
    result = run.check(files(ten), jobs=jobs)
    assert brief(result.findings) == HAZARDS
    assert (len(result.checked), result.problems) == (10, [])


def test_what_is_forgotten_between_files_changes_no_finding(ten: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (ten / "helper.py").write_text("def mask(x):\n    return x > 0\n", encoding="utf-8")
    uses = HAZARD.replace("x[x > 0]", "x[mask(x)]").replace("\n\n", "\nfrom helper import mask\n\n", 1)
    for index in range(3):
        (ten / f"uses{index}.py").write_text(uses, encoding="utf-8")
    found = run.check(files(ten), jobs=1).findings
    assert len(found) == 8
    monkeypatch.setattr(checker, "MOST_TEXT", 0)
    assert run.check(files(ten), jobs=1).findings == found


def test_progress_reaches_its_end(ten: Path) -> None:
    seen: list[tuple[int, int]] = []
    run.check(files(ten), jobs=1, advance=lambda done, total: seen.append((done, total)))
    assert len(seen) == 10
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]


def test_a_file_that_cannot_be_read_costs_no_other(ten: Path) -> None:
    found = files(ten)
    (ten / "f1.py").unlink()
    result = run.check(found)
    assert brief(result.findings) == HAZARDS[1:]
    assert [problem.endswith("f1.py: No such file or directory") for problem in result.problems] == [True]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"import mlx\nx = '\xe9'\n", "not utf-8: invalid byte 0xe9"),
        (b"import mlx\nx = '\0'\n", "source code cannot contain null bytes"),
        (b"# coding: nosuch\nimport mlx\n", "unknown encoding: nosuch"),
        (b"import mlx\nprint 'x'\n", "does not parse"),
        (b"import mlx\nx = [1, 2\n", "does not parse"),
    ],
)
def test_a_file_that_is_no_python_is_a_finding(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "bad.py").write_bytes(data)
    (tmp_path / "good.py").write_text(HAZARD, encoding="utf-8")
    result = run.check(files(tmp_path))
    assert brief(result.findings) == [("bad.py", "MLX001"), ("good.py", "MLX101")]
    assert message in result.findings[0].message


@pytest.mark.parametrize(
    ("head", "encoding"), [("# -*- coding: latin-1 -*-\n", "latin-1"), ("", "utf-8-sig"), ("# é\n", "utf-8")]
)
def test_encodings(tmp_path: Path, head: str, encoding: str) -> None:
    (tmp_path / "a.py").write_bytes((head + "é = 1\n" + HAZARD).encode(encoding))
    (finding,) = run.check(files(tmp_path)).findings
    assert (finding.start.row, finding.start.column) == (5 + head.count("\n"), 8)


def test_a_found_file_without_mlx_is_not_parsed_but_a_named_one_is(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("print 'x'", encoding="utf-8")
    assert run.check(files(tmp_path)).findings == []
    assert brief(run.check(files(tmp_path / "other.py")).findings) == [("other.py", "MLX001")]


def test_settings_of_each_folder_hold(ten: Path) -> None:
    (ten / "sub").mkdir()
    (ten / "sub" / "a.py").write_text(HAZARD, encoding="utf-8")
    (ten / "sub" / "mlxlint.toml").write_text('[severity]\nMLX101 = "info"', encoding="utf-8")
    (ten / "mlxlint.toml").write_text('[per-file-ignores]\n"f[1357].py" = ["boolean-mask-read"]', encoding="utf-8")
    result = run.check(files(ten))
    assert brief(result.findings) == [("f9.py", "MLX101"), ("a.py", "MLX101")]
    assert [finding.severity for finding in result.findings] == [Severity.ERROR, Severity.INFO]
    assert [result.fails(finding) for finding in result.findings] == [True, False]


def test_a_text_that_is_on_no_disk() -> None:
    result = run.check_text(HAZARD.encode(), Configuration(isolated=True).default)
    assert brief(result.findings) == [("-", "MLX101")]


def test_texts_are_read_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"\xef\xbb\xbfx = 1\n")
    texts = run.Texts({"-": b"given\n"})
    assert [texts.text(name) for name in (str(path), "-", "nosuch.py")] == ["x = 1\n", "given\n", None]


# Workers


@forked
def test_a_dying_worker_costs_one_file(ten: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = run.Checker.check

    def die(checker: run.Checker, task: run.Task) -> list[Finding]:
        if task.path is not None and task.path.endswith("f4.py"):
            os.kill(os.getpid(), signal.SIGKILL)
        return check(checker, task)

    monkeypatch.setattr(workers, "POOL_FROM", 0)
    monkeypatch.setattr(run.Checker, "check", die)
    result = run.check(files(ten), jobs=2)
    assert brief(result.findings) == sorted([*HAZARDS, ("f4.py", "MLX002")])
    (failure,) = (finding for finding in result.findings if finding.code == "MLX002")
    assert failure.message == "the analysis of this file failed: its process died"


SLEEPER = """
    import os, signal, sys, time
    from mlxlint import cli, run, workers

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job is started without

    def sleep(self, task):
        os.write(1, b"checking\\n")
        time.sleep(600)

    workers.POOL_FROM = 0
    run.Checker.check = sleep
    sys.argv = ["mlxlint", "--no-cache", "--jobs", sys.argv[2], sys.argv[1]]
    cli.main()
"""


@forked
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_ends_everything_at_once(ten: Path, jobs: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SLEEPER), str(ten), str(jobs)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "checking\n"
    process.send_signal(signal.SIGINT)  # to the parent alone: it is the parent that ends its workers
    _, stderr = process.communicate(timeout=30)  # returns when no worker holds the pipes any more
    assert process.returncode == -signal.SIGINT
    assert stderr.strip() == ""


@forked
def test_workers_end_with_their_parent(ten: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SLEEPER), str(ten), "2"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "checking\n"
    process.kill()
    process.communicate(timeout=30)
