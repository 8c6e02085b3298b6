"""The syntax read from a text is that of LibCST's own tree, and each of its nodes leads to that tree's."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import hypothesmith
import libcst as cst
import pytest
from hypothesis import HealthCheck, assume, given, settings
from syntax_trees import difference

import mlxlint
from mlxlint.concrete import Concrete
from mlxlint.model.tree import walk
from mlxlint.parse import parse
from mlxlint.positions import offsets
from mlxlint.syntax import read

SNIPPETS = """\
x[(a), (b)]; x[(a, b)]; x[(a), b]; x[((a), (b))]; x[(1, 2), (3, 4)]; x[((1, 2), (3, 4))]; x[()]; x[(),]; x[a,]; x[(a,)]
x[(  # why
 a,
 b)]
x[-1:]; x[:, None, ...]; x[::2, 1:]; x[a:b:c]
f(a, *b, c=1, *d, **e); f(*a); f(x for x in y); f((x for x in y)); f(a, k=(yield))
if a and (b and c) and d or e and f: pass
if x: return
if x: \\
  a = 1; b = 2
if x == 1:  # ends in \\
    pass
class A: x = 1; y = 2
class B(C, *D, metaclass=M, **K): pass
def f(a, /, b: int = 1, *args: int, c, d=2, **kw) -> int: ...
def f(*, a): ...
def f(a, b, /): pass
async def g():
    async for x in y: await z
    async with a as b, c: pass
    return [x async for x in y if a if b for c in d]
@dec
@dec2(1)
class K:
    '''doc'''
    @property
    def f(self): "x" 'y'; return 1
class L:  # two
    # above
    # it
    @dec(1,
         2)
    def f(self):
        x = (1,
  2)
        return x
    # between

    a = 1; b = [
      2]
    class M(N):
        def g(self): return '''
'''
class O(P,
  # not above its first statement
):
    pass
try: pass
except: pass
try:
    pass
except (A, B) as e:
    raise X from e
else: pass
finally:
    # c \\
    pass
del a, b
del (a, b)
a = b = c, *d = e
a: int
a: int = 1
lambda: 0; lambda x, *y, z=1, **k: x
{1: 2, **a}; {1, *b}; [*a]; {x: y for x in z}; {x for x in z}
print(f"a{b!r:>{w}}c" "d" f'{x}', b"a" b'c', rb'\\d', u'x')
print(f'''
{x
 + y}
''')
'''a''' '''b'''; ''; ""; '' ''; 'a\\'b'; '''a\\''''
f"{x!r:>8} {y.z[0]}{{}}" 'a' f'{x:}{f(a, b)}'; f"{x[1:2]}{(lambda: 3)()}"; f'\\'{x}\\n' f"it's {(a, b)}"; f"{x,}{*a,}"
("a"  # why
 f'b{x:%Y-%m}' \\
 Rf"\\d{x}" fr'{{x}}')
f"\\N{DIGIT ONE}{x}"; f"{(x:=3)}{x == 3}{x=}"; f"" ''; f"{a['b']}" if 1 else f"{ x }"
1_000; 0xFF; 1e5; 2j; -1; not x; ~x; +x; a < b <= c != d is not e not in f
from . import a; from .. import b as c; from .x.y import (z, w as v); from ..q import *; import a.b.c as d, e.f
global g1, g2
nonlocal n1
with (open(x) as a, b): pass
with (a, b): pass
with a as (b, c): pass
assert x, y
while x: break
else: continue
for a, b in *c, d: pass
for (a, b) in c:
    pass
else:
    pass
if a:
    pass
elif b: pass
elif c:
    pass
else:
    if d: pass
if a: pass
else:
    if d:
        pass
    elif e:
        pass
(y := f(x)); x = yield; x = yield a, b; x = yield from z
match x:
    case [1, *r] if r: pass
    case {"a": b, **c}: pass
def m():
    match y:
        case A(x=1) | B():
            return '''
a
'''
x = a if b else c
é = "ü"; x = ("ä", é); y = é[("ü"), é]
def z():
	é = 1; ü = "x" "ö"
	if é: ü = 1.5; ö = 1_0
return *a, b
a @= b; a //= c; a **= 2; a >>= 1
x = a @ b // c % d ** e << f & g | h ^ i
"""


def statements(text: str) -> list[str]:
    """The lines of each statement of a module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        body = ast.parse(text).body
    decorators = [[d.lineno for d in getattr(node, "decorator_list", ())] for node in body]
    starts = sorted({min([node.lineno, *rows]) - 1 for node, rows in zip(body, decorators)})
    lines = text.splitlines(keepends=True)
    return ["".join(lines[start:end]) for start, end in zip(starts, [*starts[1:], len(lines)])]


def check(text: str) -> None:
    syntax, whole = read(text), parse(text)
    assert syntax.spans is not None
    assert difference(syntax.tree, whole) is None
    check_text(syntax.tree.body, whole.body, Concrete(syntax), whole)
    concrete = Concrete(syntax)
    for statement, own in zip(syntax.tree.body, whole.body):
        if isinstance(statement, cst.ClassDef) and isinstance(own, cst.ClassDef):
            check_text(statement.body.body, own.body.body, concrete, whole)


def check_text(made: Iterable[Any], read: Iterable[Any], concrete: Concrete, whole: cst.Module) -> None:
    for node, own in zip(made, read, strict=True):
        assert difference(concrete.node(node), own) is None
        assert concrete.text(node).split() == whole.code_for_node(own).split()


@pytest.mark.parametrize("text", statements(SNIPPETS))
def test_each_kind_of_statement(text: str) -> None:
    check(text)


def test_all_in_one() -> None:
    check(SNIPPETS)


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_other_line_ends(newline: str) -> None:
    check(SNIPPETS.replace("\n", newline))


@pytest.mark.parametrize("path", sorted(Path(mlxlint.__file__).parent.rglob("*.py")), ids=lambda path: path.stem)
def test_real_code(path: Path) -> None:
    check(path.read_text(encoding="utf-8"))


@given(hypothesmith.from_grammar())
@settings(suppress_health_check=list(HealthCheck))
def test_any_code(text: str) -> None:
    try:
        whole = parse(text)
    except cst.ParserSyntaxError:
        assume(False)
    assert difference(read(text).tree, whole) is None


@pytest.mark.parametrize("text", ["x = (", "def f(:\n", "print 1\n", "a b"])
def test_what_is_no_python(text: str) -> None:
    with pytest.raises(cst.ParserSyntaxError):
        read(text)


def test_what_this_python_does_not_take_is_left_to_libcst() -> None:
    text = "x = f'{d[\"a\"]}\\n{'b'}'\ntype X[T: int] = list[T]\ndef f[T](x: T) -> T: ...\n"
    assert difference(read(text).tree, parse(text)) is None


def test_places_are_those_in_the_text() -> None:
    text = "# é\nimport a\n\n\n# why\n@d\ndef f(x):  # ü\n    return [(x +\n        1), g( x )]\n\ny = f(2); z = y\n"
    syntax = read(text)
    nodes = [node for node in walk(syntax.tree) if isinstance(node, (cst.BaseExpression, cst.BaseStatement))]
    concrete = Concrete(syntax)
    places = offsets(concrete, nodes, text)
    assert len(places) == len(nodes)
    for node, (start, end) in places.items():
        assert "".join(text[start:end].split()) in "".join(concrete.text(node).split())
    calls = [text[slice(*places[node])] for node in nodes if isinstance(node, cst.Call)]
    assert calls == ["g( x )", "f(2)"]


def test_text_of_what_is_made_by_hand() -> None:
    concrete = Concrete(read("x = f( a,  b )\n"))
    assign = concrete._syntax.tree.body[0]
    assert isinstance(assign, cst.SimpleStatementLine)
    call = next(node for node in walk(assign) if isinstance(node, cst.Call))
    other = concrete.node(call).with_changes(func=cst.Name("g"))
    assert concrete.text(other) == "g( a,  b )"
