"""What a rule sees of one file: values, names, structure, and where to report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import libcst as cst

from mlxlint.concrete import normalized
from mlxlint.model import explain, tree
from mlxlint.model.arguments import ArgumentNodes
from mlxlint.model.code import ClassCode, FunctionCode, ModuleCode
from mlxlint.model.port import Sign, in_text
from mlxlint.model.values import UNKNOWN, Array, Class, Function, Instance, Module, Name, Partial, Value, as_array
from mlxlint.rule import Confidence, InsertStatement, Literal, NodeFix, Report, Rule, Severity
from mlxlint.target import NEWEST, Target

N = TypeVar("N", bound=cst.CSTNode)
T = TypeVar("T")
_CONFIDENCES = (Confidence.POSSIBLE, Confidence.LIKELY, Confidence.CERTAIN)
_SCOPES = (cst.FunctionDef, cst.ClassDef, cst.Lambda)
_FUNCTIONS = (cst.FunctionDef, cst.Lambda)


class Context:
    """The analysed file, as handed to the ``visit_*`` methods of rules."""

    def __init__(
        self,
        module: ModuleCode,
        survey: Callable[[FunctionCode], None] = lambda code: None,
        target_mlx: Target = NEWEST,
        target_mlx_lm: Target = NEWEST,
        around: Callable[[], Sign | None] = lambda: None,
    ) -> None:
        self.module = module
        self.target_mlx = target_mlx
        self.target_mlx_lm = target_mlx_lm
        self._survey = survey
        self._around = around
        self.tree = module.tree
        self.reports: list[Report] = []
        self._shared: dict[tuple[object, cst.CSTNode], Any] = {}
        self._callees: dict[cst.Call, str | None] = {}

    def close(self) -> None:
        """Let go of what rules share, which refers back to here."""
        self._shared.clear()

    # ---- values and names

    def value(self, node: cst.CSTNode | None) -> Value:
        """The abstract value of an expression; UNKNOWN when nothing is known of it."""
        return UNKNOWN if node is None else self.module.values.get(node, UNKNOWN)

    def array(self, node: cst.CSTNode | None) -> Array | None:
        """The value of an expression if that is surely an MLX array (``None`` apart), else None."""
        return as_array(self.value(node))

    def alternatives(self, node: cst.CSTNode) -> Sequence[Value]:
        """The values an expression was seen to have: of a parameter, each call's argument; else its one value."""
        value = self.value(node)
        if isinstance(node, cst.Name):
            code = self.enclosing_function(node)
            shown = None if code is None else code.shown
            if shown is not None and value is shown.seen.get(node.value) and shown.alternatives.get(node.value):
                return list(shown.alternatives[node.value].values())
        return (value,)

    def qualified(self, node: cst.CSTNode | None) -> str | None:
        """The qualified name behind an expression: "mlx.core.softmax", "mlx.nn.Linear", "mlx.core.array.item"."""
        value = self.value(node)
        return (
            value.name
            if isinstance(value, (Name, Module))
            else value.code.qualified
            if isinstance(value, Class)
            else None
        )

    def callee(self, call: cst.Call) -> str | None:
        """The qualified name of what is called. A layer's instance gives "mlx.nn.Linear.__call__"."""
        try:
            return self._callees[call]
        except KeyError:
            found = self._callees[call] = _callee(self.module.calls.get(call, UNKNOWN))
            return found

    def called(self, call: cst.Call) -> Value:
        """The value that is called (:class:`Name` with its receiver, :class:`Function`, :class:`Instance`, ...)."""
        return self.module.calls.get(call, UNKNOWN)

    def receiver(self, call: cst.Call) -> Value:
        """The object of a method call; UNKNOWN when there is none."""
        value = self.module.calls.get(call, UNKNOWN)
        found = getattr(value, "receiver", None)
        return found if isinstance(found, Value) else UNKNOWN

    def function(self, value: Value) -> FunctionCode | None:
        """The project's function behind a value, through ``partial``, ``compile``, ``value_and_grad`` and methods."""
        while isinstance(value, Partial):
            value = value.inner
        if isinstance(value, Function):
            return value.code
        if isinstance(value, Instance) and value.code is not None:
            return value.code.method("__call__")
        if isinstance(value, Class):
            return value.code.method("__init__")
        return None

    def class_of(self, node: cst.ClassDef) -> ClassCode | None:
        return self.module.classes.get(node)

    @staticmethod
    def arguments(call: cst.Call) -> ArgumentNodes:
        """The argument nodes of a call by position and keyword."""
        return ArgumentNodes(call)

    def argument(self, call: cst.Call, index: int | None, *names: str) -> cst.BaseExpression | None:
        """The expression given at a position or for one of some names; None when there is none."""
        arg = ArgumentNodes(call).get(index, *names)
        return None if arg is None else arg.value

    def target(self, name: str) -> Target:
        """The releases linted for, of the package that a qualified name belongs to."""
        return self.target_mlx_lm if name.partition(".")[0] == "mlx_lm" else self.target_mlx

    def alias(self, module: str) -> str | None:
        """The name under which a module (``mlx.core``) is bound at this file's top level."""
        for name, value in self.module.env.items():
            if isinstance(value, Module) and value.name == module and "." not in name:
                return name
        return None

    def importing(self, name: str, alias: str | None = None) -> tuple[str, tuple[InsertStatement, ...]] | None:
        """What to call a module or function by in a fix, and the edit that imports it where the file does not yet.

        Args:
            name: qualified: "numpy", "mlx.utils.tree_flatten".
            alias: for a module that is to be imported under another name ("np").

        Returns:
            None when the name it would have means something else in the file.
        """
        for known, value in self.module.env.items():
            if isinstance(value, (Module, Name)) and value.name == name and "." not in known:
                return known, ()
        package, _, bound = name.rpartition(".")
        if (alias or bound) in self._bound_names:
            return None
        line = f"import {name} as {alias}" if alias else f"from {package} import {bound}"
        head = tree.head(self.tree)
        edit = InsertStatement(head[-1] if head else self.tree.body[0], line, after=bool(head))
        return alias or bound, (edit,)

    @cached_property
    def _bound_names(self) -> frozenset[str]:
        """The names that are assigned or passed anywhere in the file; those that functions import apart."""
        targets = (cst.AssignTarget, cst.AnnAssign, cst.NamedExpr, cst.For, cst.CompFor)
        found = [n.target for n in self.walk(self.tree, into_functions=True) if isinstance(n, targets)]
        named = [n.name for n in self.walk(self.tree, into_functions=True) if isinstance(n, (cst.Param, *_SCOPES[:2]))]
        names = (n.value for node in [*found, *named] for n in self.walk(node) if isinstance(n, cst.Name))
        return frozenset(names) | self.module.env.keys()

    @cached_property
    def frameworks(self) -> frozenset[str]:
        """Root packages imported anywhere at top level: {"mlx", "numpy", "torch", ...}."""
        found = {v.name.partition(".")[0] for v in self.module.env.values() if isinstance(v, (Module, Name))}
        return frozenset(found - {"builtins"})

    @cached_property
    def port(self) -> Sign | None:
        """What shows, in the file or in those around it, that it is a port: that PyTorch's behaviour is meant."""
        return in_text(self.module.text) or self._around()

    def shared(self, make: Callable[[cst.CSTNode, Context], T], node: cst.CSTNode) -> T:
        """``make(node, self)``, made once for all rules that ask for it."""
        key = (make, node)
        if key not in self._shared:
            self._shared[key] = make(node, self)
        found: T = self._shared[key]
        return found

    # ---- structure

    @cached_property
    def parents(self) -> dict[cst.CSTNode, cst.CSTNode]:
        """Child to parent for the whole file."""
        return self.module.concrete.parents

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        return self.parents.get(node)

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """Parents, innermost first."""
        current = self.parents.get(node)
        while current is not None:
            yield current
            current = self.parents.get(current)

    def enclosing(self, node: cst.CSTNode, *kinds: type[N], within_function: bool = True) -> N | None:
        """The innermost ancestor of some classes; by default not beyond the function or class around the node."""
        for ancestor in self.ancestors(node):
            if isinstance(ancestor, kinds):
                return ancestor
            if within_function and type(ancestor) in _SCOPES:
                return None
        return None

    def enclosing_function(self, node: cst.CSTNode) -> FunctionCode | None:
        for ancestor in self.ancestors(node):
            if type(ancestor) in _FUNCTIONS:
                return self.module.functions.get(ancestor)
        return None

    def enclosing_class(self, node: cst.CSTNode) -> ClassCode | None:
        found = next((a for a in self.ancestors(node) if isinstance(a, cst.ClassDef)), None)
        return None if found is None else self.module.classes.get(found)

    def statement(self, node: cst.CSTNode) -> cst.CSTNode:
        """The statement line or compound statement that holds a node (or is it)."""
        current: cst.CSTNode | None = node
        while current is not None and not isinstance(current, (cst.SimpleStatementLine, cst.BaseCompoundStatement)):
            current = self.parents.get(current)
        return current if current is not None else node

    def is_dropped(self, node: cst.CSTNode) -> bool:
        """Whether an expression is a statement of its own, its result thrown away."""
        return isinstance(self.parents.get(node), cst.Expr)

    def walk(self, node: cst.CSTNode, into_functions: bool = False) -> Iterator[cst.CSTNode]:
        """A node and all below it, in source order."""
        return tree.walk(node, () if into_functions else _SCOPES)

    def nodes(self, root: cst.CSTNode, kind: type[N]) -> Sequence[N]:
        """All nodes of exactly one class in a node, in source order; not those in functions and classes inside it.

        The nodes are sorted by class once for all who ask for those of the same root.
        """
        found: Sequence[N] = self.shared(_by_class, root).get(kind, ())
        return found

    def calls(self, node: cst.CSTNode, through: bool = True) -> Iterator[tuple[cst.Call, Value, ModuleCode]]:
        """Every call below a node and, ``through`` the project's functions, below what these call: with what is called.

        The third item is the module the call stands in (its values are in ``module.values``).
        """
        seen: set[int] = set()
        stack: list[tuple[cst.CSTNode, ModuleCode]] = [(node, self.module)]
        while stack:
            root, module = stack.pop()
            for found in self.nodes(root, cst.Call):
                value = module.calls.get(found, UNKNOWN)
                yield found, value, module
                code = self.function(value) if through else None
                if code is not None and id(code) not in seen and len(seen) < 200:
                    seen.add(id(code))
                    self._survey(code)
                    stack.append((code.node.body, code.module))

    def concrete(self, node: N) -> N:
        """A node with what its text has besides the syntax: whitespace, comments, parentheses, commas."""
        return self.module.concrete.node(node)

    def is_parenthesised(self, node: cst.BaseExpression) -> bool:
        """Whether an expression stands in parentheses of its own."""
        return bool(self.concrete(node).lpar)

    def text(self, node: cst.CSTNode) -> str:
        """The source of a node as it stands in the file, without whitespace around it."""
        return self.module.concrete.text(node)

    @staticmethod
    def normalized(node: cst.CSTNode) -> str:
        """The code of a node of this or another file without its parentheses and spaces: the same for the same syntax.

        Unlike :meth:`text` it reads nothing: what decides whether there is a finding asks for this.
        """
        return normalized(node)

    def brief(self, node: cst.CSTNode, limit: int = 40) -> str:
        """The source of a node on one line, cut to be quoted in a message."""
        text = " ".join(self.text(node).split())
        return text if len(text) <= limit else text[: limit - 1] + "…"

    # ---- reporting

    def report(
        self,
        rule: Rule,
        node: cst.CSTNode,
        *,
        template: str | None = None,
        because: Sequence[cst.CSTNode | tuple[str, cst.CSTNode]] = (),
        confidence: Confidence | int | None = None,
        severity: Severity | None = None,
        fix: NodeFix | None = None,
        repro: Mapping[str, Literal] | None = None,
        **data: Any,
    ) -> None:
        """Report a finding at ``node``.

        Args:
            template: another ``str.format`` template than the rule's ``message``; ``data`` fills it.
            because: expressions whose values led here: each becomes a reason ("`mask` is a boolean mlx array: result of
                `>`"), and the finding is held no surer than the weakest; or (clause, node) pairs, taken as they are.
            confidence: an upper bound besides.
            repro: parameters for the rule's reproduction; default: its own defaults.
        """
        reasons: list[tuple[str, cst.CSTNode | None]] = []
        surety = Confidence.CERTAIN if confidence is None else confidence
        surety = _CONFIDENCES[surety] if isinstance(surety, int) else surety
        for reason in because:
            if isinstance(reason, tuple):
                reasons.append(reason)
                continue
            value = self.value(reason)
            if value is not UNKNOWN:
                surety &= _CONFIDENCES[(as_array(value) or value).confidence]
                reasons.append(self._reason(reason, value))
        message = (template or rule.message).format(**data)
        parameters = None if rule.repro is None else dict(repro or {})
        self.reports.append(Report(rule, node, message, severity or rule.severity, surety, reasons, fix, parameters))

    def report_default(
        self, rule: Rule, node: cst.CSTNode, *, sign: Sign | None = None, template: str | None = None, **how: Any
    ) -> None:
        """Report that something differs from PyTorch which is no bug in itself: another default, another definition.

        It is a warning where something shows that PyTorch's is meant, and the message says what; else it is a note.

        Args:
            sign: what the very place shows; default: what the file or the project does.
            how: as for :meth:`report`.
        """
        found = sign or self.port
        clause = "" if found is None else f" ({found.clause})"
        severity = Severity.INFO if found is None else Severity.WARNING
        self.report(rule, node, template=(template or rule.message) + "{port}", port=clause, severity=severity, **how)

    def _reason(self, node: cst.CSTNode, value: Value) -> tuple[str, cst.CSTNode | None]:
        source = explain.origin(value)
        text = f"`{self.brief(node)}` is {explain.kind(value)}" + (f": {source}" if source else "")
        origin = (as_array(value) or value).node
        return text, origin if origin is not None and origin in self.parents else None


def _by_class(root: cst.CSTNode, context: Context) -> dict[type[cst.CSTNode], list[Any]]:
    found: dict[type[cst.CSTNode], list[Any]] = defaultdict(list)
    for node in context.walk(root):
        found[type(node)].append(node)
    return found


def _callee(value: Value) -> str | None:
    if isinstance(value, Name):
        return value.name
    if isinstance(value, Instance):
        return value.type + ".__call__"
    if isinstance(value, Partial):
        return value.transform
    return value.code.qualified if isinstance(value, Class) else None
