"""Comparing what is found in real packages with the snapshot, and what the snapshot and its page promise."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from conftest import HAZARD, ROOT

PAGE = ROOT / "docs" / "real-world.md"
SERIOUS = ("error", "warning")
LINES_A_FALSE_ONE = 5000


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("real_world", ROOT / "benchmarks" / "real_world.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


real_world = load()


def entry(line: str, path: str = "a.py") -> object:
    return real_world.Entry(path, "error", "boolean-mask-read", line)


def package(*lines: str) -> object:
    return real_world.Package("1.0", 1, len(lines), Counter(entry(line) for line in lines))


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with one package in it, and a snapshot that does not exist yet."""
    folder = tmp_path / "cache" / "thing-1.0" / "thing"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(HAZARD)
    monkeypatch.setattr(real_world, "VERSIONS", {"thing": "1.0"})
    monkeypatch.setattr(real_world, "SNAPSHOT", tmp_path / "snapshot.json")
    return tmp_path


def run(scratch: Path, *arguments: str) -> int:
    code = real_world.main(["--cache", str(scratch / "cache"), *arguments])
    assert isinstance(code, int)
    return code


def test_changes_are_told_by_content() -> None:
    assert list(real_world.changes(package("a", "b"), package("b", "a"))) == []
    assert list(real_world.changes(package("a"), package("a", "a"))) == [("+", entry("a"))]
    assert list(real_world.changes(package("a", "b"), package("a", "c"))) == [("-", entry("b")), ("+", entry("c"))]


def test_a_snapshot_reads_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    written = package('y = x["ä" > 0]', "z")
    written.verdicts[entry("z")] = "false"  # type: ignore[attr-defined]
    real_world.write(path, {"thing": written})
    read = real_world.read(path)["thing"]
    assert (read.version, read.files, read.lines, read.findings) == ("1.0", 1, 2, written.findings)  # type: ignore[attr-defined]
    assert read.count(SERIOUS, "false") == 1
    assert read.count(SERIOUS, "") == 1


def test_a_wrong_verdict_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    row = [*entry("z"), 1, "maybe"]  # type: ignore[misc]
    path.write_text(json.dumps({"thing": {"version": "1", "files": 1, "lines": 1, "findings": [row]}}))
    with pytest.raises(ValueError, match="'maybe' is no verdict"):
        real_world.read(path)


def test_what_is_new_is_printed_and_recorded_on_demand(scratch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(scratch) == 1
    shown = capsys.readouterr().out
    assert "+ thing/__init__.py:4 error [boolean-mask-read]\n      kept = x[x > 0]" in shown
    assert run(scratch, "--update") == 0
    assert run(scratch) == 0


def test_what_is_gone_is_printed_with_its_verdict(scratch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(scratch, "--update")
    snapshot = real_world.read(real_world.SNAPSHOT)
    [found] = snapshot["thing"].findings
    snapshot["thing"].verdicts[found] = "true"
    real_world.write(real_world.SNAPSHOT, snapshot)
    init = scratch / "cache" / "thing-1.0" / "thing" / "__init__.py"
    init.write_text(HAZARD.replace("kept = x[x > 0]", "kept = x"))
    capsys.readouterr()
    assert run(scratch) == 1
    assert "- thing/__init__.py error [boolean-mask-read]  (was judged true)" in capsys.readouterr().out


def test_a_verdict_survives_an_update(scratch: Path) -> None:
    run(scratch, "--update")
    snapshot = real_world.read(real_world.SNAPSHOT)
    [found] = snapshot["thing"].findings
    snapshot["thing"].verdicts[found] = "true"
    real_world.write(real_world.SNAPSHOT, snapshot)
    run(scratch, "--update")
    assert real_world.read(real_world.SNAPSHOT)["thing"].verdicts == {found: "true"}


def test_the_snapshot_is_of_the_versions_asked_for() -> None:
    snapshot = real_world.read(real_world.SNAPSHOT)
    assert {name: package.version for name, package in snapshot.items()} == real_world.VERSIONS


def test_the_page_shows_the_snapshot() -> None:
    assert real_world.table(real_world.read(real_world.SNAPSHOT)) in PAGE.read_text(encoding="utf-8")


def test_every_serious_finding_has_been_looked_at() -> None:
    snapshot = real_world.read(real_world.SNAPSHOT)
    unseen = [e for p in snapshot.values() for e in p.findings if e.severity in SERIOUS and not p.verdicts.get(e)]
    assert unseen == []


def test_nine_of_ten_are_true() -> None:
    packages = real_world.read(real_world.SNAPSHOT).values()
    true, false = (sum(p.count(SERIOUS, verdict) for p in packages) for verdict in ("true", "false"))
    assert true >= 9 * false
    assert false * LINES_A_FALSE_ONE <= sum(p.lines for p in packages)


def test_the_page_says_why_each_false_one_stands() -> None:
    page = PAGE.read_text(encoding="utf-8")
    packages = real_world.read(real_world.SNAPSHOT).values()
    false = [found for p in packages for found, verdict in p.verdicts.items() if verdict == "false"]
    assert [found for found in false if f"`{found.path}`: `{found.line}` | {found.rule} |" not in page] == []


@pytest.mark.parametrize("name", ["mlx", "mlx-lm"])
def test_the_page_lists_what_remains_in_mlx_itself(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for found in real_world.read(real_world.SNAPSHOT)[name].findings:
        if found.severity in SERIOUS:
            assert found.path in page
            assert found.rule in page
