"""Verification end to end: statuses, parameters, and what a reproduction can do to the run (nothing)."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import venv
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlxlint.registry import by_name, rules, rules_in
from mlxlint.rule import Confidence, Finding, Literal, Position, Rule, Severity, Verification
from mlxlint.verify import DeviceUnavailable, Limits, MlxMissing, Place, VerifyError, run_one, verify
from mlxlint.verify.check import with_verification
from mlxlint.verify.pool import WORKER, Facts, roots
from mlxlint.verify.workplace import Workplace

pytest.importorskip("mlx.core")

QUICK = Limits(seconds=3, cpu_seconds=20, memory=512 << 20)
HEAD = """
from __future__ import annotations
import os, sys, time
from typing import Annotated, Literal, Optional
from mlxlint.rule import Evidence, Kind, Observation, Rule, Severity, Skipped

class Sample(Rule):
    kind = Kind.CRASH
    severity = Severity.ERROR
    message = "sample"
"""


def returned(hazard: bool = True, remedy: bool = True) -> str:
    return f'return Evidence(Observation({hazard}, "seen"), Observation({remedy}, "tried"))'


TRUE = returned()

PACK = {
    "holds": f"def repro(size: int = 3) -> Evidence:\n    {TRUE}",
    "fails": f"def repro() -> Evidence:\n    {returned(hazard=False)}",
    "remedy_fails": f"def repro() -> Evidence:\n    {returned(remedy=False)}",
    "raises": 'def repro() -> Evidence:\n    raise ValueError("two\\nlines\\x1b[31m")',
    "skips": 'def repro() -> Evidence:\n    raise Skipped("needs a GPU")',
    "returns_nothing": "def repro() -> None:\n    pass",
    "no_reproduction": "",
    "masked_read": """
        def repro(size: int = 3) -> Evidence:
            import mlx.core as mx
            from mlxlint.rule import agrees, raises
            x = mx.arange(size)
            return Evidence(raises(lambda: x[x > 0], ValueError), agrees(mx.where(x > 0, x, 0), list(range(size))))
    """,
    "echo": """
        def repro(
            flag: bool = True, number: float = 0.0, size: int = 1, wide: Annotated[int, range(2**40)] = 0,
            word: str = "a", mode: Literal["a b", "c"] = "c", shape: tuple[int, ...] = (1, 2),
            pair: tuple[int, Optional[str]] = (1, None),
        ) -> Evidence:
            given = (flag, number, size, wide, word, mode, shape, pair)
            return Evidence(Observation(True, repr(given)), Observation(True, ""))
    """,
    "counts": """
        runs = []

        @staticmethod
        def repro(size: int = 1) -> Evidence:
            Sample.runs.append(size)
            return Evidence(Observation(True, f"size {size}, run {len(Sample.runs)}"), Observation(True, ""))
    """,
    "segfaults": "def repro() -> Evidence:\n    import ctypes\n    ctypes.string_at(0)",
    "aborts": 'def repro() -> Evidence:\n    os.write(2, b"terminate called: what(): bad\\n")\n    os.abort()',
    "hangs": 'def repro() -> Evidence:\n    open("hanging", "w").close()\n    time.sleep(1000)',
    "starts_others": """
        def repro() -> Evidence:
            import subprocess
            subprocess.Popen(["sleep", "1000"])
            subprocess.Popen(["sleep", "1000"], start_new_session=True)
            open("hanging", "w").close()
            time.sleep(1000)
    """,
    "spins": "def repro() -> Evidence:\n    while True: pass",
    "allocates": "def repro() -> Evidence:\n    kept = []\n    while True: kept.append(bytearray(1 << 24))",
    "allocates_in_mlx": """
        def repro() -> Evidence:
            import mlx.core as mx
            kept = []
            while True:
                kept.append(mx.ones((1 << 22,)) + 1)
                mx.eval(kept)
    """,
    "prints": f"""
        def repro() -> Evidence:
            for _ in range(8):
                os.write(1, b"x" * (1 << 20))
                print("y" * 99999)
            {TRUE}
    """,
    "answers_at_length": """
        def repro() -> Evidence:
            return Evidence(Observation(True, "z" * 10**7), Observation(True, ""))
    """,
    "kills_itself": "def repro() -> Evidence:\n    os.kill(os.getpid(), 9)",
    "kills_its_group": "def repro() -> Evidence:\n    os.killpg(0, 15)",
    "kills_itself_later": f"""
        def repro() -> Evidence:
            import threading
            threading.Timer(0.05, os.kill, (os.getpid(), 9)).start()
            {TRUE}
    """,
    "exits": "def repro() -> Evidence:\n    sys.exit(0)",
    "exits_at_once": "def repro() -> Evidence:\n    os._exit(0)",
    "interrupts": "def repro() -> Evidence:\n    raise KeyboardInterrupt",
    "closes_everything": f"def repro() -> Evidence:\n    os.closerange(0, 4096)\n    {TRUE}",
    "forks": f"def repro() -> Evidence:\n    if os.fork() == 0: time.sleep(1000)\n    {TRUE}",
    "forks_twice": f"def repro() -> Evidence:\n    os.fork()\n    {TRUE}",
    "leaves_daemons": f"""
        def repro() -> Evidence:
            import subprocess
            if os.fork() == 0:
                os.setsid()
                subprocess.Popen(["sleep", "1000"], start_new_session=True)
                os._exit(0)
            os.wait()
            {TRUE}
    """,
    "leaves_files": f"""
        def repro() -> Evidence:
            import tempfile
            tempfile.mkdtemp()
            open("left", "w").close()
            open(os.path.expanduser("~/left"), "w").close()
            {TRUE}
    """,
    "changes_state": f"""
        def repro() -> Evidence:
            import mlx.core as mx
            mx.disable_compile()
            mx.set_default_stream(mx.new_stream(mx.cpu))
            os.environ["HOME"] = os.sep
            os.chdir(os.sep)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 1)
            {TRUE}
    """,
    "connects": """
        def repro() -> Evidence:
            import socket
            socket.create_connection(("127.0.0.1", 9), timeout=1)
    """,
}


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Rule]]:
    """A rule pack on disk, as a third party would write it."""
    folder = tmp_path_factory.mktemp("packs")
    package = folder / "sample_pack"
    package.mkdir()
    (package / "__init__.py").touch()
    for number, (name, body) in enumerate(PACK.items()):
        method = textwrap.dedent(body).strip()
        if method.startswith("def"):
            method = f"@staticmethod\n{method}"
        text = f'{HEAD}    code = "TST{number:03}"\n{textwrap.indent(method, "    ")}\n'
        (package / f"{name}.py").write_text(text)
    sys.path.insert(0, str(folder))
    try:
        yield {rule.name.replace("-", "_"): rule() for rule in rules_in("sample_pack")}
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.startswith("sample_pack")]:
            del sys.modules[name]


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where workers of this test have their folders. No test leaves a file there, nor a process that came from it."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not leftovers(folder)


def leftovers(workplace: Path) -> list[str]:
    """Files in a folder, and processes whose own temporary folder is in there."""
    return running(workplace) + [path.name for path in workplace.iterdir()]


def running(workplace: Path) -> list[str]:
    """The names of processes whose own temporary folder is in a folder (Linux)."""
    names = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"TMPDIR={workplace}/".encode() in entry.read_bytes():
                names.append((entry.parent / "comm").read_text().strip())
    return names


def finding(rule: Rule, parameters: Mapping[str, Literal] | None = {}) -> Finding:
    start = Position(1, 1)
    return Finding(
        code=rule.code, name=rule.name, message=rule.message, path="a.py", severity=rule.severity, kind=rule.kind,
        confidence=Confidence.CERTAIN, start=start, end=start, offsets=(0, 1), repro=parameters,
    )  # fmt: skip


def verified(pack: dict[str, Rule], names: list[str], **options: Any) -> dict[str, Finding]:
    known = {rule.code: rule for rule in pack.values()}
    found = verify([finding(pack[name]) for name in names], "cpu", **{"limits": QUICK, "known": known, **options})
    assert [result.code for result in found] == [pack[name].code for name in names]
    return dict(zip(names, found, strict=True))


def statuses(findings: Mapping[str, Finding]) -> dict[str, tuple[str, str]]:
    results = {name: result.verification for name, result in findings.items()}
    return {name: (result.status, result.reason or "") for name, result in results.items() if result}


def test_what_a_reproduction_shows_is_the_status(pack: dict[str, Rule]) -> None:
    names = ["holds", "fails", "remedy_fails", "raises", "skips", "returns_nothing", "no_reproduction", "masked_read"]
    found = verified(pack, names)
    assert statuses(found) == {
        "holds": ("confirmed", ""),
        "fails": ("refuted", ""),
        "remedy_fails": ("confirmed", "the remedy failed: tried"),
        "raises": ("inconclusive", "ValueError: two lines [31m"),
        "skips": ("skipped", "needs a GPU"),
        "returns_nothing": ("inconclusive", "returned NoneType, not Evidence"),
        "no_reproduction": ("skipped", "this finding has no reproduction"),
        "masked_read": ("confirmed", ""),
    }
    holds = found["holds"].verification
    assert holds
    assert (holds.device, holds.evidence) == ("cpu", "seen; remedy: tried")
    assert {result.verification.mlx for result in found.values() if result.verification} == {holds.mlx}
    masked = found["masked_read"].verification
    assert masked
    assert masked.evidence
    assert masked.evidence.startswith("ValueError: ")


def test_a_refuted_finding_is_information(pack: dict[str, Rule]) -> None:
    found = verified(pack, ["holds", "fails"])
    gone = found["fails"]
    assert gone.verification
    assert gone.severity is Severity.INFO
    assert gone.message == f"sample (MLX {gone.verification.mlx} no longer does this)"
    assert found["holds"].severity is Severity.ERROR


@pytest.mark.parametrize(("code", "installed"), [("MLX101", "MLX 0.99"), ("MLX701", "MLX-LM 0.88")])
def test_what_is_gone_is_gone_from_the_package_that_the_rule_is_about(code: str, installed: str) -> None:
    found = replace(finding(rules()[code]), message="sample")
    result = with_verification(found, Verification("refuted"), Facts("cpu", "0.99", "0.88", "Linux-x86_64"))
    assert result.message == f"sample ({installed} no longer does this)"


def test_a_finding_without_parameters_is_skipped(pack: dict[str, Rule]) -> None:
    (result,) = verify([finding(pack["holds"], None)], "cpu", limits=QUICK, known={pack["holds"].code: pack["holds"]})
    assert result.verification
    assert result.verification.status == "skipped"


def test_parameters_arrive_as_they_were(pack: dict[str, Rule]) -> None:
    given: dict[str, Literal] = {
        "flag": False,
        "number": float("-inf"),
        "wide": 2**39,
        "mode": "a b",
        "shape": (),
        "pair": (2, "x"),
    }
    result = run_one(pack["echo"], given, "cpu", limits=QUICK)
    assert result.evidence == "(False, -inf, 1, 549755813888, 'a', 'a b', (), (2, 'x'))"


@pytest.mark.parametrize(
    "parameters",
    [
        {"flag": 1}, {"size": True}, {"size": 5000}, {"size": 10**30}, {"size": float("nan")}, {"size": None},
        {"wide": 2**40}, {"wide": -1}, {"number": "1"}, {"number": 10**9}, {"word": "a" * 65}, {"word": "a\n"},
        {"word": "__import__('os')"}, {"word": "../etc"}, {"word": "{0.__class__}"}, {"word": b"a"}, {"mode": "a"},
        {"shape": (1,) * 17}, {"shape": [1, 2]}, {"shape": (4096, 4096, 4096)}, {"shape": ("1",)}, {"pair": (1,)},
        {"pair": (1, 2)}, {"unknown": 1},
    ],
)  # fmt: skip
def test_parameters_that_do_not_fit_are_never_run(pack: dict[str, Rule], parameters: dict[str, Any]) -> None:
    result = run_one(pack["echo"], parameters, "cpu", limits=QUICK)
    assert result.status == "skipped"
    assert (result.reason or "").startswith("parameters out of range: ")


MISBEHAVING = {
    "segfaults": "SIGSEGV",
    "aborts": "SIGABRT (terminate called: what(): bad)",
    "hangs": "no result within 3 s",
    "allocates": "",
    "allocates_in_mlx": "",
    "kills_itself": "SIGKILL",
    "kills_its_group": "SIGTERM",
    "exits": "SystemExit: 0",
    "exits_at_once": "exit code 0",
    "interrupts": "KeyboardInterrupt",
    "closes_everything": "ended its process",
    "connects": "OSError: reproductions have no network",
}


def test_misbehaviour_costs_only_itself(pack: dict[str, Rule]) -> None:
    names = [name for bad in MISBEHAVING for name in (bad, "holds")]
    rules = {rule.code: rule for rule in pack.values()}
    findings = [finding(pack[name], {"size": at} if name == "holds" else {}) for at, name in enumerate(names)]
    results = verify(findings, "cpu", limits=QUICK, known=rules)
    for name, result in zip(names, results, strict=True):
        assert result.verification
        expected = "inconclusive" if name in MISBEHAVING else "confirmed"
        assert (name, result.verification.status) == (name, expected), result.verification
        assert MISBEHAVING.get(name, "") in (result.verification.reason or "")


def test_output_and_children_do_not_get_in_the_way(pack: dict[str, Rule], capfd: pytest.CaptureFixture[str]) -> None:
    names = [
        "prints",
        "answers_at_length",
        "forks",
        "forks_twice",
        "leaves_daemons",
        "leaves_files",
        "changes_state",
        "masked_read",
    ]
    found = verified(pack, names, jobs=1)
    assert set(statuses(found).values()) == {("confirmed", "")}
    evidence = found["answers_at_length"].verification
    assert evidence
    assert evidence.evidence
    assert len(evidence.evidence) <= 300
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_dies_between_two_reproductions_is_replaced(pack: dict[str, Rule]) -> None:
    rule = pack["holds"]
    findings = [finding(pack["kills_itself_later"]), *(finding(rule, {"size": size}) for size in range(300))]
    known = {one.code: one for one in (rule, pack["kills_itself_later"])}
    results = verify(findings, "cpu", limits=QUICK, known=known, jobs=1)
    assert {result.verification.status for result in results if result.verification} == {"confirmed"}
    (alone,) = verify(findings[:1], "cpu", limits=QUICK, known=known)
    assert alone.verification
    assert alone.verification.status == "confirmed"


def test_processor_time_is_limited(pack: dict[str, Rule]) -> None:
    result = run_one(pack["spins"], {}, "cpu", limits=Limits(seconds=20, cpu_seconds=0.5))
    assert result.status == "inconclusive"
    assert "SIGXCPU" in (result.reason or "")


def test_the_whole_run_is_limited(pack: dict[str, Rule]) -> None:
    start = time.monotonic()
    found = verified(pack, ["hangs", "holds"], jobs=1, limits=Limits(seconds=60, total=2))
    assert time.monotonic() - start < 20
    assert statuses(found)["hangs"] == ("inconclusive", "not run: the 2 s for all reproductions were over")


def test_equal_parameters_run_once(pack: dict[str, Rule]) -> None:
    rule = pack["counts"]
    findings = [finding(rule, {"size": size}) for size in (1, 2) * 500]
    results = verify([*findings, finding(rule)], "cpu", limits=QUICK, known={rule.code: rule}, jobs=1)
    evidence = [result.verification.evidence for result in results if result.verification]
    assert evidence == ["size 1, run 1", "size 2, run 2"] * 500 + ["size 1, run 1"]


def test_a_device_that_is_missing_is_said(pack: dict[str, Rule]) -> None:
    absent = "cuda" if sys.platform == "darwin" else "metal"
    with pytest.raises(DeviceUnavailable, match=f"device `{absent}` is not available here"):
        run_one(pack["holds"], {}, absent, limits=QUICK)


@pytest.mark.parametrize("start", ["raise ImportError('no wheel')", "import os; os.abort()"])
def test_mlx_that_cannot_be_imported_is_said(pack: dict[str, Rule], tmp_path: Path, start: str) -> None:
    (tmp_path / "mlx").mkdir()
    (tmp_path / "mlx" / "__init__.py").write_text(start)
    with pytest.raises(MlxMissing, match="MLX cannot be imported by"):
        run_one(pack["holds"], {}, place=Place(site=(str(tmp_path),)), limits=QUICK)


def test_a_python_that_does_not_exist_is_said(pack: dict[str, Rule]) -> None:
    with pytest.raises(VerifyError, match="cannot be started"):
        run_one(pack["holds"], {}, place=Place(python="/nowhere/python"), limits=QUICK)


def test_a_fact_that_is_broken_on_purpose_is_refuted(pack: dict[str, Rule], tmp_path: Path) -> None:
    """An ``mlx.core`` that stands before the real one and lets masks be read."""
    real = subprocess.run(
        [sys.executable, "-Ic", "import mlx.core; print(mlx.core.__file__)"], capture_output=True, text=True, check=True
    ).stdout.strip()
    (tmp_path / "mlx").mkdir()
    (tmp_path / "mlx" / "core.py").write_text(
        textwrap.dedent(f"""
        import importlib.machinery, importlib.util, sys
        loader = importlib.machinery.ExtensionFileLoader("mlx.core", {real!r})
        core = importlib.util.module_from_spec(importlib.util.spec_from_loader("mlx.core", loader))
        loader.exec_module(core)
        sys.modules["mlx.core"] = core
        read = core.array.__getitem__
        def __getitem__(self, index):
            if isinstance(index, core.array) and index.dtype == core.bool_:
                return self
            return read(self, index)
        core.array.__getitem__ = __getitem__
    """)
    )
    result = run_one(pack["masked_read"], {}, place=Place(site=(str(tmp_path),)), limits=QUICK)
    assert (result.status, result.evidence) == ("refuted", "no exception; remedy: [0, 1, 2], expected [0, 1, 2]")


def start_hanging(workplace: Path, name: str = "hangs", before: str = "") -> subprocess.Popen[str]:
    """A process of its own that verifies a reproduction which hangs; returns when its worker is up."""
    root = Path(sys.modules["sample_pack"].__path__[0]).parent
    script = f"""
        import signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job is started without
        sys.path.insert(0, {str(root)!r})
        from sample_pack.{name} import Sample
        from mlxlint.verify import run_one
        {before}
        run_one(Sample(), {{}}, "cpu")
    """
    environment = {**os.environ, "TMPDIR": str(workplace)}
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], env=environment, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 20
    while not list(workplace.glob("*/*/hanging")) and time.monotonic() < deadline:
        time.sleep(0.05)
    return process


def test_an_interrupt_stops_at_once(pack: dict[str, Rule], workplace: Path) -> None:
    process = start_hanging(workplace)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert time.monotonic() - start < 5
    assert "KeyboardInterrupt" in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_being_asked_to_end_ends_all(pack: dict[str, Rule], workplace: Path, number: signal.Signals) -> None:
    process = start_hanging(workplace, before=f"signal.signal({number:d}, signal.SIG_DFL)")  # may be ignored here
    process.send_signal(number)
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (-number, "")
    assert not leftovers(workplace)


def test_signals_that_are_ignored_stay_so(pack: dict[str, Rule], workplace: Path) -> None:
    process = start_hanging(workplace, before="signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == -signal.SIGTERM


def test_workers_do_not_outlive_their_parent(pack: dict[str, Rule], workplace: Path) -> None:
    process = start_hanging(workplace, "starts_others")
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 5
    while set(running(workplace)) - {"sleep"} and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "sleep" in running(workplace)  # in a session of its own: the next run ends it
    assert set(running(workplace)) == {"sleep"}
    assert run_one(pack["holds"], {}, "cpu", limits=QUICK).status == "confirmed"
    assert not leftovers(workplace)


def test_a_worker_ends_when_nobody_can_ask_it_any_more() -> None:
    """Whatever the kernel does for it: the pipe of requests closes while a reproduction runs."""
    requests, end = os.pipe()
    replies, answers = os.pipe()
    config = {
        "fds": (requests, answers), "device": "cpu", "site": [], "roots": roots([]),
        "memory": 1 << 31, "cpu_seconds": 60,
    }  # fmt: skip
    command = [sys.executable, "-I", str(WORKER), json.dumps(config)]
    worker = subprocess.Popen(command, pass_fds=(requests, answers), start_new_session=True)
    assert os.read(replies, 1 << 12)
    os.write(end, b'{"module": "time", "function": "sleep", "parameters": {"seconds": 1000}}\n')
    os.close(end)
    os.close(requests)
    assert worker.wait(timeout=10) == -signal.SIGKILL
    os.close(replies)
    os.close(answers)


def test_folders_of_runs_that_live_and_of_others_stay(pack: dict[str, Rule], workplace: Path) -> None:
    living = Workplace()
    foreign = workplace / "mlxlint-of-another-tool"
    foreign.mkdir()
    assert run_one(pack["holds"], {}, "cpu", limits=QUICK).status == "confirmed"
    assert set(workplace.iterdir()) == {living.path, foreign}
    living.remove()
    foreign.rmdir()


def test_another_python_is_lent_mlxlint_and_its_rules(tmp_path: Path) -> None:
    venv.create(tmp_path / "other", symlinks=True, with_pip=False)
    site = next((tmp_path / "other" / "lib").glob("python*/site-packages"))
    packages = {spec.origin for name in ("libcst", "mlx.core") if (spec := importlib.util.find_spec(name))}
    folders = {str(Path(origin).parent.parent) for origin in packages if origin}
    (site / "packages.pth").write_text("\n".join(folders))
    place = Place("cpu", python=str(tmp_path / "other" / "bin" / "python"))
    result = run_one(by_name()["boolean-mask-read"], {}, place=place)
    assert (result.status, result.reason) == ("confirmed", None)
