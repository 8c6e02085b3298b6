from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mlxlint.config import Configuration
from mlxlint.files import Found, collect, write_whole


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def grow(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")


def search(*paths: str) -> Found:
    return collect(paths or (".",), Configuration())


def names(*paths: str) -> list[str]:
    found = search(*paths)
    assert found.problems == []
    return [file.shown.replace(os.sep, "/") for file in found.files]


def test_python_files_in_order(tree: Path) -> None:
    grow(tree, "b.py", "a/z.pyi", "a/a.py", "a.txt", "a-b/c.py", "script")
    assert names() == ["a/a.py", "a/z.pyi", "a-b/c.py", "b.py"]


def test_a_named_file_is_checked_whatever_its_name(tree: Path) -> None:
    grow(tree, "script")
    assert names("script") == ["script"]


def test_one_file_once(tree: Path) -> None:
    grow(tree, "a/x.py")
    (tree / "link.py").symlink_to(tree / "a" / "x.py")
    (tree / "other").symlink_to(tree / "a")
    assert len(names(".", "a/x.py", "./a/../a/x.py", "a", "other/x.py", "other", "link.py")) == 1


def test_links_to_folders_make_no_loop(tree: Path) -> None:
    grow(tree, "a/x.py")
    (tree / "a" / "up").symlink_to(tree)
    assert names() == ["a/x.py"]


def test_a_link_to_itself_is_a_problem_and_no_more(tree: Path) -> None:
    grow(tree, "x.py")
    (tree / "self.py").symlink_to("self.py")
    for found in (search("."), search("x.py", "self.py")):
        assert [file.shown for file in found.files] == ["x.py"]
        assert [problem.partition(":")[0] for problem in found.problems] == ["self.py"]


def test_a_dangling_link_is_passed_over_unless_named(tree: Path) -> None:
    (tree / "gone.py").symlink_to("nowhere.py")
    assert names() == []
    assert search("gone.py").problems == ["gone.py: No such file or directory"]


def test_a_missing_path_costs_no_other(tree: Path) -> None:
    grow(tree, "x.py")
    found = search("nosuch", "x.py", "nosuch")
    assert found.problems == ["nosuch: No such file or directory"]
    assert [file.shown for file in found.files] == ["x.py"]


def test_a_folder_that_cannot_be_read_costs_no_other(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grow(tree, "a/x.py", "b/y.py")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("a"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = search(".")
    assert found.problems == ["a: Permission denied"]
    assert [file.shown for file in found.files] == [os.path.join("b", "y.py")]


def test_a_broken_config_costs_only_its_folder(tree: Path) -> None:
    grow(tree, "a/x.py", "a/deep/x.py", "b/y.py")
    (tree / "a" / "mlxlint.toml").write_text("nonsense = 1", encoding="utf-8")
    found = search(".", "a/deep/x.py")
    assert found.problems == [f"{os.path.join('a', 'mlxlint.toml')}: unknown key `nonsense`"]
    assert [file.shown for file in found.files] == [os.path.join("b", "y.py")]


# Left out


def test_usual_folders_are_not_entered_but_can_be_named(tree: Path) -> None:
    grow(tree, ".venv/a.py", "node_modules/a.py", "x/site-packages/p/a.py", "x/__pycache__/a.py")
    grow(tree, "env/lib/a.py", "env/pyvenv.cfg")
    assert names() == []
    assert names("x/site-packages/p") == ["x/site-packages/p/a.py"]
    assert names("env") == ["env/lib/a.py"]


def test_excludes_hold_for_named_files_too(tree: Path) -> None:
    grow(tree, "gen/a.py", "a_pb2.py", "a.py")
    (tree / "mlxlint.toml").write_text('exclude = ["gen", "*_pb2.py"]', encoding="utf-8")
    assert names() == names("gen/a.py", "gen", "a_pb2.py", "a.py") == ["a.py"]


def test_exclude_takes_the_place_of_the_usual_folders(tree: Path) -> None:
    grow(tree, "build/a.py", "gen/a.py")
    (tree / "mlxlint.toml").write_text('exclude = ["gen"]', encoding="utf-8")
    assert names() == ["build/a.py"]
    (tree / "mlxlint.toml").write_text('extend-exclude = ["gen"]', encoding="utf-8")
    assert names() == []


def test_include(tree: Path) -> None:
    grow(tree, "a.py", "b.pyw")
    (tree / "mlxlint.toml").write_text('include = ["*.pyw"]', encoding="utf-8")
    assert names() == ["b.pyw"]


def test_each_file_has_the_settings_of_its_folder(tree: Path) -> None:
    grow(tree, "a/x.py", "y.py")
    (tree / "a" / "mlxlint.toml").write_text('fail-on = "info"', encoding="utf-8")
    assert [file.settings.fail_on.value for file in search(".").files] == ["info", "warning"]


# .gitignore


def test_gitignore_nested_and_negated(tree: Path) -> None:
    grow(tree, "a.py", "gen/x.py", "sub/gen_y.py", "sub/keep_gen_z.py", "sub/deep/gen_y.py", "sub/local.py", "local.py")
    (tree / ".gitignore").write_text("/gen/\ngen_*.py\n*_gen_*.py\n", encoding="utf-8")
    (tree / "sub" / ".gitignore").write_text("!keep_gen_z.py\n/local.py\n", encoding="utf-8")
    assert names() == ["a.py", "local.py", "sub/keep_gen_z.py"]


def test_gitignore_of_the_repository_holds_below(tree: Path) -> None:
    grow(tree, "sub/a.py", "sub/gen.py", "sub/info.py")
    (tree / ".git" / "info").mkdir(parents=True)
    (tree / ".git" / "info" / "exclude").write_text("info.py\n", encoding="utf-8")
    (tree / ".gitignore").write_text("gen.py\n", encoding="utf-8")
    assert names("sub") == ["sub/a.py"]


def test_a_repository_within_starts_afresh(tree: Path) -> None:
    grow(tree, "gen.py", "inner/gen.py", "inner/.git")
    (tree / ".gitignore").write_text("gen.py\n", encoding="utf-8")
    assert names() == ["inner/gen.py"]


def test_what_git_ignores_can_be_named(tree: Path) -> None:
    grow(tree, "out/a.py", ".git")
    (tree / ".gitignore").write_text("out/\n", encoding="utf-8")
    assert names() == []
    assert names("out") == names("out/a.py") == ["out/a.py"]


def test_gitignore_can_be_switched_off(tree: Path) -> None:
    grow(tree, "gen.py")
    (tree / ".gitignore").write_text("gen.py\n", encoding="utf-8")
    (tree / "mlxlint.toml").write_text("respect-gitignore = false", encoding="utf-8")
    assert names() == ["gen.py"]


def test_a_broken_gitignore_line_is_passed_over(tree: Path) -> None:
    grow(tree, "a.py", "gen.py")
    (tree / ".gitignore").write_bytes(b"!\ngen.py\n\xff\n")
    assert names() == ["a.py"]


# Writing


def test_write_whole_keeps_permissions_and_links(tmp_path: Path) -> None:
    file, link = tmp_path / "a.py", tmp_path / "link.py"
    file.write_text("old", encoding="utf-8")
    file.chmod(0o750)
    link.symlink_to(file)
    write_whole(str(link), b"new")
    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o750


def test_write_whole_leaves_nothing_behind_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_whole(str(file), b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_write_whole_to_a_device() -> None:
    write_whole(os.devnull, b"gone")
    assert not os.path.isfile(os.devnull)
