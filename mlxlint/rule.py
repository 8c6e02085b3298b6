"""The contract between rules and everything else: what a rule is, what it reports, what its reproduction returns.

A rule module imports this module and ``mlxlint.model``, nothing else of the engine.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Union

if TYPE_CHECKING:
    import libcst as cst

Literal = Union[None, bool, int, float, str, "tuple[Literal, ...]"]
DOCS = "https://mlxlint.github.io/mlxlint/rules/"


class Severity(str, enum.Enum):
    """How bad a finding is when it is true; ``--fail-on`` compares these."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        return ("info", "warning", "error").index(self.value)


class Confidence(str, enum.Enum):
    """How sure the engine is that the finding is true."""

    CERTAIN = "certain"  # follows from imports, annotations, literals, MLX's own signatures
    LIKELY = "likely"  # rests on a convention
    POSSIBLE = "possible"  # fits, but other readings are open

    @property
    def rank(self) -> int:
        return ("possible", "likely", "certain").index(self.value)

    def __and__(self, other: Confidence) -> Confidence:
        """The confidence of a conclusion that needs both."""
        return min(self, other, key=lambda c: c.rank)


class Kind(str, enum.Enum):
    """What kind of truth a rule states."""

    CRASH = "crash"  # raises
    SILENT = "silent"  # runs, other numbers than PyTorch
    COST = "cost"  # memory or time
    DEPRECATED = "deprecated"
    TOOL = "tool"  # about the linted file or the tool itself


class Applicability(str, enum.Enum):
    """Who may apply a fix."""

    SAFE = "safe"  # same meaning, and certain
    UNSAFE = "unsafe"  # right in the likely case
    MANUAL = "manual"  # shown, never applied


class Fixable(str, enum.Enum):
    """Whether a rule's findings come with a fix that can be applied; the test harness holds rules to it."""

    NEVER = "never"
    SOMETIMES = "sometimes"
    ALWAYS = "always"


class Replace(NamedTuple):
    """Replace the source of one node (its own surrounding whitespace excluded)."""

    node: cst.CSTNode
    text: str


class Span(NamedTuple):
    """Replace everything from the start of ``first`` to the end of ``last`` (or to the start of ``before``)."""

    first: cst.CSTNode
    last: cst.CSTNode
    text: str
    before: bool = False


class Insert(NamedTuple):
    """Insert text before or after a node."""

    node: cst.CSTNode
    text: str
    after: bool = False


class InsertStatement(NamedTuple):
    """Insert a statement on a line of its own after (or before) the statement that holds ``node``, at its indent."""

    node: cst.CSTNode
    text: str
    after: bool = True


class RemoveStatement(NamedTuple):
    """Remove a simple statement, with its line where it has one for itself; a comment beside it stays."""

    node: cst.BaseSmallStatement


NodeEdit = Replace | Span | Insert | InsertStatement | RemoveStatement


class NodeFix(NamedTuple):
    """A fix as a rule states it, in terms of nodes; the engine turns it into text edits."""

    title: str
    edits: Sequence[NodeEdit]
    applicability: Applicability = Applicability.SAFE


@dataclass(frozen=True)
class Position:
    """A place in a text: ``row`` and ``column`` count from 1, columns in characters."""

    row: int
    column: int


@dataclass(frozen=True)
class Edit:
    """Replace the characters ``start:end`` of the text by ``content``."""

    start: int
    end: int
    content: str


@dataclass(frozen=True)
class Fix:
    title: str
    applicability: Applicability
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Reason:
    """Why a value is known: a clause such as "`mask` is a boolean array: result of `>`", and where that was seen."""

    text: str
    position: Position | None = None
    cell: int | None = None


@dataclass(frozen=True)
class Verification:
    """What running a finding's reproduction showed. ``status``: confirmed, refuted, inconclusive or skipped."""

    status: str
    device: str | None = None
    mlx: str | None = None
    evidence: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Finding:
    """One problem at one place. Plain data: it travels between processes and into caches."""

    code: str
    name: str
    message: str
    path: str
    severity: Severity
    confidence: Confidence
    kind: Kind
    start: Position
    end: Position
    offsets: tuple[int, int]
    statement: tuple[int, int] = (0, 0)  # first and last row of the logical line: where a suppression may stand
    reasons: tuple[Reason, ...] = ()
    fix: Fix | None = None
    url: str | None = None
    repro: Mapping[str, Literal] | None = None  # parameters for the rule's reproduction; None: it has none
    cell: int | None = None
    verification: Verification | None = None

    @property
    def sort_key(self) -> tuple[Any, ...]:
        return (self.path, self.cell or 0, self.start.row, self.start.column, self.code, self.message)


@dataclass(frozen=True)
class Observation:
    """What one run showed: whether it was as stated, and one line of evidence."""

    holds: bool
    text: str


@dataclass(frozen=True)
class Evidence:
    """What a reproduction showed. The hazard is confirmed when ``hazard.holds``; the remedy is run beside it."""

    hazard: Observation
    remedy: Observation


class Skipped(Exception):
    """Raised by a reproduction that cannot run here (needs a GPU, another package); the argument says why."""


class Rule:
    """One hazard. The class docstring is its documentation, with these headings in this order::

        <one line>

        What it does / PyTorch and MLX / Example / Use instead / Fix safety (if fixable) / References

    Detection is in ``visit_<LibCST node class>(self, node, context)`` methods, called once per node in load context
    with all values inferred; findings go to ``context.report(self, node, ...)``. ``message`` is a ``str.format``
    template over the data given to ``report``. ``repro`` is a static method taking literals (each with a default, which
    is what ``mlxlint probe`` uses) and returning :class:`Evidence`; it imports ``mlx.core`` itself and runs alone.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    kind: ClassVar[Kind]
    severity: ClassVar[Severity]
    fixable: ClassVar[Fixable] = Fixable.NEVER
    message: ClassVar[str]
    # What the methods of frequent classes of node want to see; None: every one.
    calls: ClassVar[frozenset[str] | None] = None  # callees: "sum" by last part, "mlx.*" by package, ".step" as spelled
    attributes: ClassVar[frozenset[str] | None] = None  # names after the dot, "Array.*" by what has them
    targets: ClassVar[frozenset[type[cst.CSTNode]] | None] = None  # classes of what is assigned to
    functions: ClassVar[frozenset[str] | None] = None  # names of those defined, "@" for all that are decorated
    operators: ClassVar[frozenset[type[cst.CSTNode]] | None] = None  # classes, of binary operations
    yields_to: ClassVar[
        tuple[str, ...]
    ] = ()  # names of more specific rules: where one of them speaks, this one does not
    repro: ClassVar[Callable[..., Evidence] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = cls.__module__.rpartition(".")[2].replace("_", "-")

    @classmethod
    def url(cls) -> str:
        return f"{DOCS}{cls.name}/"

    @classmethod
    def documentation(cls) -> str:
        """The class docstring as Markdown."""
        import inspect

        return inspect.cleandoc(cls.__doc__ or "")

    @classmethod
    def summary(cls) -> str:
        return cls.documentation().partition("\n")[0].rstrip(".")

    @classmethod
    def triggers(cls) -> dict[str, list[str] | None]:
        """What the rule is shown: names of LibCST's classes of nodes, with the keys that are wanted or None for all."""
        keys: dict[str, frozenset[Any] | None] = {
            "Call": cls.calls, "Attribute": cls.attributes, "Assign": cls.targets,
            "FunctionDef": cls.functions, "BinaryOperation": cls.operators,
        }  # fmt: skip
        kinds = [name[6:] for name in dir(cls) if name.startswith("visit_")]
        return {kind: None if (wanted := keys.get(kind)) is None else sorted(map(_key, wanted)) for kind in kinds}


def _key(wanted: str | type) -> str:
    return wanted if isinstance(wanted, str) else wanted.__name__


@dataclass
class Report:
    """A finding before positions are known; made by ``Context.report``."""

    rule: Rule
    node: cst.CSTNode
    message: str
    severity: Severity
    confidence: Confidence
    reasons: Sequence[tuple[str, cst.CSTNode | None]] = ()
    fix: NodeFix | None = None
    repro: Mapping[str, Literal] | None = field(default=None)


def raises(run: Callable[[], Any], *types: type[BaseException], text: str = "") -> Observation:
    """Holds when ``run`` raises one of ``types`` (default: any exception) with ``text`` in its message.

    A lazy result is evaluated, since MLX raises some errors only then.
    """
    import mlx.core as mx

    try:
        mx.eval(run())
    except types or (Exception,) as error:  # noqa: B030
        line = str(error).strip().partition("\n")[0][:160]
        return Observation(text.lower() in str(error).lower(), f"{type(error).__name__}: {line}")
    except Exception as error:  # another error than the one stated
        return Observation(False, f"{type(error).__name__}: {str(error)[:160]}")
    return Observation(False, "no exception")


def _shown(value: Any) -> str:
    text = repr(value.tolist() if hasattr(value, "tolist") else value)
    return text if len(text) <= 60 else text[:57] + "..."


def _close(left: Any, right: Any, tolerance: float) -> bool:
    import mlx.core as mx

    a, b = mx.array(left), mx.array(right)
    if a.shape != b.shape:
        return False
    return bool(mx.allclose(a.astype(mx.float32), b.astype(mx.float32), tolerance, tolerance, equal_nan=True).item())


def differs(got: Any, expected: Any, tolerance: float = 1e-4, what: str = "MLX") -> Observation:
    """Holds when a value (array, number, nested list) is not what PyTorch gives."""
    return Observation(not _close(got, expected, tolerance), f"{what}: {_shown(got)}, PyTorch: {_shown(expected)}")


def agrees(got: Any, expected: Any, tolerance: float = 1e-4) -> Observation:
    """Holds when a value is what PyTorch gives."""
    return Observation(_close(got, expected, tolerance), f"{_shown(got)}, expected {_shown(expected)}")


def shown(holds: bool, text: str) -> Observation:
    """An observation stated directly."""
    return Observation(bool(holds), text)
