"""Fixes from the command line: what is written, printed and reported, and that a file's bytes are otherwise its own."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import HAZARD, PORTED
from test_cli import lint, refused

from mlxlint import workers
from mlxlint.cli import cli

SAFE = "import mlx.core as mx\n\nmx.metal.clear_cache()\n"
SAFE_FIXED = SAFE.replace("metal.", "")
READ = "y = mx.array([0.5, -1.0])\nkept = y[y > 0]\n"
UNSAFE = "import mlx.core as mx\n\nx = mx.array([0.5, -1.0])\ny = mx.softmax(x)\nz = mx.softmax(mx.ones((2, 3)))\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


# --fix


def test_fixes_are_made_and_what_is_left_is_reported(folder: Path) -> None:
    path = write(folder / "a.py", SAFE + READ)
    result = lint("a.py", "--fix")
    assert path.read_text(encoding="utf-8").startswith(SAFE_FIXED)
    assert "a.py:5:8 error MLX101" in result.stdout
    assert "Found 2, fixed 1; left: 1 error in 1 of 1 file" in result.stdout
    assert result.exit_code == 1


def test_nothing_left_is_success(folder: Path) -> None:
    write(folder / "a.py", SAFE)
    result = lint("a.py", "--fix")
    assert result.stdout.startswith("Found 1, fixed 1; left: none in 1 file")
    assert result.exit_code == 0
    assert lint("a.py").exit_code == 0


def test_a_file_without_fixes_is_not_written(folder: Path) -> None:
    path = write(folder / "a.py", HAZARD)
    os.utime(path, (1, 1))
    assert lint("a.py", "--fix").exit_code == 1
    assert path.stat().st_mtime == 1


def test_unsafe_fixes_have_to_be_asked_for(folder: Path) -> None:
    path = write(folder / "a.py", UNSAFE)
    lint("a.py", "--fix")
    assert path.read_text(encoding="utf-8") == UNSAFE
    assert lint("a.py", "--fix", "--unsafe-fixes").exit_code == 0
    assert "mx.softmax(mx.ones((2, 3)), axis=" in path.read_text(encoding="utf-8")


def test_unsafe_fixes_of_notes_are_not_made(folder: Path) -> None:
    path = write(folder / "a.py", UNSAFE)
    write(folder / "mlxlint.toml", '[severity]\nMLX456 = "info"')
    result = lint("a.py", "--fix", "--unsafe-fixes")
    assert path.read_text(encoding="utf-8") == UNSAFE
    assert "fix (by hand)" in result.stdout


def test_unsafe_fixes_alone_change_nothing(folder: Path) -> None:
    path = write(folder / "a.py", SAFE)
    result = lint("a.py", "--unsafe-fixes")
    assert result.stderr == "mlxlint: note: --unsafe-fixes does nothing without --fix or --diff\n"
    assert path.read_text(encoding="utf-8") == SAFE


def test_only_the_rules_selected_are_fixed(folder: Path) -> None:
    path = write(folder / "a.py", SAFE)
    assert lint("a.py", "--fix", "--ignore", "deprecated-metal-function").exit_code == 0
    assert path.read_text(encoding="utf-8") == SAFE


def test_what_is_suppressed_stays_and_what_suppresses_nothing_goes(folder: Path) -> None:
    suppressed = SAFE.replace("()", "()  # mlxlint: ignore[deprecated-metal-function] on purpose")
    unused = "y = mx.zeros(3)  # mlxlint: ignore[deprecated-metal-function]\n"
    path = write(folder / "a.py", suppressed + unused)
    assert lint("a.py", "--fix").exit_code == 0
    assert path.read_text(encoding="utf-8") == suppressed + "y = mx.zeros(3)\n"


def test_other_formats_say_on_stderr_what_was_fixed(folder: Path) -> None:
    write(folder / "a.py", SAFE)
    result = lint("a.py", "--fix", "--output-format", "json")
    assert (result.stdout, result.stderr) == ("[]\n", "mlxlint: note: fixed 1 finding\n")


def test_the_short_report_marks_what_can_be_fixed(folder: Path) -> None:
    write(folder / "a.py", SAFE + READ)
    lines = lint("a.py", "--output-format", "concise").stdout.splitlines()
    assert [(line.split()[1], "[*]" in line) for line in lines] == [("MLX600", True), ("MLX101", False)]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_many_files(folder: Path, jobs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "POOL_FROM", 0)
    for index in range(6):
        write(folder / f"f{index}.py", SAFE if index % 2 else PORTED)
    result = lint(".", "--fix", "--jobs", jobs)
    assert result.stdout.startswith("Found 3, fixed 3; left: none in 6 files")
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))]
    assert texts == [PORTED, SAFE_FIXED] * 3


def test_a_fix_through_a_link_is_made_in_the_file(folder: Path) -> None:
    path = write(folder / "a.py", SAFE)
    (folder / "sub").mkdir()
    (folder / "sub" / "b.py").symlink_to(path)
    assert lint("sub/b.py", "--fix").exit_code == 0
    assert (folder / "sub" / "b.py").is_symlink()
    assert path.read_text(encoding="utf-8") == SAFE_FIXED


# The file's own bytes


@pytest.mark.parametrize(
    ("head", "encoding"),
    [("", "utf-8"), ("", "utf-8-sig"), ("# coding: latin-1\n", "latin-1"), ("# é ∂\n", "utf-8")],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n", "  # é"])
def test_encoding_and_line_ends_are_kept(folder: Path, head: str, encoding: str, newline: str, end: str) -> None:
    def data(text: str) -> bytes:
        return (head + "é = 'é'\n" + text.rstrip("\n") + end).replace("\n", newline).encode(encoding)

    (folder / "a.py").write_bytes(data(SAFE))
    assert lint("a.py", "--fix").exit_code == 0
    assert (folder / "a.py").read_bytes() == data(SAFE_FIXED)


@pytest.mark.parametrize("mode", [0o644, 0o755, 0o600])
def test_permissions_are_kept(folder: Path, mode: int) -> None:
    path = write(folder / "a.py", SAFE)
    path.chmod(mode)
    lint("a.py", "--fix")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert [p.name for p in folder.glob("*a.py*")] == ["a.py"]


def test_a_read_only_file_costs_no_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked, open_ = write(folder / "a.py", SAFE), write(folder / "b.py", SAFE)
    locked.chmod(0o444)
    if os.access(locked, os.W_OK):  # root may write to any file
        monkeypatch.setattr(os, "access", lambda path, mode: os.path.basename(path) != "a.py")
    result = lint(".", "--fix")
    assert result.exit_code == 2
    assert result.stderr == "mlxlint: error: a.py: Permission denied\n"
    assert "a.py:3:" in result.stdout
    assert "b.py" not in result.stdout
    assert locked.read_text(encoding="utf-8") == SAFE
    assert open_.read_text(encoding="utf-8") == SAFE_FIXED


def test_a_broken_file_is_left_as_it_is(folder: Path) -> None:
    broken = write(folder / "a.py", SAFE + "(\n")
    assert lint("a.py", "--fix").exit_code == 1
    assert broken.read_text(encoding="utf-8") == SAFE + "(\n"


# --diff


def test_a_diff_shows_what_would_change_and_writes_nothing(folder: Path) -> None:
    (folder / "sub").mkdir()
    path = write(folder / "sub" / "a.py", SAFE)
    write(folder / "good.py", PORTED)
    result = lint(".", "--diff")
    assert result.stdout.splitlines() == [
        "--- sub/a.py",
        "+++ sub/a.py",
        "@@ -1,3 +1,3 @@",
        " import mlx.core as mx",
        " ",
        "-mx.metal.clear_cache()",
        "+mx.clear_cache()",
    ]
    assert (result.exit_code, result.stderr) == (1, "mlxlint: note: would fix 1 finding\n")
    assert path.read_text(encoding="utf-8") == SAFE


@pytest.mark.parametrize(
    ("text", "arguments", "code"),
    [
        (SAFE, (), 1),
        (SAFE, ("--fix",), 1),
        (SAFE, ("--exit-zero",), 0),
        (HAZARD, (), 0),
        (UNSAFE, (), 0),
        (UNSAFE, ("--unsafe-fixes",), 1),
        (SAFE, ("nosuch.py",), 2),
    ],
)
def test_exit_codes_of_diff(folder: Path, text: str, arguments: tuple[str, ...], code: int) -> None:
    path = write(folder / "a.py", text)
    assert lint("a.py", "--diff", *arguments).exit_code == code
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n", "\nlast = '\x0c'"])
def test_a_diff_is_a_patch(folder: Path, newline: str, end: str) -> None:
    def data(text: str) -> bytes:
        return (text.rstrip("\n") + end).replace("\n", newline).encode()

    (folder / "a.py").write_bytes(data(SAFE))
    command = [sys.executable, "-m", "mlxlint", "a.py", "--diff"]
    patch = subprocess.run(command, capture_output=True, check=False).stdout
    subprocess.run(["git", "apply", "-p0"], input=patch, check=True)
    assert (folder / "a.py").read_bytes() == data(SAFE_FIXED)


# stdin


def stdin(data: bytes, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["-", *arguments], input=data, standalone_mode=False)


def test_stdin_fixed_goes_to_stdout_and_the_report_to_stderr(folder: Path) -> None:
    result = stdin((SAFE + READ).encode(), "--fix", "--stdin-filename", "a.py")
    assert result.stdout == SAFE_FIXED + READ
    assert "a.py:5:8 error MLX101" in result.stderr
    assert "kept = y[y > 0]" in result.stderr
    assert result.return_value == 1


@pytest.mark.parametrize(
    "data",
    [*(PORTED.replace("\n", end).encode() for end in ("\n", "\r\n")), b"\xef\xbb\xbfx = 1", b"(", b"x = '\xe9'", b""],
)
def test_stdin_without_fixes_is_passed_on(folder: Path, data: bytes) -> None:
    assert stdin(data, "--fix").stdout_bytes == data


def test_stdin_that_is_excluded_is_passed_on(folder: Path) -> None:
    write(folder / "mlxlint.toml", 'exclude = ["a.py"]')
    assert stdin(SAFE.encode(), "--fix", "--stdin-filename", "a.py").stdout == SAFE


def test_a_diff_of_stdin(folder: Path) -> None:
    result = stdin(SAFE.encode(), "--diff", "--stdin-filename", "a.py")
    assert result.stdout.startswith("--- a.py\n+++ a.py\n@@")
    assert result.return_value == 1


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fix", "--add-ignores"), "--add-ignores and --fix exclude each other"),
        (("--diff", "--write-baseline", "b.json"), "--write-baseline and --diff exclude each other"),
    ],
)
def test_refusals(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    assert refused(*arguments) == message
