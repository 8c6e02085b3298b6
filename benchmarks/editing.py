#!/usr/bin/env python3
"""How long findings take to follow what is typed, and what a long session costs in memory.

    python benchmarks/editing.py                       200 edits of a module of MLX-LM, one after the other
    python benchmarks/editing.py --file PATH           of another file; its folder is the project
    python benchmarks/editing.py --edits 10000         a long session
    python benchmarks/editing.py --burst 20            as fast as keys repeat: so many edits before findings are awaited

A real session: the server in its own process, a client that opens the file, changes it by ranges as an editor does and
waits for the diagnostics of each version. Edits are what people type: a letter of a comment, a number, a line and its
removal, the beginning of a statement that does not parse yet. Memory is that of the server and of the process it lints
in, without what they share. The exit code is 1 when the median is above --limit, or memory grew by more than a tenth
from a tenth of the session on.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lsprotocol import types
from pygls.lsp.client import LanguageClient

LIMIT = 0.150
MODULE = "models/muse_spark.py"  # of MLX-LM: a thousand lines
PATIENCE = 60.0


class Edit(NamedTuple):
    row: int
    column: int
    removed: int
    text: str


class Editor:
    """A client with one file open."""

    def __init__(self, path: Path) -> None:
        self.lines = path.read_text(encoding="utf-8").splitlines()
        self.uri = path.as_uri()
        self.version = 0
        self.shown = asyncio.Event()
        self.shown_version = 0
        self.findings = 0
        self.client = LanguageClient("benchmark", "1")
        self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(lambda params: self._show(params))

    def _show(self, params: types.PublishDiagnosticsParams) -> None:
        if params.uri == self.uri:
            self.shown_version, self.findings = params.version or 0, len(params.diagnostics)
            self.shown.set()

    async def open(self, folder: Path) -> None:
        await self.client.start_io(sys.executable, "-m", "mlxlint", "server")
        folders = [types.WorkspaceFolder(folder.as_uri(), folder.name)]
        await self.client.initialize_async(
            types.InitializeParams(types.ClientCapabilities(), workspace_folders=folders)
        )
        self.client.initialized(types.InitializedParams())
        self.version = 1
        item = types.TextDocumentItem(self.uri, "python", 1, "\n".join(self.lines) + "\n")
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        await self.settled()

    async def close(self) -> None:
        await self.client.shutdown_async(None)
        self.client.exit(None)
        await self.client.stop()

    def make(self, edit: Edit) -> None:
        line = self.lines[edit.row]
        changed = line[: edit.column] + edit.text + line[edit.column + edit.removed :]
        self.lines[edit.row : edit.row + 1] = changed.split("\n")
        start, end = (types.Position(edit.row, edit.column + width) for width in (0, edit.removed))
        self.version += 1
        change = types.TextDocumentContentChangePartial(types.Range(start, end), edit.text)
        identifier = types.VersionedTextDocumentIdentifier(self.version, self.uri)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [change]))

    def remove_line(self, row: int) -> None:
        del self.lines[row]
        self.version += 1
        range = types.Range(types.Position(row, 0), types.Position(row + 1, 0))
        identifier = types.VersionedTextDocumentIdentifier(self.version, self.uri)
        change = types.TextDocumentContentChangePartial(range, "")
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [change]))

    async def settled(self) -> None:
        while self.shown_version < self.version:
            self.shown.clear()
            await asyncio.wait_for(self.shown.wait(), PATIENCE)

    def memory(self) -> int:
        """Bytes that the server and its processes have for themselves."""
        rows = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=True).stdout
        table = [tuple(map(int, row.split())) for row in rows.splitlines()]
        server = self.client._server
        family = {server.pid} if server is not None else set()
        for _ in range(3):
            family |= {pid for pid, parent, _ in table if parent in family}
        return sum(rss for pid, _, rss in table if pid in family) * 1024


def typed(editor: Editor, chance: random.Random) -> Iterator[None]:
    """Edits without end; each is made when the next is asked for, and taken back two later."""
    while True:
        row = chance.choice([i for i, line in enumerate(editor.lines) if line.strip() and "\\" not in line])
        line = editor.lines[row]
        indent = line[: len(line) - len(line.lstrip())]
        kind = chance.choice(("comment", "line", "number", "half"))
        if kind == "comment":
            for letter in "  # why":
                editor.make(Edit(row, len(editor.lines[row]), 0, letter))
                yield
            editor.make(Edit(row, len(line), len("  # why"), ""))
        elif kind == "line":
            editor.make(Edit(row, 0, 0, f"{indent}pass\n"))
            yield
            editor.remove_line(row)
        elif kind == "half":
            editor.make(Edit(row, 0, 0, f"{indent}x = (\n"))
            yield
            editor.remove_line(row)
        else:
            digits = [at for at, letter in enumerate(line) if letter.isdigit()]
            if not digits:
                continue
            at = chance.choice(digits)
            editor.make(Edit(row, at, 1, "7"))
            yield
            editor.make(Edit(row, at, 1, line[at]))
        yield


async def session(path: Path, folder: Path, edits: int, burst: int) -> tuple[list[float], list[int], int]:
    """Seconds from each edit (the last of a burst) to its findings, memory along the way, and findings at the end."""
    editor = Editor(path)
    await editor.open(folder)
    changes = typed(editor, random.Random(0))
    times, memory = [], []
    for number in range(edits):
        next(changes)
        if number % burst == burst - 1:
            begun = time.perf_counter()
            await editor.settled()
            times.append(time.perf_counter() - begun)
        if number % max(edits // 20, 1) == 0:
            memory.append(editor.memory())
    await editor.settled()
    memory.append(editor.memory())
    await editor.close()
    return times, memory, editor.findings


def project(scratch: Path) -> Path:
    """A copy of MLX-LM, as a project of its own."""
    spec = importlib.util.find_spec("mlx_lm")
    if spec is None or spec.origin is None:
        sys.exit('needs mlx-lm, or --file: pip install "mlxlint[verify]"')
    shutil.copytree(Path(spec.origin).parent, scratch / "mlx_lm", ignore=shutil.ignore_patterns("__pycache__"))
    return scratch / "mlx_lm" / MODULE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--burst", type=int, default=1)
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds [%(default)s]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        path = options.file.resolve() if options.file else project(Path(scratch).resolve())
        folder = path.parent if options.file else Path(scratch).resolve()
        lines = len(path.read_text(encoding="utf-8").splitlines())
        times, memory, findings = asyncio.run(session(path, folder, options.edits, options.burst))
    median = statistics.median(times)
    slow, slowest = sorted(times)[int(len(times) * 0.95)], max(times)
    print(f"{path.name}: {lines} lines, {findings} findings, {options.edits} edits")
    print(f"median {median * 1000:.0f} ms, 95 % {slow * 1000:.0f} ms, most {slowest * 1000:.0f} ms")
    early, late = memory[max(len(memory) // 10, 1)], memory[-1]
    print(f"memory {early / 1e6:.0f} MB early, {late / 1e6:.0f} MB at the end, {max(memory) / 1e6:.0f} MB at most")
    return int(median > options.limit or late > 1.1 * early)


if __name__ == "__main__":
    sys.exit(main())
