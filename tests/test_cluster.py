"""A Dask cluster of real processes, on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from conftest import HAZARD, PORTED

from mlxlint import cluster as cluster_module
from mlxlint import run
from mlxlint.config import Configuration
from mlxlint.files import File, collect

pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="processes are ended by signals"),
]

# Loaded by each worker: the first to check f4.py dies of it, or every one does.
DYING = """
    import os, signal
    from mlxlint.checker import Checker

    def die(checker, task, check=Checker.check):
        if task.shown.endswith("f4.py") and ({always} or not os.path.exists({mark!r})):
            open({mark!r}, "a").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return check(checker, task)

    Checker.check = die
"""


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    """A folder of ten files, every second with a hazard."""
    folder = tmp_path / "ten"
    folder.mkdir()
    for index in range(10):
        (folder / f"f{index}.py").write_text(HAZARD if index % 2 else PORTED, encoding="utf-8")
    return folder


HAZARDS = [(f"f{index}.py", "MLX101") for index in (1, 3, 5, 7, 9)]


@contextmanager
def started(command: str, folder: Path, *arguments: str) -> Iterator[None]:
    """A process of Dask's, ended with the block."""
    program = [sys.executable, "-m", f"distributed.cli.dask_{command}", *arguments, "--no-dashboard"]
    environment = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    with open(folder / f"{command}.log", "ab") as log:
        process = subprocess.Popen(program, stdout=log, stderr=log, cwd=folder, env=environment, start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def cluster(folder: Path, *worker: str) -> Iterator[str]:
    """The address of a scheduler with two workers."""
    from distributed import Client

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with ExitStack() as processes:
        processes.enter_context(started("scheduler", folder, "--host", "127.0.0.1", "--port", str(port)))
        local = ("--nthreads", "1", "--local-directory", str(folder / "worker"))
        for _ in range(2):
            processes.enter_context(started("worker", folder, f"tcp://127.0.0.1:{port}", *local, *worker))
        with Client(f"tcp://127.0.0.1:{port}", timeout=60, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        yield f"dask://127.0.0.1:{port}"


def preload(folder: Path, *, always: bool) -> tuple[str, str]:
    script = folder / "dying.py"
    script.write_text(textwrap.dedent(DYING).format(always=always, mark=str(folder / "died")), encoding="utf-8")
    return "--preload", str(script)


def files(folder: Path) -> list[File]:
    return collect([str(folder)], Configuration(isolated=True)).files


def brief(result: run.Result) -> list[tuple[str, str]]:
    return [(Path(finding.path).name, finding.code) for finding in result.findings]


def test_the_work_of_a_worker_killed_midway_is_done_by_another(ten: Path, tmp_path: Path) -> None:
    with cluster(tmp_path, "--no-nanny", *preload(tmp_path, always=False)) as address:
        result = run.check(files(ten), executor=address)
    assert (tmp_path / "died").exists()
    assert brief(result) == HAZARDS
    assert result.findings == run.check(files(ten), jobs=1).findings


def test_a_file_that_kills_each_worker_is_a_finding(ten: Path, tmp_path: Path) -> None:
    with cluster(tmp_path, *preload(tmp_path, always=True)) as address:
        result = run.check(files(ten), executor=address)
    assert brief(result) == sorted([*HAZARDS, ("f4.py", "MLX002")])


def test_reproductions_run_on_the_workers(ten: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlx.core")
    command = [sys.executable, "-m", "mlxlint", "check", "--isolated", "--no-cache", "--verify", "--device", "cpu"]
    with cluster(tmp_path, "--no-nanny") as address:
        done = subprocess.run([*command, "--executor", address, str(ten)], capture_output=True, text=True)
        metal = subprocess.run(
            [*command[:-1], "metal", "--executor", address, str(ten)], capture_output=True, text=True
        )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.count("confirmed on cpu") == 5
    if sys.platform != "darwin":
        assert metal.returncode == 2
        assert "metal" in metal.stderr


def test_no_cluster_there(ten: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "WAIT", 1.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"dask://127.0.0.1:{free.getsockname()[1]}"
    begun = time.monotonic()
    for wrong, why in ((address, "OSError"), ("ssh://host", "expected dask://HOST:PORT")):
        with pytest.raises(run.ExecutorError, match=why):
            run.check(files(ten), executor=wrong)
    assert time.monotonic() - begun < 30


def test_workers_of_another_version_are_refused(ten: Path, tmp_path: Path) -> None:
    script = tmp_path / "older.py"
    script.write_text("from mlxlint import registry\nregistry.digest = lambda: 'older'\n", encoding="utf-8")
    with (
        cluster(tmp_path, "--no-nanny", "--preload", str(script)) as address,
        pytest.raises(run.ExecutorError, match="another mlxlint"),
    ):
        run.check(files(ten), executor=address)
