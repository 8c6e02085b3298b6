"""Worker processes: started, fed, watched and ended, so that a reproduction costs only itself.

One thread watches all of them. A worker that ends, outlives its time or outgrows its memory is replaced; the task it
was at is ``inconclusive`` with the reason. When :func:`run` returns or raises, no process and no file of it is left.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from mlxlint.rule import Literal, Verification
from mlxlint.verify.workplace import Workplace, kill_marked

WORKER = Path(__file__).with_name("worker.py")
TICK = 0.05
TASKS_PER_WORKER = 6
MOST_WORKERS = 4
TAIL = 2000
LONGEST_REPLY = 1 << 16
ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
INHERITED = ("PATH", "LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "CUDA_HOME", "CUDA_PATH", "CUDA_VISIBLE_DEVICES")


def folders(variable: str) -> tuple[str, ...]:
    return tuple(os.path.abspath(part) for part in os.environ.get(variable, "").split(os.pathsep) if part)


class VerifyError(Exception):
    """Reproductions cannot be run here; the argument is one line saying why."""


class MlxMissing(VerifyError):
    """The Python that is to run reproductions cannot import MLX."""


class DeviceUnavailable(VerifyError):
    """MLX has not the device that was asked for."""


@dataclass(frozen=True)
class Limits:
    """What one reproduction may use; ``total`` is the time of all of them together."""

    seconds: float = 30.0
    cpu_seconds: float = 60.0
    memory: int = 2 << 30
    start_seconds: float = 60.0
    total: float = 600.0


@dataclass(frozen=True)
class Place:
    """Where reproductions run: the device, the Python (default: ``MLXLINT_PYTHON``, else this one), and folders whose
    packages come before its own (default: those in ``MLXLINT_SITE``).
    """

    device: str = "auto"
    python: str = field(default_factory=lambda: os.environ.get("MLXLINT_PYTHON") or sys.executable)
    site: tuple[str, ...] = field(default_factory=lambda: folders("MLXLINT_SITE"))


@dataclass(frozen=True)
class Task:
    """A function to run in a worker, by name, and its parameters."""

    module: str
    function: str
    parameters: Mapping[str, Literal] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What runs the reproductions, as a worker tells it."""

    device: str
    mlx: str
    mlx_lm: str | None
    platform: str


@dataclass(frozen=True)
class Job:
    """A task on its way: its place in the order, and whether it needs a worker in which nothing ran before."""

    index: int
    task: Task
    alone: bool = False


def run(
    tasks: Sequence[Task], place: Place, limits: Limits, jobs: int | None = None
) -> tuple[Facts, list[Verification]]:
    """Run tasks in worker processes; results in the order of the tasks.

    Raises:
        MlxMissing, DeviceUnavailable, VerifyError: when no worker can serve.
    """
    if os.name != "posix":
        raise VerifyError("reproductions run on macOS and Linux only")
    with noted_signals() as received, Pool(place, limits, roots(tasks), received) as pool:
        return pool.run(tasks, jobs or wanted_workers(len(tasks)))


@contextlib.contextmanager
def noted_signals() -> Iterator[list[int]]:
    """The signals received in this block that ask the process to end; after it, the process ends by the first.

    Ctrl-C is not among them: it raises. A signal that is ignored or handled already is left alone.
    """
    received: list[int] = []
    taken = []
    if threading.current_thread() is threading.main_thread():
        taken = [number for number in ENDING if signal.getsignal(number) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, lambda number, _: received.append(number))
    try:
        yield received
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
        if received:
            os.kill(os.getpid(), received[0])


def wanted_workers(tasks: int) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, MOST_WORKERS, -(-tasks // TASKS_PER_WORKER)))


def roots(tasks: Iterable[Task]) -> dict[str, str]:
    """Packages of the tasks' modules, outer ones first, each with the folder that it is in.

    A worker that cannot find one looks there. An inner package may stand elsewhere than its outer one has it.
    """
    packages = {"mlxlint"}
    for module in {task.module for task in tasks}:
        parts = module.split(".")
        packages |= {".".join(parts[:count]) for count in range(1, max(2, len(parts)))}
    return {package: str(folder_around(sys.modules[package])) for package in sorted(packages)}


def folder_around(module: ModuleType) -> Path:
    """The folder that a package or a module is in."""
    if hasattr(module, "__path__"):
        return Path(next(iter(module.__path__))).resolve().parent
    return Path(module.__file__ or "").resolve().parent


class Pool:
    """Some workers and the tasks that wait for them."""

    def __init__(self, place: Place, limits: Limits, roots: Mapping[str, str], signals: Sequence[int] = ()) -> None:
        self.place, self.limits, self.roots, self.signals = place, limits, roots, signals
        self.workplace = Workplace()
        self.started = 0
        self.workers: list[Worker] = []
        self.waiting: deque[Job] = deque()
        self.results: dict[int, Verification] = {}
        self.facts: Facts | None = None

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.end()
        self.workplace.remove()

    def run(self, tasks: Sequence[Task], jobs: int) -> tuple[Facts, list[Verification]]:
        self.waiting.extend(Job(index, task) for index, task in enumerate(tasks))
        deadline = time.monotonic() + self.limits.total
        while self.waiting or self.facts is None or any(worker.job for worker in self.workers):
            if self.signals:
                raise SystemExit(128 + self.signals[0])
            if time.monotonic() > deadline:
                self.give_up()
                break
            self.staff(jobs)
            self.listen()
        if self.facts is None:
            raise VerifyError(f"no worker could be started within {self.limits.total:g} s")
        return self.facts, [self.results[index] for index in range(len(tasks))]

    def staff(self, jobs: int) -> None:
        """Start workers that are missing and hand waiting jobs to those that are idle."""
        for worker in [worker for worker in self.workers if worker.idle and worker.served]:
            if self.waiting and self.waiting[0].alone:
                self.dismiss(worker)
        wanted = min(jobs, len(self.waiting) + sum(1 for worker in self.workers if worker.job))
        while len(self.workers) < max(1, wanted):
            self.started += 1
            folder = self.workplace.path / str(self.started)
            self.workers.append(Worker(self.place, self.limits, self.roots, folder))
        for worker in self.workers:
            if worker.idle and self.waiting and not (self.waiting[0].alone and worker.served):
                worker.start(self.waiting.popleft())

    def listen(self) -> None:
        """Wait a moment for replies, then see to each worker."""
        fds = {fd: worker for worker in self.workers for fd in worker.open_fds}
        for fd in select.select(list(fds), [], [], TICK)[0]:
            fds[fd].read(fd)
        for worker in list(self.workers):
            if worker.facts is not None and self.facts is None:
                self.facts = worker.facts
            for reply in worker.take_replies():
                self.settle(worker, self.verification(reply))
            trouble = worker.trouble()
            if trouble is None:
                continue
            self.dismiss(worker)
            if worker.facts is None:
                raise MlxMissing(f"MLX cannot be imported by {self.place.python}: {trouble}")
            self.settle(worker, self.verdict("inconclusive", reason=trouble), again=not worker.timed_out)

    def settle(self, worker: Worker, result: Verification, again: bool = True) -> None:
        """Record a job's result. One that was not confirmed in a used worker is run once more, in a fresh one."""
        job, worker.job = worker.job, None
        if job is None:
            return
        if result.status in ("refuted", "inconclusive") and again and worker.served > 1 and not job.alone:
            self.waiting.append(Job(job.index, job.task, alone=True))
        else:
            self.results[job.index] = result

    def give_up(self) -> None:
        late = self.verdict(
            "inconclusive", reason=f"not run: the {self.limits.total:g} s for all reproductions were over"
        )
        for job in [*self.waiting, *(worker.job for worker in self.workers if worker.job)]:
            self.results[job.index] = late

    def dismiss(self, worker: Worker) -> None:
        self.workers.remove(worker)
        worker.end()

    def verdict(self, status: str, evidence: str | None = None, reason: str | None = None) -> Verification:
        device, mlx = (self.facts.device, self.facts.mlx) if self.facts else (None, None)
        return Verification(status, device, mlx, evidence, reason)

    def verification(self, reply: Mapping[str, Any]) -> Verification:
        """What a worker's reply means."""
        if "skipped" in reply:
            return self.verdict("skipped", reason=reply["skipped"])
        if "error" in reply:
            return self.verdict("inconclusive", reason=reply["error"])
        holds, text = reply["hazard"]
        works, remedy = reply.get("remedy") or (True, "")
        evidence = f"{text}; remedy: {remedy}" if remedy else text
        if not holds:
            return self.verdict("refuted", evidence)
        return self.verdict("confirmed", evidence, None if works else f"the remedy failed: {remedy}")


class Worker:
    """One process with its pipes and its temporary folder."""

    def __init__(self, place: Place, limits: Limits, roots: Mapping[str, str], folder: Path) -> None:
        self.limits = limits
        self.folder = folder
        self.folder.mkdir()
        self.job: Job | None = None
        self.served = 0
        self.facts: Facts | None = None
        self.timed_out = False
        self.deadline = time.monotonic() + limits.start_seconds
        self.buffer = b""
        self.tail = b""
        requests, self.requests = os.pipe()
        self.replies, replies = os.pipe()
        config = {
            "fds": (requests, replies),
            "device": place.device,
            "site": place.site,
            "roots": roots,
            "memory": limits.memory,
            "cpu_seconds": limits.cpu_seconds,
        }
        try:
            self.process = subprocess.Popen(
                [place.python, "-I", str(WORKER), json.dumps(config)],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(requests, replies),
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            os.close(self.requests)
            os.close(self.replies)
            raise MlxMissing(f"{place.python} cannot be started: {error.strerror}") from None
        finally:
            os.close(requests)
            os.close(replies)
        assert self.process.stdout
        self.output = self.process.stdout
        self.open_fds = {self.replies, self.output.fileno()}

    def environment(self) -> dict[str, str]:
        """A small environment of the worker's own; the folder's name marks every process that comes from it."""
        kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
        own = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), str(self.folder))
        return {
            **kept,
            **own,
            "MLXLINT_WORKER": f"{self.folder}/",
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
        }

    @property
    def idle(self) -> bool:
        return self.facts is not None and self.job is None

    def start(self, job: Job) -> None:
        self.job = job
        self.served += 1
        self.tail = b""
        self.deadline = time.monotonic() + self.limits.seconds
        request = {"module": job.task.module, "function": job.task.function, "parameters": job.task.parameters}
        with contextlib.suppress(BrokenPipeError):  # it has just ended; `trouble` finds out how
            os.write(self.requests, json.dumps(request).encode() + b"\n")

    def read(self, fd: int) -> None:
        """Take in what arrived: replies, or output, of which the end is kept to explain a crash."""
        data = os.read(fd, 1 << 16)
        if not data:
            self.open_fds.discard(fd)
        elif fd == self.replies:
            self.buffer += data
        else:
            self.tail = (self.tail + data)[-TAIL:]

    def take_replies(self) -> list[dict[str, Any]]:
        """Replies to jobs that have arrived in full.

        Raises:
            MlxMissing, DeviceUnavailable: when the worker says that it cannot serve.
        """
        if len(self.buffer) > LONGEST_REPLY:
            self.buffer = b'{"error": "the reply is too long"}\n'
        *lines, self.buffer = self.buffer.split(b"\n")
        replies = []
        for line in lines:
            try:
                reply = json.loads(line)
            except ValueError:
                reply = {"error": "the reply is not readable"}
            if "unusable" in reply:
                raise (MlxMissing if reply["unusable"] == "missing" else DeviceUnavailable)(reply["text"])
            if self.facts is None:
                self.facts = Facts(**reply)
            else:
                replies.append(reply)
        return replies

    def trouble(self) -> str | None:
        """Why this worker cannot go on, or None."""
        code = self.process.poll()
        if (
            code is not None
            and self.replies in select.select([self.replies], [], [], 0)[0]
            and self.replies in self.open_fds
        ):
            return None  # its last words come first
        if code is not None:
            return f"{ending(code)}{self.last_words()}"
        if (self.job or self.facts is None) and time.monotonic() > self.deadline:
            self.timed_out = True
            return f"no result within {self.limits.seconds if self.job else self.limits.start_seconds:g} s"
        if self.job and resident_bytes(self.process.pid) > self.limits.memory:
            return f"used more than {self.limits.memory >> 20} MiB of memory"
        return None

    def last_words(self) -> str:
        lines = self.tail.decode(errors="replace").split("\n")
        words = [" ".join(line.split()) for line in lines if line.strip()]
        return f" ({words[-1][:160]})" if words else ""

    def end(self) -> None:
        """Kill the process and all that came from it; remove its folder."""
        for _ in range(5):
            kill_group(self.process.pid)
            if not kill_marked(f"{self.folder}/"):
                break
        self.process.wait()
        self.output.close()
        os.close(self.requests)
        os.close(self.replies)
        shutil.rmtree(self.folder, ignore_errors=True)


def ending(code: int) -> str:
    if code >= 0:
        return f"ended its process with exit code {code}"
    try:
        return f"ended its process by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended its process by signal {-code}"


def resident_bytes(pid: int) -> int:
    """Memory that a process holds; 0 when it is gone."""
    try:
        if sys.platform == "linux":
            return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return int(shown.stdout or 0) * 1024
    except (OSError, ValueError):
        return 0


def kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter on macOS, for a group of zombies
        os.killpg(pid, signal.SIGKILL)
