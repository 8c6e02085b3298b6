"""The same program in other shapes: what rules must see through, and what they must survive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import TypeVar

import libcst as cst

Expression = TypeVar("Expression", bound=cst.BaseExpression)
Import = TypeVar("Import", cst.Import, cst.ImportFrom)
Body = TypeVar("Body", cst.Module, cst.IndentedBlock)
Suite = TypeVar("Suite", cst.FunctionDef, cst.If, cst.For, cst.While, cst.With, cst.Else)

LIBRARIES = {"mlx", "mlx_lm", "numpy", "torch"}


def parenthesized(node: Expression) -> Expression:
    return node.with_changes(lpar=[cst.LeftParen(), *node.lpar], rpar=[*node.rpar, cst.RightParen()])


class Aliased(cst.CSTTransformer):
    """``import mlx.core as mx`` becomes ``import mlx.core as mx_``, and so wherever ``mx`` is used."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def visit_Module(self, node: cst.Module) -> None:
        node.visit(_ImportedNames(self.names))

    def visit_Import(self, node: cst.Import) -> bool:
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        return False

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        return False

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> cst.Import:
        return self.renamed(updated_node)

    def leave_ImportFrom(self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom) -> cst.ImportFrom:
        return self.renamed(updated_node)

    def renamed(self, node: Import) -> Import:
        if isinstance(node.names, cst.ImportStar):
            return node
        return node.with_changes(names=[self.alias(name) for name in node.names])

    def alias(self, node: cst.ImportAlias) -> cst.ImportAlias:
        bound = node.evaluated_alias or node.evaluated_name
        if bound not in self.names:
            return node
        space = cst.SimpleWhitespace(" ")
        return node.with_changes(asname=cst.AsName(cst.Name(bound + "_"), space, space))

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.Attribute:
        return updated_node.with_changes(value=original_node.value.visit(self))

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:
        return updated_node.with_changes(value=updated_node.value + "_" * (updated_node.value in self.names))


class _ImportedNames(cst.CSTVisitor):
    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self.names = names

    def visit_Import(self, node: cst.Import) -> None:
        for alias in node.names:
            known = alias.evaluated_name.partition(".")[0] in LIBRARIES
            if known and (alias.asname or isinstance(alias.name, cst.Name)):
                self.names.add(alias.evaluated_alias or alias.evaluated_name)

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:
        module = cst.Module([]).code_for_node(node.module) if node.module and not node.relative else ""
        if module.partition(".")[0] in LIBRARIES and not isinstance(node.names, cst.ImportStar):
            self.names |= {alias.evaluated_alias or alias.evaluated_name for alias in node.names}


class Parenthesized(cst.CSTTransformer):
    """``mx.take(x, i)`` becomes ``((mx).take)((x), (i),)``."""

    def visit_Import(self, node: cst.Import) -> bool:
        return False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> bool:
        return False

    def visit_MatchCase(self, node: cst.MatchCase) -> bool:
        return False

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        if isinstance(updated_node.value, cst.GeneratorExp):
            return updated_node
        return updated_node.with_changes(value=parenthesized(updated_node.value))

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.Attribute:
        return updated_node.with_changes(value=parenthesized(updated_node.value))

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
        called = updated_node.with_changes(func=parenthesized(updated_node.func))
        *others, last = called.args or [None]
        if last is None or isinstance(last.comma, cst.Comma) or isinstance(last.value, cst.GeneratorExp):
            return called
        return called.with_changes(args=[*others, last.with_changes(comma=cst.Comma())])


class Concatenated(cst.CSTTransformer):
    """``"half"`` becomes ``("ha" "lf")``."""

    def visit_FormattedString(self, node: cst.FormattedString) -> bool:
        return False

    def visit_ConcatenatedString(self, node: cst.ConcatenatedString) -> bool:
        return False

    def visit_MatchCase(self, node: cst.MatchCase) -> bool:
        return False

    def leave_SimpleString(
        self, original_node: cst.SimpleString, updated_node: cst.SimpleString
    ) -> cst.SimpleString | cst.ConcatenatedString:
        text = updated_node.raw_value
        if updated_node.prefix or len(updated_node.quote) > 1 or len(text) < 2 or "\\" in text:
            return updated_node
        quote, middle = updated_node.quote, len(text) // 2
        halves = [cst.SimpleString(quote + half + quote) for half in (text[:middle], text[middle:])]
        return cst.ConcatenatedString(
            *halves, lpar=[cst.LeftParen()], rpar=[cst.RightParen()], whitespace_between=cst.SimpleWhitespace(" ")
        )


class Joined(cst.CSTTransformer):
    """Statements that follow each other stand on one line, joined by semicolons."""

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        return self.joined(updated_node)

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        return self.joined(updated_node)

    def joined(self, node: Body) -> Body:
        lines: list[cst.BaseStatement] = []
        for simple, group in groupby(node.body, lambda line: isinstance(line, cst.SimpleStatementLine)):
            together = list(group)
            lines += [self.line(together)] if simple else together
        return node.with_changes(body=lines)

    def line(self, lines: Sequence[cst.SimpleStatementLine]) -> cst.SimpleStatementLine:
        semicolon = cst.Semicolon(whitespace_after=cst.SimpleWhitespace(" "))
        statements = [part.with_changes(semicolon=semicolon) for line in lines for part in line.body]
        return cst.SimpleStatementLine(statements)


class OneLine(cst.CSTTransformer):
    """A body of simple statements stands on the line of its header."""

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        return self.flat(updated_node)

    def leave_If(self, original_node: cst.If, updated_node: cst.If) -> cst.If:
        return self.flat(updated_node)

    def leave_Else(self, original_node: cst.Else, updated_node: cst.Else) -> cst.Else:
        return self.flat(updated_node)

    def leave_For(self, original_node: cst.For, updated_node: cst.For) -> cst.For:
        return self.flat(updated_node)

    def leave_While(self, original_node: cst.While, updated_node: cst.While) -> cst.While:
        return self.flat(updated_node)

    def leave_With(self, original_node: cst.With, updated_node: cst.With) -> cst.With:
        return self.flat(updated_node)

    def flat(self, node: Suite) -> Suite:
        lines = node.body.body if isinstance(node.body, cst.IndentedBlock) else ()
        statements = [part for line in lines if isinstance(line, cst.SimpleStatementLine) for part in line.body]
        if not statements or any(not isinstance(line, cst.SimpleStatementLine) for line in lines):
            return node
        semicolon = cst.Semicolon(whitespace_after=cst.SimpleWhitespace(" "))
        return node.with_changes(
            body=cst.SimpleStatementSuite([part.with_changes(semicolon=semicolon) for part in statements])
        )


class Unpacked(cst.CSTTransformer):
    """``f(a, k=b)`` becomes ``f(*(a,), **{"k": b})``, and ``f()`` becomes ``f(*(), **{})``."""

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
        if any(arg.star or isinstance(arg.value, cst.GeneratorExp) for arg in updated_node.args):
            return updated_node
        positional = [cst.Element(arg.value) for arg in updated_node.args if arg.keyword is None]
        named = [
            cst.DictElement(cst.SimpleString(repr(arg.keyword.value)), arg.value)
            for arg in updated_node.args
            if arg.keyword is not None
        ]
        args = [cst.Arg(cst.Tuple(positional), star="*"), cst.Arg(cst.Dict(named), star="**")]
        return updated_node.with_changes(args=args)


class Opaque(cst.CSTTransformer):
    """``f(a, k=b)`` becomes ``f(*args, **kwargs)``: nobody can know what is passed."""

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.Call:
        return updated_node.with_changes(
            args=[cst.Arg(cst.Name("args"), star="*"), cst.Arg(cst.Name("kwargs"), star="**")]
        )


class Decorated(cst.CSTTransformer):
    """Every function and class has a decorator that nobody knows."""

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        return updated_node.with_changes(decorators=[cst.Decorator(cst.Name("unheard_of")), *updated_node.decorators])

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        return updated_node.with_changes(decorators=[cst.Decorator(cst.Name("unheard_of")), *updated_node.decorators])


class Bare(cst.CSTTransformer):
    """``f(a)`` becomes ``f``: everything is mentioned and nothing called."""

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        return parenthesized(updated_node.func)


def reshaped(text: str, shape: Callable[[], cst.CSTTransformer]) -> str:
    return parsed(text).visit(shape()).code


@lru_cache(maxsize=1)
def parsed(text: str) -> cst.Module:
    return cst.parse_module(text)
