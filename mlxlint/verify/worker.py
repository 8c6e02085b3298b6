"""The process in which reproductions run: started by path with ``python -I``, it imports MLX once and then answers.

Only the standard library is imported before the parent's configuration is in force. Requests and replies are JSON, one
a line, on two pipes of their own, so that whatever a reproduction prints goes elsewhere.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import queue
import random
import resource
import signal
import socket
import struct
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PR_SET_PDEATHSIG = 1
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
TEXT_LIMIT = 300


class Unusable(Exception):
    """This process cannot serve; arguments: what is wrong (``missing`` or ``device``) and one line saying it."""


def main() -> None:
    config = json.loads(sys.argv[1])
    requests, replies = config["fds"]
    for fd in (requests, replies):
        os.set_inheritable(fd, False)
    confine()
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=take_requests, args=(requests, waiting), daemon=True).start()
    sys.path[:0] = config["site"]
    for package, root in config["roots"].items():
        if importlib.util.find_spec(package) is None:
            outer = package.rpartition(".")[0]
            (sys.modules[outer].__path__ if outer else sys.path).append(root)
    try:
        session = Session(config["device"], config["memory"])
    except Unusable as trouble:
        send(replies, dict(zip(("unusable", "text"), trouble.args, strict=True)))
        os._exit(0)
    send(replies, session.facts)
    own_pid = os.getpid()
    while True:
        reply = session.answer(json.loads(waiting.get()), config["cpu_seconds"])
        if os.getpid() != own_pid:  # a reproduction forked and its child came back here
            os._exit(0)
        send(replies, reply)


def take_requests(fd: int, waiting: queue.SimpleQueue[bytes]) -> None:
    """Hand on what the parent asks for. When it is gone, so is this process, at once, and what it started."""
    with os.fdopen(fd, "rb", buffering=0, closefd=False) as lines:
        for line in lines:
            waiting.put(line)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)  # MLX can abort in destructors at a regular exit


def send(fd: int, message: dict[str, Any]) -> None:
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(fd, data) :]


def confine() -> None:
    """No core dumps, no network, and no life after the parent's.

    On Linux the network is gone for all code where the kernel lets a process leave it; elsewhere Python's sockets
    refuse, and C++ code could still reach it.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        leave_network(libc)
    sys.addaudithook(refuse_network)


def leave_network(libc: ctypes.CDLL) -> None:
    """Move into an empty network namespace, where the kernel allows it; its loopback leads nowhere else."""
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWNET) != 0:
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
            return
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with contextlib.suppress(OSError), open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))


def refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: Python code cannot reach the network, also where the kernel would let it."""
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.bind"):
        raise OSError("reproductions have no network")


class Session:
    """MLX on one device, and the state to which it is put back before each reproduction.

    Raises:
        Unusable: when MLX cannot be imported or the device asked for is not there.
    """

    def __init__(self, device: str, memory: int) -> None:
        try:
            import mlx.core as mx
        except ImportError as error:
            raise Unusable("missing", f"MLX cannot be imported by {sys.executable}: {one_line(error)}") from None
        try:
            import mlxlint.rule  # noqa: F401
        except ImportError as error:
            raise Unusable("missing", f"mlxlint cannot be imported by {sys.executable}: {one_line(error)}") from None
        self.mx = mx
        self.device = choose(device, mx)
        if sys.platform == "linux" and self.device == "cpu":  # a GPU's driver maps far more than it uses
            limit = mapped_bytes() + 2 * memory  # a backstop: the parent watches what is in use
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        mx.set_default_device(mx.cpu if self.device == "cpu" else mx.gpu)
        self.stream = mx.default_stream(mx.default_device())
        self.folder = os.getcwd()
        self.environment = dict(os.environ)
        self.outputs = [os.dup(fd) for fd in range(3)]
        self.facts = {
            "device": self.device,
            "mlx": mx.__version__,
            "mlx_lm": installed("mlx-lm"),
            "platform": f"{platform.system()}-{platform.machine()}",
        }

    def answer(self, request: dict[str, Any], cpu_seconds: float) -> dict[str, Any]:
        """Run the function that a request names: what it observed, or why it did not get that far."""
        from mlxlint.rule import Evidence, Observation, Skipped

        self.reset()
        spent = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(spent + cpu_seconds) + 1, hard))
        try:
            with warnings.catch_warnings():
                function = resolve(request["module"], request["function"])
                outcome = function(**{name: restored(value) for name, value in request["parameters"].items()})
            if isinstance(outcome, Observation):
                return {"hazard": plain(outcome)}
            if isinstance(outcome, Evidence):
                return {"hazard": plain(outcome.hazard), "remedy": plain(outcome.remedy)}
            return {"error": f"returned {type(outcome).__name__}, not Evidence"}
        except Skipped as why:
            return {"skipped": one_line(why)}
        except ModuleNotFoundError as error:
            return {"skipped": f"needs {error.name}, which is not installed"}
        except BaseException as error:  # SystemExit included: a reproduction does not end the worker
            return {"error": f"{type(error).__name__}: {one_line(error)}".rstrip(": ")}

    def reset(self) -> None:
        """Undo what a reproduction before this one may have changed."""
        for fd, original in enumerate(self.outputs):
            os.dup2(original, fd)
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        gc.collect()
        gc.freeze()  # what is alive now stays: the next collection need not look at it
        random.seed(0)
        self.mx.set_default_device(self.mx.cpu if self.device == "cpu" else self.mx.gpu)
        self.mx.set_default_stream(self.stream)
        self.mx.random.seed(0)
        self.mx.enable_compile()


def choose(device: str, mx: Any) -> str:
    """The device to use: the one asked for, or Metal, else CUDA, else the CPU."""
    present = [name for name in ("metal", "cuda") if hasattr(mx, name) and getattr(mx, name).is_available()] + ["cpu"]
    if device != "auto" and device not in present:
        raise Unusable(
            "device", f"device `{device}` is not available here (MLX {mx.__version__} has {', '.join(present)})"
        )
    return present[0] if device == "auto" else device


def installed(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def mapped_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def resolve(module: str, function: str) -> Callable[..., Any]:
    found: Any = importlib.import_module(module)
    for name in function.split("."):
        found = getattr(found, name)
    return found  # type: ignore[no-any-return]


def restored(value: Any) -> Any:
    """A literal as it was before JSON made lists of its tuples."""
    return tuple(restored(part) for part in value) if isinstance(value, list) else value


def plain(observation: Any) -> tuple[bool, str]:
    return bool(observation.holds), one_line(observation.text)


def one_line(text: object) -> str:
    """Text fit for one line of a report: no line breaks, no control characters, not endless."""
    line = " ".join("".join(part if part.isprintable() else " " for part in str(text)[: 4 * TEXT_LIMIT]).split())
    return line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 3] + "..."


if __name__ == "__main__":
    main()
