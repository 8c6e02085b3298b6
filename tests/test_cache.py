from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import HAZARD, PORTED
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mlxlint import cache, contents, run
from mlxlint.checker import Checker, Outcome, Task
from mlxlint.cli import cli
from mlxlint.config import Configuration
from mlxlint.files import collect
from mlxlint.rule import Finding

MASK = "def choose(x):\n    return x > 0\n"
NUMBER = "def choose(x):\n    return 0\n"
GIVEN = "import mlx.core as mx\n\ndef read(x):\n    return x[x > 0]\n"
GIVES = "import mlx.core as mx\nfrom package.inner import read\n\nread(mx.array([0.5]))\n"
USES = """
import mlx.core as mx
from helper import choose

x = mx.array([0.5, -1.0])
kept = x[choose(x)]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a file that uses a second, and one that uses neither."""
    write(tmp_path, "helper.py", MASK)
    write(tmp_path, "uses.py", USES)
    write(tmp_path, "alone.py", PORTED)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are linted, rather than taken from the cache."""
    names = []

    def check(checker: Checker, task: Task) -> Outcome:
        names.append(task.shown)
        return original(checker, task)

    original = Checker.check
    monkeypatch.setattr(Checker, "check", check)
    return names


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def lint(folder: Path, cached: bool = True, **options: object) -> list[Finding]:
    files = collect([str(folder)], Configuration(options)).files
    return run.check(files, jobs=1, cached=cached).findings


def brief(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(Path(finding.path).name, finding.code) for finding in findings]


def database(folder: Path) -> Path:
    return folder / ".mlxlint_cache" / "findings.db"


# What is linted again


def test_what_has_not_changed_is_not_linted_again(project: Path, checked: list[str]) -> None:
    first = lint(project)
    assert brief(first) == [("uses.py", "MLX101")]
    assert sorted(checked) == ["alone.py", "uses.py"]
    checked.clear()
    assert lint(project) == first
    assert checked == []


def test_an_edit_costs_what_depends_on_it_and_nothing_else(project: Path, checked: list[str]) -> None:
    lint(project)
    checked.clear()
    write(project, "helper.py", NUMBER)
    assert lint(project) == []
    assert checked == ["uses.py"]


def test_what_a_file_is_used_for_counts_as_well(project: Path, checked: list[str]) -> None:
    write(project, "given.py", "import mlx.core as mx\n\ndef read(x):\n    return x[x > 0]\n")
    assert ("given.py", "MLX101") not in brief(lint(project))
    checked.clear()
    write(project, "gives.py", "import mlx.core as mx\nfrom given import read\n\nread(mx.array([0.5]))\n")
    assert ("given.py", "MLX101") in brief(lint(project))
    assert sorted(checked) == ["given.py", "gives.py"]


def test_a_module_that_comes_in_front_of_another_counts(project: Path, checked: list[str]) -> None:
    write(project, "mlxlint.toml", 'src = ["lib"]')
    (project / "helper.py").rename(project / "moved.py")
    write(project, "lib/helper.py", MASK)
    assert ("uses.py", "MLX101") in brief(lint(project))
    write(project, "helper.py", NUMBER)
    assert lint(project) == []


@pytest.mark.parametrize(
    "options", [{"ignore": ["MLX101"]}, {"min-confidence": "certain"}, {"severity": {"MLX101": "info"}}]
)
def test_other_settings_are_other_findings(project: Path, options: dict[str, object], checked: list[str]) -> None:
    lint(project)
    checked.clear()
    assert lint(project, **options) == lint(project, cached=False, **options)
    assert len(checked) == 4


def test_another_rule_pack_or_release_knows_nothing(
    project: Path, checked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lint(project)
    checked.clear()
    monkeypatch.setattr(cache, "_digests", {})
    monkeypatch.setattr(cache.registry, "digest", lambda: "another")
    lint(project)
    assert len(checked) == 2


def test_all_of_a_finding_is_kept(project: Path) -> None:
    shutil.copytree(Path(__file__).parent.parent / "fixtures" / "indexing", project / "fixtures")
    found = lint(project)
    assert lint(project) == found
    assert any(finding.fix for finding in found)
    assert any(finding.repro for finding in found)
    assert all(finding == loaded for finding, loaded in zip(found, lint(project), strict=True))


def test_files_to_be_fixed_are_linted(project: Path) -> None:
    write(project, "a.py", "import mlx.core as mx\n\nx = mx.array([1.0])\ny = x.dim()\n")
    before = CliRunner().invoke(cli, ["a.py", "--no-cache", "--diff"])
    for _ in range(2):
        assert CliRunner().invoke(cli, ["a.py", "--diff"]).stdout == before.stdout


TEXTS = st.sampled_from([
    MASK,
    NUMBER,
    USES,
    HAZARD,
    PORTED,
    "from other import choose\n",
    GIVEN,
    GIVES,
    "import mlx.core as mx\nimport torch\n\ndef read(x):\n    return x.dim()\n",
    "import mlx.core as mx\nx = (\n",
    None,
])  # fmt: skip
NAMES = st.sampled_from(["helper.py", "other.py", "uses.py", "package/__init__.py", "package/inner.py", "src/other.py"])
EDITS = st.lists(st.tuples(NAMES, TEXTS), min_size=2, max_size=6)
MODULES = ["helper", "package.helper", "package.sub.helper", ".helper", ".sub.helper", "..helper", "beside.helper"]
IN_PACKAGES = ["uses", "helper", "__init__", "helper/__init__", "sub/helper", "sub/__init__", "sub/uses"]
EDITS_IN_PACKAGES = st.lists(
    st.tuples(
        st.sampled_from(["helper.py", "beside/helper.py", *(f"package/{name}.py" for name in IN_PACKAGES)]),
        st.sampled_from([MASK, NUMBER, None, *(USES.replace("helper", module) for module in MODULES)]),
    ),
    min_size=2,
    max_size=8,
)


def same_as_anew(folder: Path, edits: list[tuple[str, str | None]]) -> None:
    write(folder, "mlxlint.toml", "")
    write(folder, "package/inner.py", USES)
    for name, text in edits:
        if text is None:
            (folder / name).unlink(missing_ok=True)
        else:
            write(folder, name, text)
        assert lint(folder) == lint(folder, cached=False)
    shutil.rmtree(folder)


edited = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@edited
@given(EDITS)
@example([("package/inner.py", GIVEN), ("helper.py", GIVES)])
def test_after_any_edits_cached_findings_are_those_found_anew(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, str | None]]
) -> None:
    same_as_anew(tmp_path_factory.mktemp("edited"), edits)


@edited
@given(EDITS_IN_PACKAGES)
@example([("package/__init__.py", ""), ("package/uses.py", USES), ("helper/__init__.py", MASK)])
def test_after_any_edits_in_packages_cached_findings_are_those_found_anew(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, str | None]]
) -> None:
    same_as_anew(tmp_path_factory.mktemp("edited"), edits)


@pytest.fixture
def package(project: Path) -> Path:
    """A package in which one file uses another."""
    for name, text in {"__init__": "", "helper": MASK, "uses": USES.replace("helper", ".helper")}.items():
        write(project, f"package/{name}.py", text)
    return project


def test_what_a_package_tells_is_read_only_when_it_changed(package: Path, checked: list[str]) -> None:
    found = lint(package)
    write(package, "package/beside.py", "")
    checked.clear()
    assert lint(package) == found
    assert checked == []
    alter(package, "told = 'gone'", "package/uses.py")
    assert lint(package) == found
    assert checked == []
    write(package, "package/beside.py", "more = 1")
    assert lint(package) == found
    assert checked == ["package/uses.py"]


# What stands in its way


def test_the_folder_is_ignored_by_git_and_not_linted(project: Path) -> None:
    lint(project)
    assert (project / ".mlxlint_cache" / ".gitignore").read_text(encoding="utf-8").endswith("\n*\n")
    write(project, ".mlxlint_cache/a.py", HAZARD)
    assert brief(lint(project)) == [("uses.py", "MLX101")]


@pytest.fixture(params=["garbage", "empty", "cut", "torn", "foreign", "other table", "folder", "rows"])
def unusable(request: pytest.FixtureRequest, project: Path) -> Path:
    """A project with a cache that is none."""
    lint(project)
    path = database(project)
    if request.param == "garbage":
        path.write_bytes(b"no database " * 1000)
    elif request.param == "empty":
        path.write_bytes(b"")
    elif request.param == "cut":
        path.write_bytes(path.read_bytes()[:-5000])
    elif request.param == "torn":
        path.write_bytes(path.read_bytes()[:4096] + b"x" * 4096 * 3)
    elif request.param == "folder":
        path.unlink()
        path.mkdir()
    else:
        statement = {
            "foreign": "DROP TABLE results; CREATE TABLE notes (text)",
            "other table": "ALTER TABLE results ADD COLUMN more",
            "rows": "UPDATE results SET findings = '[[1]]', asked = '[[0, 1]]'",
        }[request.param]
        with sqlite3.connect(path) as connection:
            connection.executescript(statement)
        connection.close()
    return project


def test_a_cache_that_cannot_be_used_costs_no_finding(unusable: Path, checked: list[str]) -> None:
    assert brief(lint(unusable)) == [("uses.py", "MLX101")]
    assert brief(lint(unusable)) == [("uses.py", "MLX101")]
    if database(unusable).is_file():
        assert len(checked) == 2  # the second run finds a cache again


ALTERED = {
    "no finding left": "findings = '[]'",
    "another message": "findings = replace(findings, 'mask', 'mast')",
    "another place": "findings = replace(findings, '6, ', '5, ')",
    "nothing asked of others": "asked = '[]'",
    "of another text": "text = (SELECT text FROM results WHERE path LIKE '%alone.py')",
}


def alter(folder: Path, change: str, name: str) -> None:
    """Change what is kept of a file."""
    with sqlite3.connect(database(folder)) as connection:
        [before] = connection.execute("SELECT * FROM results WHERE path LIKE ?", [f"%{name}"])
        connection.execute(f"UPDATE results SET {change} WHERE path LIKE ?", [f"%{name}"])
        [after] = connection.execute("SELECT * FROM results WHERE path LIKE ?", [f"%{name}"])
    connection.close()
    assert after != before


@pytest.mark.parametrize("change", ALTERED.values(), ids=ALTERED)
def test_a_row_that_is_not_as_it_was_written_is_not_believed(project: Path, change: str, checked: list[str]) -> None:
    found = lint(project)
    alter(project, change, "uses.py")
    checked.clear()
    if "text = (" in change:
        write(project, "uses.py", PORTED)
        found = []
    assert lint(project) == found
    assert checked == ["uses.py"]


def test_a_file_in_the_folder_s_place(project: Path) -> None:
    write(project, ".mlxlint_cache", "")
    assert brief(lint(project)) == [("uses.py", "MLX101")]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(project: Path) -> None:
    project.chmod(0o500)
    try:
        assert brief(lint(project)) == [("uses.py", "MLX101")]
    finally:
        project.chmod(0o700)


def test_a_cache_that_another_process_holds(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "WAIT", 0.05)
    lint(project)
    write(project, "alone.py", HAZARD)
    holder = sqlite3.connect(database(project), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        assert brief(lint(project)) == [("alone.py", "MLX101"), ("uses.py", "MLX101")]
    finally:
        holder.close()


FULL = """
    import resource, signal, sys
    from mlxlint import cli
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
    sys.argv = ["mlxlint", ".", "--output-format", "concise"]
    cli.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on file sizes")
def test_a_full_disk(project: Path) -> None:
    # -B: Python itself writes byte code that is cut off, without noticing
    done = subprocess.run([sys.executable, "-B", "-c", textwrap.dedent(FULL)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "")
    assert "uses.py:6:8: MLX101" in done.stdout
    assert brief(lint(project)) == [("uses.py", "MLX101")]


KILLED = """
    import os, signal
    from mlxlint import cache, cli
    begin = cache.sqlite3.connect

    class Dying(cache.sqlite3.Connection):
        def executemany(self, *arguments):
            super().executemany(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)

    cache.sqlite3.connect = lambda path, timeout: begin(path, timeout=timeout, factory=Dying)
    cli.cli(["check", "."])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_a_process_killed_while_it_writes(project: Path, checked: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED)], capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert brief(lint(project)) == [("uses.py", "MLX101")]
    checked.clear()
    lint(project)
    assert checked == []


def test_several_processes_at_once(project: Path) -> None:
    for index in range(20):
        write(project, f"f{index}.py", HAZARD if index % 2 else PORTED)
    command = [sys.executable, "-m", "mlxlint", "check", "--output-format", "concise", "."]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    written = [process.communicate(timeout=120) for process in running]
    assert len(set(written)) == 1
    assert written[0][0].count("MLX101") == 11
    assert len(lint(project)) == 11


# Files that are not read again


@pytest.fixture
def reads(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files read to see whether they are what they were; the project's have long been there."""
    write(project, "plain.py", "total = 1\n")
    monkeypatch.setattr(contents, "_SETTLED", -1)
    names = []

    def read(path: str) -> bytes:
        names.append(Path(path).name)
        return original(path)

    original = contents.read
    monkeypatch.setattr(contents, "read", read)
    return names


def test_files_that_are_what_they_were_are_not_read(project: Path, reads: list[str], checked: list[str]) -> None:
    found = lint(project)
    assert sorted(reads) == ["alone.py", "helper.py", "plain.py", "uses.py"]
    reads.clear()
    checked.clear()
    assert lint(project) == found
    assert (reads, checked) == ([], [])
    write(project, "plain.py", USES)
    assert brief(lint(project)) == [("plain.py", "MLX101"), ("uses.py", "MLX101")]
    assert reads == ["plain.py"]


@pytest.mark.skipif(sys.platform == "win32", reason="no time at which an entry changed")
def test_a_text_of_the_same_size_and_time_is_another(project: Path, reads: list[str]) -> None:
    assert brief(lint(project)) == [("uses.py", "MLX101")]
    helper = project / "helper.py"
    before = helper.stat()
    write(project, "helper.py", NUMBER.rstrip("\n").ljust(len(MASK) - 1) + "\n")
    os.utime(helper, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = helper.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
    assert brief(lint(project)) == []


def test_a_file_that_has_only_just_changed_is_read_again(
    project: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_SETTLED", 3_600_000_000_000)
    lint(project)
    reads.clear()
    lint(project)
    assert sorted(reads) == ["alone.py", "helper.py", "plain.py", "uses.py"]


@pytest.mark.parametrize("change", ["mentions_mlx = 0", "digest = 'another'", "digest = 1", "seal = NULL"])
def test_contents_that_are_not_as_they_were_written_are_not_believed(
    project: Path, reads: list[str], change: str
) -> None:
    found = lint(project)
    with sqlite3.connect(database(project)) as connection:
        assert connection.execute(f"UPDATE contents SET {change}").rowcount == 4
    connection.close()
    reads.clear()
    assert lint(project) == found
    assert "uses.py" in reads


def test_where_nothing_names_mlx_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "plain.py", "total = 1\n")
    monkeypatch.chdir(tmp_path)
    assert lint(tmp_path) == []
    assert os.listdir(tmp_path) == ["plain.py"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights")
def test_what_is_behind_a_link_in_a_package_counts(package: Path) -> None:
    """A package does not tell of what it does not list: a module that is first absent, behind a link to a folder."""
    (package / "apart").mkdir()
    write(package, "package/uses.py", USES.replace("from helper", "from package.linked.helper"))
    (package / "package/linked").symlink_to(package / "apart")
    assert brief(lint(package / "package")) == []
    write(package, "apart/helper.py", MASK)
    assert brief(lint(package / "package")) == [("uses.py", "MLX101")]


# The commands


def test_without_cache_nothing_is_written(project: Path) -> None:
    assert CliRunner().invoke(cli, ["--no-cache"], standalone_mode=False).return_value == 1
    assert not database(project).exists()


def test_where_it_is_and_away_with_it(project: Path) -> None:
    def cached(command: str) -> tuple[str, str]:
        result = CliRunner().invoke(cli, ["cache", command])
        return result.stdout.strip(), result.stderr.strip()

    folder = str(project / ".mlxlint_cache")
    assert cached("dir") == (folder, "")
    lint(project)
    assert cached("clean") == ("", f"mlxlint: note: removed {folder}")
    assert not os.path.exists(folder)
    assert cached("clean") == ("", f"mlxlint: note: nothing to remove in {folder}")


def test_clean_leaves_what_is_not_its_own(project: Path) -> None:
    lint(project)
    write(project, ".mlxlint_cache/notes.txt", "mine")
    assert cache.clean(str(project / ".mlxlint_cache"))
    assert os.listdir(project / ".mlxlint_cache") == ["notes.txt"]


@pytest.fixture
def imported(project: Path) -> Iterator[set[str]]:
    """The packages that a run with everything cached imports."""
    lint(project)
    script = "import sys; from mlxlint.cli import cli; cli(['.'], standalone_mode=False); print(*sys.modules)"
    kept = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # the index of rules is kept where byte code is
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=kept)
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


def test_a_run_with_everything_cached_imports_little(imported: set[str]) -> None:
    assert "sqlite3" in imported
    assert imported.isdisjoint({"libcst", "rich", "pygments", "multiprocessing", "distributed"})
