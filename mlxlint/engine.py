"""One source to findings: parse once, infer once, hand each node to the rules that ask for its type."""

from __future__ import annotations

from mlxlint import nodes  # before LibCST itself

# isort: split
import ast
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

import libcst as cst

from mlxlint.context import Context
from mlxlint.evidence import package_of
from mlxlint.model.finder import Finder
from mlxlint.model.project import Project
from mlxlint.model.values import Either
from mlxlint.parse import with_deep_stack
from mlxlint.positions import Offsets, offsets
from mlxlint.rule import (
    Confidence,
    Edit,
    Finding,
    Fix,
    Insert,
    InsertStatement,
    NodeEdit,
    NodeFix,
    Reason,
    RemoveStatement,
    Replace,
    Report,
    Rule,
    Span,
)
from mlxlint.source import Source
from mlxlint.target import target
from mlxlint.tool import tool_finding

assert nodes
Hook = tuple[Rule, str]  # and the name of its method
_ROW = re.compile(r" on line \d+| \(detected at line \d+\)")
_PLACE = re.compile(r"parser error: error at (\d+):(\d+): ")
DEEP_RECURSION = 200_000
RECURSION = 10_000  # frames: calls of calls of the linted code, each some ten frames of the interpreter's


class Analysis:
    """Lints the files of one run with one set of rules, sharing what it learns of the project's modules.

    Args:
        rules: those to run.
        min_confidence: findings held less sure than this are dropped.
        search: source roots in which the project's absolute imports are looked for.
        target_mlx, target_mlx_lm: releases to lint for, a version or a range; None: the newest known. Rules that were
            seen not to hold on any of them are left out.
        unsaved: what files are to be taken for, by their real paths, in place of what is on disk.

    Raises:
        ValueError: for a target that stands for no release.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        min_confidence: Confidence = Confidence.LIKELY,
        search: Sequence[Path] = (),
        target_mlx: str | None = None,
        target_mlx_lm: str | None = None,
        unsaved: Mapping[str, bytes] | None = None,
    ) -> None:
        sys.setrecursionlimit(max(sys.getrecursionlimit(), RECURSION))
        self.min_confidence = min_confidence
        self.target_mlx = target("mlx", target_mlx)
        self.target_mlx_lm = target("mlx-lm", target_mlx_lm)
        self.project = Project(finder=Finder([str(folder) for folder in search], unsaved=unsaved))
        self.hooks: dict[type[cst.CSTNode], list[Hook]] = {}
        self.keyed_hooks: dict[type[cst.CSTNode], dict[str, list[Hook]]] = {kind: {} for kind in _KEYS}
        self._chosen: dict[tuple[object, ...], list[Hook]] = {}
        for rule in filter(self._holds, rules):
            for name, keys in rule.triggers().items():
                kind, hook = getattr(cst, name), (rule, f"visit_{name}")
                if keys is None:
                    self.hooks.setdefault(kind, []).append(hook)
                for key in keys or ():
                    self.keyed_hooks[kind].setdefault(key, []).append(hook)

    def forget(self, keep: int = 0) -> None:
        """Let go of the texts, trees and values of the files seen, but for ``keep`` characters of the most used."""
        self.project.forget(keep)

    def _holds(self, rule: Rule) -> bool:
        of_mlx_lm = package_of(rule.code) == "mlx-lm"
        return (self.target_mlx_lm if of_mlx_lm else self.target_mlx).holds(rule.code)

    def lint(self, source: Source, path: Path | None = None) -> list[Finding]:
        """The findings of one file, in order of place. Raises nothing for any text."""
        try:
            return self._lint(source, path)
        except RecursionError:
            return _recursing_deeply(lambda: self._lint(source, path), source)

    def _lint(self, source: Source, path: Path | None) -> list[Finding]:
        self.project.begin()
        try:
            module = self.project.module(source, path)
        except cst.ParserSyntaxError as error:
            return [syntax_error(source, error)]
        try:
            self.project.analyse(module)
        except RecursionError:
            raise
        except Exception as error:  # an engine bug must not cost the other files
            return [_internal_error(source, "the engine", error)]
        survey, around = self.project.interpreter.survey, lambda: self.project.port(module)
        context = Context(module, survey, self.target_mlx, self.target_mlx_lm, around)
        try:
            broken = self._visit(context, source)
            kept = [r for r in context.reports if r.confidence.rank >= self.min_confidence.rank]
            return [*broken, *_findings(context, kept, source)]
        except cst.ParserSyntaxError as error:  # what Python takes, and LibCST does not
            return [syntax_error(source, error)]
        finally:
            context.close()

    def _visit(self, context: Context, source: Source) -> list[Finding]:
        broken: list[Finding] = []
        for node in (context.tree, *context.module.values):
            kind = type(node)
            hooks = self._hooks_by_key(node, context) if kind in _KEYS else self.hooks.get(kind, ())
            for rule, visit in hooks:
                try:
                    getattr(rule, visit)(node, context)
                except (RecursionError, cst.ParserSyntaxError):
                    raise
                except Exception as error:
                    broken.append(_internal_error(source, f"{rule.code} ({rule.name})", error))
        return list({f.message: f for f in broken}.values())

    def _hooks_by_key(self, node: cst.CSTNode, context: Context) -> Sequence[Hook]:
        kind = type(node)
        keyed = self.keyed_hooks[kind]
        keys = [key for key in _KEYS[kind](node, context) if key in keyed]
        chosen = (kind, *keys)
        hooks = self._chosen.get(chosen)
        if hooks is None:
            hooks = [*self.hooks.get(kind, ()), *(hook for key in dict.fromkeys(keys) for hook in keyed[key])]
            self._chosen[chosen] = hooks
        return hooks


def _callee_keys(node: cst.Call, context: Context) -> Sequence[str]:
    callee = context.callee(node)
    known = [] if callee is None else [callee.rpartition(".")[2], callee.partition(".")[0] + ".*"]
    return [*known, "." + node.func.attr.value] if isinstance(node.func, cst.Attribute) else known


def _attribute_keys(node: cst.Attribute, context: Context) -> Sequence[str]:
    value = context.value(node.value)
    if type(value) is not Either:
        return (node.attr.value, type(value).__name__ + ".*")
    return (node.attr.value, *sorted({type(member).__name__ + ".*" for member in value.members}))


def _target_keys(node: cst.Assign, context: Context) -> Sequence[str]:
    return [type(target.target).__name__ for target in node.targets]


def _function_keys(node: cst.FunctionDef, context: Context) -> Sequence[str]:
    return (node.name.value, "@") if node.decorators else (node.name.value,)


def _operator_keys(node: cst.BinaryOperation, context: Context) -> Sequence[str]:
    return (type(node.operator).__name__,)


_KEYS: dict[type[cst.CSTNode], Callable[[Any, Context], Sequence[str]]] = {
    cst.Call: _callee_keys,
    cst.Attribute: _attribute_keys,
    cst.Assign: _target_keys,
    cst.FunctionDef: _function_keys,
    cst.BinaryOperation: _operator_keys,
}


def _recursing_deeply(run: Callable[[], list[Finding]], source: Source) -> list[Finding]:
    """Run with a large stack and recursion limit; a finding when even that is not enough."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(DEEP_RECURSION)
    try:
        return with_deep_stack(run)
    except (RecursionError, MemoryError) as error:
        return [_internal_error(source, "the engine", error)]
    finally:
        sys.setrecursionlimit(limit)


def syntax_error(source: Source, error: cst.ParserSyntaxError) -> Finding:
    """The finding that a text does not parse, told as Python tells it where it takes the text for no Python either."""
    row, column, reason = _told_by_python(source.text) or _told_by_parser(error)
    row = max(1, min(row, len(source.line_starts)))
    at = source.line_starts[row - 1] + min(max(column, 0), len(source.line(row)))
    return tool_finding("syntax-error", source, (at, at), {"reason": f"the file does not parse: {reason}"})


def _told_by_python(text: str) -> tuple[int, int, str] | None:
    """Row, column from 0, and what is wrong, without the rows of the text that messages name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except SyntaxError as error:
            return error.lineno or 1, (error.offset or 1) - 1, _ROW.sub("", error.msg)
        except (ValueError, RecursionError, MemoryError):
            pass
    return None


def _told_by_parser(error: cst.ParserSyntaxError) -> tuple[int, int, str]:
    reason = " ".join(str(error.message).split())
    place = _PLACE.match(reason)
    if place is None:
        return error.raw_line, error.raw_column, reason
    return int(place[1]), int(place[2]), reason[place.end() :]


def _internal_error(source: Source, what: str, error: BaseException) -> Finding:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    text = f"{type(error).__name__}{place}: {str(error)[:200]}"
    return tool_finding("internal-error", source, (0, 0), {"what": what, "error": text})


def _findings(context: Context, reports: Sequence[Report], source: Source) -> list[Finding]:
    """Reports with places: positions are computed here, for the nodes that need one."""
    if not reports:
        return []
    wanted = [r.node for r in reports] + [context.statement(r.node) for r in reports]
    wanted += [node for r in reports for _, node in r.reasons if node is not None]
    for report in reports:
        for edit in report.fix.edits if report.fix is not None else ():
            wanted += [edit.first, edit.last] if isinstance(edit, Span) else [edit.node]
            if isinstance(edit, (InsertStatement, RemoveStatement)):
                wanted.append(context.statement(edit.node))
    places = offsets(context.module.concrete, wanted, source.text)
    found = [_finding(context, r, source, places) for r in reports if r.node in places]
    return sorted(_most_specific(found, reports), key=lambda f: f.sort_key)


def _finding(context: Context, report: Report, source: Source, places: Offsets) -> Finding:
    rule = report.rule
    start, end = places[report.node]
    if isinstance(report.node, (cst.FunctionDef, cst.ClassDef, cst.For, cst.While, cst.With, cst.If, cst.Try)):
        end = start + len(
            source.text[start:end].partition("\n")[0].rstrip()
        )  # a compound statement is marked by its header
    first, last = source.position(start), source.position(end)
    line = context.statement(report.node)
    rows = (first.row, last.row)
    if isinstance(line, cst.SimpleStatementLine):
        rows = (source.position(places[line][0]).row, source.position(places[line][1]).row)
    reasons = tuple(
        Reason(text, source.position(places[node][0]) if node is not None and node in places else None)
        for text, node in report.reasons
    )
    return Finding(
        rule.code,
        rule.name,
        report.message,
        source.path,
        report.severity,
        report.confidence,
        rule.kind,
        first,
        last,
        (start, end),
        rows,
        reasons,
        _fix(context, report.fix, source, places) if report.fix is not None else None,
        rule.url(),
        report.repro,
    )


def _fix(context: Context, fix: NodeFix, source: Source, places: Offsets) -> Fix | None:
    edits = [_edit(context, edit, source, places) for edit in fix.edits]
    if any(edit is None for edit in edits):
        return None
    return Fix(
        fix.title, fix.applicability, tuple(sorted((e for e in edits if e is not None), key=lambda e: (e.start, e.end)))
    )


def _edit(context: Context, edit: NodeEdit, source: Source, places: Offsets) -> Edit | None:
    if isinstance(edit, Replace):
        return Edit(*places[edit.node], edit.text)
    if isinstance(edit, Span):
        return Edit(places[edit.first][0], places[edit.last][0 if edit.before else 1], edit.text)
    if isinstance(edit, Insert):
        at = places[edit.node][1 if edit.after else 0]
        return Edit(at, at, edit.text)
    if isinstance(edit, RemoveStatement):
        return _removal(context, edit.node, source, places)
    line = context.statement(edit.node)
    if any(
        isinstance(a, cst.SimpleStatementSuite)
        for a in takewhile(lambda a: a is not line, context.ancestors(edit.node))
    ):
        return None  # a one-line suite has no place for another line
    return _statement_edit(line, edit, source, places)


def _statement_edit(line: cst.CSTNode, edit: InsertStatement, source: Source, places: Offsets) -> Edit | None:
    if line not in places:
        return None
    start, end = places[line]
    row = source.position(start).row
    indent = source.text[source.line_starts[row - 1] : start]
    if not edit.after:
        return Edit(start, start, edit.text + source.newline + indent)
    last = source.position(end).row
    stop = source.line_starts[last] if last < len(source.line_starts) else len(source.text)
    body = source.text[end:stop].rstrip("\r\n")
    return Edit(end + len(body), end + len(body), source.newline + indent + edit.text)


def _removal(context: Context, node: cst.BaseSmallStatement, source: Source, places: Offsets) -> Edit:
    """Where a statement shares its line, or is alone in its block, `pass` takes its place."""
    line = context.statement(node)
    block = context.parent(line)
    alone = isinstance(block, cst.IndentedBlock) and len(block.body) == 1
    if not isinstance(line, cst.SimpleStatementLine) or len(line.body) > 1 or alone:
        return Edit(*places[node], "pass")
    start, end = places[line]
    row, last = source.position(start).row, source.position(end).row
    stop = source.line_starts[last] if last < len(source.line_starts) else len(source.text)
    rest = source.text[end:stop]
    comment = rest.find("#")
    return Edit(source.line_starts[row - 1], stop, "") if comment < 0 else Edit(start, end + comment, "")


def _most_specific(found: Sequence[Finding], reports: Sequence[Report]) -> list[Finding]:
    """One problem is one finding: nothing is said twice, and a general rule is silent where a specific one speaks."""
    unique = list({(f.code, f.offsets, f.message): f for f in found}.values())
    spoken = {(f.name, f.offsets) for f in unique} | {(f.name, f.start.row) for f in unique}
    yields = {r.rule.name: r.rule.yields_to for r in reports}
    return [
        f
        for f in unique
        if not any((other, f.offsets) in spoken or (other, f.start.row) in spoken for other in yields[f.name])
    ]
