"""Statements: control flow, imports, definitions."""

from __future__ import annotations

from collections.abc import Callable, Collection

import libcst as cst

from mlxlint.model import foreign
from mlxlint.model.arguments import Arguments
from mlxlint.model.calls import TRANSPARENT, WRAPPERS
from mlxlint.model.code import ClassCode, Env, FunctionCode
from mlxlint.model.exposure import exposed
from mlxlint.model.expressions import OPERATORS
from mlxlint.model.machine import Frame, Machine, iterated
from mlxlint.model.narrowing import given_instead, none_tested
from mlxlint.model.tree import dotted
from mlxlint.model.values import NONE, UNKNOWN, Class, Const, Function, Instance, Name, Partial, Sequence, Value, join

LOOP_PASSES = 3


class Statements(Machine):
    """Runs statements. ``run_*`` methods return True when control surely does not go on after them."""

    def block(self, statements: Collection[cst.CSTNode]) -> bool:
        """Run statements; True when control surely leaves before the end."""
        ended = False
        frame = self.frame
        values = frame.values
        for statement in statements:
            if type(statement) is cst.SimpleStatementLine or type(statement) is cst.SimpleStatementSuite:
                for small in statement.body:
                    values[small] = UNKNOWN
                    ended = self._statements[type(small)](small) or ended
            else:
                values[statement] = UNKNOWN
                handler = self._statements.get(type(statement))
                ended = bool(handler and handler(statement)) or ended
        self.steps += len(statements)
        if frame.module is not self.linted:
            self.away += len(statements)
        return ended

    def suite(self, body: cst.BaseSuite) -> bool:
        return self.block(body.body if isinstance(body, cst.IndentedBlock) else [body])

    def run_Expr(self, node: cst.Expr) -> bool:
        self.eval(node.value)
        return False

    def run_Pass(self, node: cst.Pass) -> bool:
        return False

    def run_Assign(self, node: cst.Assign) -> bool:
        value = self.eval(node.value)
        for target in node.targets:
            self.assign(target.target, value, node.value)
        return False

    def run_AnnAssign(self, node: cst.AnnAssign) -> bool:
        stated = self.annotation(node.annotation.annotation)
        value = self.eval(node.value) if node.value is not None else UNKNOWN
        if value is UNKNOWN or (isinstance(value, Const) and value.value is None):
            value = stated if value is UNKNOWN or stated is UNKNOWN else join(stated, value)
        if node.value is not None or self.frame.code is None:
            self.assign(node.target, value, node.value)
        if self.frame.code is None and self.frame.owner is not None and isinstance(node.target, cst.Name):
            self.frame.owner.fields[node.target.value] = stated if stated is not UNKNOWN else value
        return False

    def run_AugAssign(self, node: cst.AugAssign) -> bool:
        left = self.eval(node.target)
        right = self.eval(node.value)
        result = self.binary(OPERATORS.get(type(node.operator), "?"), left, right, node)
        if isinstance(node.target, cst.Name):
            if isinstance(left, Sequence) and isinstance(node.operator, cst.AddAssign):
                result = Sequence(
                    left.kind,
                    None,
                    join(left.joined(), foreign.iterate(right)) if left.items != () else foreign.iterate(right),
                )
            self.frame.env[node.target.value] = result
        elif isinstance(node.target, cst.Attribute):
            self.store_attribute(node.target, result)
        return False

    def run_Return(self, node: cst.Return) -> bool:
        self.frame.returns.append(self.eval(node.value) if node.value is not None else NONE)
        return True

    def run_Raise(self, node: cst.Raise) -> bool:
        for part in (node.exc, node.cause and node.cause.item):
            if part is not None:
                self.eval(part)
        return True

    def run_Break(self, node: cst.Break) -> bool:
        if self.frame.breaks:
            self.frame.breaks[-1].append(dict(self.frame.env))
        return True

    def run_Continue(self, node: cst.Continue) -> bool:
        if self.frame.continues:
            self.frame.continues[-1].append(dict(self.frame.env))
        return True

    def run_Assert(self, node: cst.Assert) -> bool:
        self.eval(node.test)
        if node.msg is not None:
            self.eval(node.msg)
        self.narrow(node.test, True)
        return False

    def run_Del(self, node: cst.Del) -> bool:
        targets = [e.value for e in node.target.elements] if isinstance(node.target, cst.Tuple) else [node.target]
        for target in targets:
            if isinstance(target, cst.Name):
                self.frame.env.pop(target.value, None)
            else:
                self.eval(target)
        return False

    def run_Global(self, node: cst.Global) -> bool:
        return False

    def run_Nonlocal(self, node: cst.Nonlocal) -> bool:
        return False

    def run_TypeAlias(self, node: cst.TypeAlias) -> bool:
        return False

    def run_Import(self, node: cst.Import) -> bool:
        for alias in node.names:
            path = dotted(alias.name) or ""
            if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
                self._bind_name(alias.asname.name.value, self.project.module_value(path, self.frame.module, alias))
            else:
                root = path.partition(".")[0]
                self._bind_name(root, self.project.module_value(root, self.frame.module, alias))
        return False

    def run_ImportFrom(self, node: cst.ImportFrom) -> bool:
        base = self.project.resolve_from(node, self.frame.module)
        if isinstance(node.names, cst.ImportStar):
            for name, value in self.project.star(base, self.frame.module).items():
                self._bind_name(name, value)
            return False
        for alias in node.names:
            name = alias.name.value if isinstance(alias.name, cst.Name) else ""
            as_name = (
                alias.asname.name.value
                if alias.asname is not None and isinstance(alias.asname.name, cst.Name)
                else name
            )
            value = self.project.member(base, name, self.frame.module, alias)
            self.frame.values[alias] = value
            self._bind_name(as_name, value)
        return False

    def _bind_name(self, name: str, value: Value) -> None:
        self.frame.env[name] = value

    def run_If(self, node: cst.If) -> bool:
        self.eval(node.test)
        frame = self.frame
        before = frame.env
        frame.env = dict(before)
        self.narrow(node.test, True)
        ended_then = self.suite(node.body)
        then_env = frame.env
        frame.env = dict(before)
        self.narrow(node.test, False)
        ended_else = False
        if node.orelse is not None:
            frame.values[node.orelse] = UNKNOWN
            ended_else = self.run_If(node.orelse) if isinstance(node.orelse, cst.If) else self.suite(node.orelse.body)
        elif (name := none_tested(node.test, cst.Is)) is not None and frame.env.get(name) is UNKNOWN:
            frame.env[name] = given_instead(then_env.get(name, UNKNOWN))
        self._merge([*([] if ended_then else [then_env]), *([] if ended_else else [frame.env])], before)
        return ended_then and ended_else

    def _merge(self, envs: list[Env], fallback: Env) -> None:
        """Go on with the join of the environments; with ``fallback`` when there are none."""
        merged = join_envs(envs) if envs else fallback
        if self.frame.env is self.frame.globals or (self.frame.code is None and self.frame.owner is None):
            merged = self._into_globals(merged)
        self.frame.env = merged

    def _into_globals(self, env: Env) -> Env:
        """A module's environment stays one object, since functions refer to it."""
        home = self.frame.globals
        if env is not home:
            home.clear()
            home.update(env)
        return home

    def _loop(self, loop: cst.For | cst.While, enter: Callable[[], None], leave: Callable[[], None]) -> bool:
        """Run a loop's body until what it reads of the pass before is stable, at most a few times."""
        frame = self.frame
        read = frame.module.syntax.told(exposed, loop)
        passes = LOOP_PASSES if len(frame.breaks) < 2 else 1
        exits: list[Env] = []
        for _ in range(passes):
            start = dict(frame.env)
            frame.breaks.append([])
            frame.continues.append([])
            enter()
            ended = self.suite(loop.body)
            exits = frame.breaks.pop()
            ends = [*frame.continues.pop(), *([] if ended else [frame.env])]
            joined = join_envs([start, *ends])
            frame.env = joined
            if same_env(_part(start, read), _part(joined, read)):
                break
        leave()
        if loop.orelse is not None:
            self.suite(loop.orelse.body)
        self._merge([frame.env, *exits], frame.env)
        return False

    def run_For(self, node: cst.For) -> bool:
        element = iterated(self.eval(node.iter), node.iter)
        return self._loop(node, lambda: self.assign(node.target, element, None), lambda: None)

    def run_While(self, node: cst.While) -> bool:
        def enter() -> None:
            self.eval(node.test)
            self.narrow(node.test, True)

        self._loop(node, enter, lambda: self.narrow(node.test, False))
        return False

    def run_Try(self, node: cst.Try | cst.TryStar) -> bool:
        frame = self.frame
        before = dict(frame.env)
        ended = self.suite(node.body)
        after = frame.env
        start = join_envs([before, after])
        ends: list[Env] = []
        if not ended:
            frame.env = dict(after)
            if node.orelse is not None:
                ended = self.suite(node.orelse.body)
            if not ended:
                ends.append(frame.env)
        all_ended = ended
        for handler in node.handlers:
            frame.env = dict(start)
            frame.values[handler] = UNKNOWN
            if handler.type is not None:
                self.eval(handler.type)
            if handler.name is not None and isinstance(handler.name.name, cst.Name):
                frame.env[handler.name.name.value] = UNKNOWN
            if not self.suite(handler.body):
                ends.append(frame.env)
                all_ended = False
        self._merge(ends, start)
        if node.finalbody is not None:
            all_ended = self.suite(node.finalbody.body) or all_ended
        return all_ended

    run_TryStar = run_Try

    def run_With(self, node: cst.With) -> bool:
        for item in node.items:
            value = self.eval(item.item)
            if item.asname is not None:
                self.assign(item.asname.name, self._entered(value), None)
        return self.suite(node.body)

    def _entered(self, value: Value) -> Value:
        if isinstance(value, Instance) and value.code is not None:
            method = value.code.method("__enter__")
            return self.call_function(method, Arguments((value,), {})) if method is not None else UNKNOWN
        if isinstance(value, Sequence) and value.kind == "generator":
            return value.element
        return value if isinstance(value, Instance) and value.type == "io.TextIOWrapper" else UNKNOWN

    def run_Match(self, node: cst.Match) -> bool:
        self.eval(node.subject)
        frame = self.frame
        before = frame.env
        ends: list[Env] = []
        total = False
        for case in node.cases:
            frame.env = dict(before)
            for name in _captured(case.pattern):
                frame.env[name] = UNKNOWN
            if case.guard is not None:
                self.eval(case.guard)
            total = total or (
                case.guard is None and isinstance(case.pattern, cst.MatchAs) and case.pattern.pattern is None
            )
            if not self.suite(case.body):
                ends.append(frame.env)
        self._merge(ends if total else [*ends, dict(before)], before)
        return total and not ends

    def run_FunctionDef(self, node: cst.FunctionDef) -> bool:
        code = self.function_code(node)
        code.decorators = [self.eval(d.decorator) for d in node.decorators]
        for param in code.parameters:
            if param.default is not None:
                self.eval(param.default)
            if param.annotation is not None:
                self.see_annotation(param.annotation.annotation)
        if node.returns is not None:
            self.see_annotation(node.returns.annotation)
        value: Value = Function(code, node=node)
        for decorator in reversed(code.decorators):
            value = self._decorated(decorator, value, node)
        self.frame.env[node.name.value] = value
        return False

    def _decorated(self, decorator: Value, value: Value, node: cst.CSTNode) -> Value:
        if isinstance(decorator, Name) and decorator.name in WRAPPERS and decorator.name not in TRANSPARENT:
            return self.wrap(decorator.name, Arguments((value,), {}), node)
        if isinstance(decorator, Partial):
            if isinstance(decorator.inner, Name) and decorator.inner.name in WRAPPERS - TRANSPARENT:
                return self.wrap(decorator.inner.name, Arguments((value,), decorator.keywords), node)
            return value
        if isinstance(decorator, Function):
            result = self.call_function(decorator.code, Arguments((value,), {}))
            return result if isinstance(result, (Function, Partial)) else value
        return value

    def function_code(self, node: cst.FunctionDef | cst.Lambda) -> FunctionCode:
        frame = self.frame
        known = self.functions if self._in_passing() else frame.module.functions
        code = known.get(node)
        scopes = frame.inner_scopes
        if code is None:
            owner = frame.owner if frame.code is None else None
            code = known[node] = FunctionCode(node, frame.module, owner, scopes)
            self.pending.setdefault(frame.module, []).append(code)
        code.scopes = scopes
        return code

    def _in_passing(self) -> bool:
        """Whether what is defined here is not for the module to keep: in a function of one that lasts."""
        return self.frame.module.lasting and bool(self.frame.inner_scopes)

    def run_ClassDef(self, node: cst.ClassDef) -> bool:
        frame = self.frame
        known = self.classes if self._in_passing() else frame.module.classes
        code = known.setdefault(node, ClassCode(node, frame.module))
        code.bases = [self.eval(arg.value) for arg in node.bases]
        code.decorators = [self.eval(d.decorator) for d in node.decorators]
        inner = Frame(frame.module, {}, frame.inner_scopes, frame.values, frame.recording)
        inner.owner = code
        self.within(inner, lambda: self.suite(node.body))
        code.body = inner.env
        for base in code.bases:
            if isinstance(base, Class):
                code.fields = {**base.code.fields, **code.fields}
        frame.env[node.name.value] = Class(code, node=node)
        return False


def join_envs(envs: list[Env]) -> Env:
    """Names bound in any of the environments; a name missing from one is taken as the others have it."""
    result = dict(envs[0])
    for env in envs[1:]:
        for name, value in env.items():
            old = result.get(name)
            if old is None:
                result[name] = value
            elif old is not value:
                result[name] = join(old, value)
    for name in [n for n in result if "." in n]:  # what is known of an attribute holds only where every branch knows it
        if not all(name in env for env in envs):
            del result[name]
    return result


def same_env(a: Env, b: Env) -> bool:
    return len(a) == len(b) and all(v is b.get(n) or (n in b and v.key() == b[n].key()) for n, v in a.items())


def _part(env: Env, names: frozenset[str] | None) -> Env:
    """An environment without the names that do not matter; what is known of attributes always does."""
    return env if names is None else {name: value for name, value in env.items() if name in names or "." in name}


def _captured(pattern: cst.MatchPattern) -> list[str]:
    from mlxlint.model.tree import walk

    found = []
    for node in walk(pattern):
        if isinstance(node, (cst.MatchAs, cst.MatchStar)) and node.name is not None:
            found.append(node.name.value)
    return found
