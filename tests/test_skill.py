"""``mlxlint skill``: what it writes says what rules and evidence say, runs, and leaves other people's files alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import click
import pytest
import yaml
from conftest import HAZARD, Lint
from shown import commands, unknown_options

from mlxlint.cli import Failure
from mlxlint.evidence import Run, Seen, recorded, spans
from mlxlint.model import api
from mlxlint.registry import by_name, rules
from mlxlint.rule import Kind
from mlxlint.skill.checklist import CHECKLIST
from mlxlint.skill.command import MANIFEST, skill_command
from mlxlint.skill.contracts import contracts
from mlxlint.skill.facts import Fact, facts
from mlxlint.skill.render import name_for, skill
from mlxlint.verify.mlx_lm_surface import CHECKS as LM_CHECKS
from mlxlint.verify.mlx_surface import CHECKS as MLX_CHECKS

CHECKS = MLX_CHECKS.keys() | LM_CHECKS.keys()
FILES = skill("mlx")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def write(folder: Path, *options: str) -> int:
    code: int = skill_command.main([str(folder), *options], standalone_mode=False)
    return code


@pytest.fixture
def written(tmp_path: Path) -> Path:
    folder = tmp_path / "mlx"
    assert write(folder) == 0
    return folder


# What it says


def test_every_fact_is_told_once_with_its_runs() -> None:
    text = FILES["references/current-facts.md"]
    told = re.findall(r"^- \*\*([\w-]+)\*\*", text, flags=re.MULTILINE)
    stated = [rule.name for rule in rules().values() if rule.repro is not None]
    assert sorted(told) == sorted([*stated, *CHECKS])
    for fact in facts():
        for run, seen in recorded().get(fact.key, {}).items():
            if seen.status != "skipped":
                assert f"{run.platform.replace('-', ' ')}, {run.device}" in fact.line


def test_documented_contracts_stand_apart_from_observed_caveats() -> None:
    parts = re.split(r"^## (.+)$", FILES["references/current-facts.md"], flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    for fact in facts():
        if fact.status == "confirmed":
            assert f"**{fact.name}**" in sections["Documented contracts" if fact.contract else "Observed caveats"]
        else:
            assert f"**{fact.name}**" in sections.get("No longer so", "") + sections.get("Not settled by a run", "")


def test_contracts_are_of_rules_and_checks_that_are_there() -> None:
    assert contracts().keys() <= by_name().keys() | CHECKS


def test_newest_run_says_whether_a_fact_holds() -> None:
    def fact(**by_device: dict[str, str]) -> Fact:
        runs = {
            Run(version, None, "Linux-x86_64", device): Seen(Run(version, None, "Linux-x86_64", device), status, "seen")
            for device, found in by_device.items()
            for version, status in found.items()
        }
        return Fact("MLX101", "a-rule", "crash", "A statement.", "", None, tuple(spans(runs, "mlx")))

    assert fact(cpu={"0.1.0": "refuted", "0.2.0": "confirmed"}).status == "confirmed"
    assert fact(cpu={"0.1.0": "confirmed", "0.2.0": "refuted"}).status == "refuted"
    assert fact(cpu={"0.2.0": "refuted"}, metal={"0.2.0": "confirmed"}).status == "confirmed"
    assert fact(cpu={"0.2.0": "skipped"}).status == fact().status == "not run"
    assert fact(cpu={"0.2.0": "skipped"}).line == "- **a-rule** (MLX101, crash): A statement."


def test_checklist_names_rules_and_checks_that_are_there_and_all_rules() -> None:
    for item in (item for items in CHECKLIST.values() for item in items):
        assert item.rules or item.checks
        assert set(item.rules.split()) <= by_name().keys(), item
        assert set(item.checks.split()) <= CHECKS, item
    text = FILES["references/porting-checklist.md"]
    for rule in rules().values():
        assert (f"{rule.name} ({rule.code}): {rule.summary()}" in text) is (rule.kind is not Kind.TOOL)


def test_front_matter() -> None:
    head = yaml.safe_load(FILES["SKILL.md"].split("---\n")[1])
    assert head["name"] == "mlx"
    assert 100 < len(head["description"]) <= 1024


@pytest.mark.parametrize(
    "subject",
    [
        "Facts first", "documented", "observed", "Classify the task", "Validate at run time", "Local models",
        "Review a port", "Profiling memory", "Capture", "MTL_CAPTURE_ENABLED=1", "Stock operations", "`mx.fast`",
        "mx.fast.metal_kernel", "ensure_row_contiguous", "mx.custom_function", "C++ extension", "lazy=True", "JAX",
        "prompt caches", "quantization", "streams",
    ],
)  # fmt: skip
def test_instructions_cover_the_scope(subject: str) -> None:
    assert subject in FILES["SKILL.md"]


def test_names_of_mlx_in_the_instructions_are_there() -> None:
    for name in re.findall(r"\bmx\.[\w.]*\w", FILES["SKILL.md"]):
        assert api.lookup(f"mlx.core.{name[3:]}") is not None, name


def test_names_of_rules_in_the_instructions_are_there() -> None:
    text = FILES["SKILL.md"]
    assert set(re.findall(r"ignore\[([\w-]+)\]", text)) <= by_name().keys()
    assert set(re.findall(r"mlxlint rule ([a-z-]+)", text)) <= by_name().keys()
    for prefix in re.findall(r"\bMLX\d+\b", text):
        assert any(code.startswith(prefix) for code in rules())


SCRIPTS = re.compile(r"python scripts/(check|probe|releases)\.py")
COMMANDS = [words for text in FILES.values() for words in commands(SCRIPTS.sub(r"mlxlint \1", text))]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_have_the_options_shown(words: list[str]) -> None:
    assert not unknown_options(words)


@pytest.mark.parametrize("code", blocks(FILES["SKILL.md"], "python"))
def test_code_shown_is_clean_and_runs(code: str, lint: Lint, tmp_path: Path) -> None:
    assert lint(code) == []
    pytest.importorskip("mlx.core")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_links_lead_to_files_of_the_skill() -> None:
    links = re.findall(r"\]\(([^):]+)\)", FILES["SKILL.md"])
    assert links
    assert set(links) <= FILES.keys()


@pytest.mark.parametrize(
    ("folder", "name"),
    [("mlx", "mlx"), ("My MLX_skill!", "my-mlx-skill"), ("ü", "mlx"), ("a" * 80, "a" * 64)],
)
def test_name_is_that_of_the_folder(tmp_path: Path, folder: str, name: str) -> None:
    assert name_for(tmp_path / folder) == name


# What it does


def script(folder: Path, name: str, *arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(folder / "scripts" / name), *arguments]
    environment = {**os.environ, "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])), **env}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


def test_check_script_lints_and_verifies(written: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlx.core")
    (tmp_path / "port.py").write_text(HAZARD, encoding="utf-8")
    done = script(written, "check.py", "port.py", "--output-format", "json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    (finding,) = json.loads(done.stdout)
    assert finding["name"] == "boolean-mask-read"
    assert finding["verification"]["status"] == "confirmed"


def test_releases_script_answers_in_json(written: Path, tmp_path: Path) -> None:
    done = script(written, "releases.py", "--offline", cwd=tmp_path)
    assert json.loads(done.stdout).keys() == {"mlx", "mlx-lm"}, done.stderr


def test_scripts_stand_alone_and_say_what_is_missing(written: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    lines = (
        f"import sys; sys.path[:0] = [{str(written / 'scripts')!r}]",
        "import _mlxlint",
        "_mlxlint.pythons = lambda: iter(['nowhere', ''])",
        "print(_mlxlint.python_with_mlx())",
        "_mlxlint.command()",
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "\n".join(lines)],
        cwd=tmp_path,
        env={"PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "None\n", done.stderr
    assert done.stderr == "mlxlint is not installed: pip install mlxlint\n"


# How it is written


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_is_written_each_time(written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "elsewhere" / "mlx"
    assert write(other) == 0
    assert contents(written) == contents(other)
    assert contents(written).keys() == {*FILES, MANIFEST}
    capsys.readouterr()
    assert write(written) == 0
    assert "is up to date" in capsys.readouterr().out
    assert write(written, "--check") == 0


def test_stale_files_are_brought_up_to_date(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(written)
    earlier = "of an earlier version"
    manifest = json.loads(before[MANIFEST])
    gone, old = written / "references" / "gone.md", written / "SKILL.md"
    for path in (gone, old):
        path.write_text(earlier, encoding="utf-8")
        manifest[path.relative_to(written).as_posix()] = sha256(earlier.encode()).hexdigest()
    (written / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    assert write(written, "--check") == 1
    assert capsys.readouterr().out.splitlines()[-2:] == [f"out of date: {old}", f"out of date: {gone}"]
    assert write(written) == 0
    assert contents(written) == before


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "mlx"
    (folder / "references").mkdir(parents=True)
    (folder / "notes.md").write_text("mine")
    (folder / "references" / "current-facts.md").write_text("mine, too")
    before = contents(folder)
    with pytest.raises(Failure, match=r"current-facts\.md \(--force overwrites\)"):
        write(folder)
    assert contents(folder) == before
    assert write(folder, "--force") == 0
    assert contents(folder)["notes.md"] == b"mine"
    assert b"Current facts" in contents(folder)["references/current-facts.md"]


def test_changes_made_by_hand_are_not_overwritten(written: Path) -> None:
    path = written / "SKILL.md"
    path.write_text(path.read_text(encoding="utf-8") + "\nOur own advice.\n", encoding="utf-8")
    with pytest.raises(Failure, match=r"changed since: .*SKILL\.md"):
        write(written)
    assert write(written, "--force") == 0
    assert "Our own advice" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("manifest", ["not JSON", "[]", '{"../outside.txt": "hash", "SKILL.md": 3}'])
def test_broken_record_of_what_was_written(written: Path, manifest: str) -> None:
    outside = written.parent / "outside.txt"
    outside.write_text("mine")
    (written / MANIFEST).write_text(manifest)
    assert write(written) == 0
    assert outside.read_text() == "mine"


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(click.UsageError, match="is a file"):
        write(tmp_path / "file")
    with pytest.raises(Failure, match="Not a directory"):
        write(tmp_path / "file" / "mlx")
