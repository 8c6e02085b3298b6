"""The abstract interpreter: runs a module on abstract values and records the value of every expression.

Forward and flow-sensitive: branches are joined, loops run to a bounded fixed point, functions of the project are called
with the values at hand (bounded in depth and number), and read once more with what their callers were seen to pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import libcst as cst

from mlxlint.model.annotations import Annotations
from mlxlint.model.assignment import Assignment
from mlxlint.model.attributes import Attributes
from mlxlint.model.bearing import Bearing
from mlxlint.model.calls import Calls
from mlxlint.model.code import Env, FunctionCode, ModuleCode
from mlxlint.model.expressions import Expressions
from mlxlint.model.machine import NOTHING, Frame, refine
from mlxlint.model.narrowing import Narrowing
from mlxlint.model.statements import Statements, same_env
from mlxlint.model.values import (
    LIKELY,
    NONE,
    UNKNOWN,
    Array,
    Class,
    Const,
    Dict,
    Instance,
    Scalar,
    Sequence,
    Value,
    as_array,
    join,
    join_all,
    scalar_type,
)

# Parameters of a layer's __call__ that are seldom arrays; the others are, by MLX's convention.
NOT_ARRAYS = re.compile(
    r"cache|config|cfg|args|state|len|size|shape|step|fn|func|mask|mode|return|use_|is_|training|name|key|dim|axis|num|offset"
)


class Interpreter(Statements, Assignment, Narrowing, Annotations, Expressions, Attributes, Calls):
    """Runs the code of one project."""

    def execute(self, module: ModuleCode) -> None:
        """Run a module's top level: imports, definitions, constants, scripts."""
        if module.executed:
            return
        module.executed = True
        frame = Frame(module, module.env, (), module.values, True)
        module.env.setdefault("__name__", Scalar("str"))
        run = [line for line in module.tree.body if not (module.lasting and _is_for_scripts(line))]
        self.within(frame, lambda: self.block(run))
        if frame.env is not module.env:  # a branch at top level replaced it
            module.env.update(frame.env)
        module.complete = True

    def analyse(self, module: ModuleCode, for_other: ModuleCode | None = None) -> None:
        """Run everything in a module once, functions with the arguments of the calls seen, callers before callees.

        Args:
            for_other: run only what bears upon what this other module's functions are given.
        """
        if module.analysed:
            return
        module.analysed = True
        self.steps = 0
        self.execute(module)
        queue = self.pending.setdefault(module, [])
        bearing = Bearing(module, for_other).among if for_other is not None else list
        for code in bearing([c for c in queue if c.name == "__init__"]):
            self._record(code)
        while new := [c for c in reversed(bearing(queue)) if self.calls_of(c).at_analysis < 0]:
            for code in new:
                self._record(code)
        for code in bearing(queue):
            shown = self.calls_of(code)
            if shown.number != shown.at_analysis:
                self._record(code)

    def survey(self, code: FunctionCode) -> None:
        """See that the calls in a function's body are recorded, also in a module that is not being linted."""
        shown = self.calls_of(code)
        if shown.recorded is None:
            parameters = self.parameters(code)
            shown.recorded = dict(parameters)
            self.activate(code, parameters, recording=True)

    def _record(self, code: FunctionCode) -> None:
        shown = self.calls_of(code)
        shown.at_analysis = shown.number
        parameters = self.parameters(code)
        if shown.recorded is not None and same_env(shown.recorded, parameters):
            return  # the only call seen has shown it
        shown.recorded = dict(parameters)
        if code.name == "__init__" and code.owner is not None:
            self.objects_of(code.owner).initialised = True  # by what follows
        # Run for its callers' arguments one by one, it has shown what it passes on; their join would mix them.
        self.seeing = not shown.returns
        used = len(shown.used)
        try:
            self.activate(code, parameters, recording=True)
            if len(shown.used) > used:  # read again, with what the uses say of the parameters
                self.activate(code, self.parameters(code), recording=True)
        finally:
            self.seeing = True

    def activate(self, code: FunctionCode, env: Env, recording: bool) -> Value:
        """Run a function's body in an environment; its return value."""
        values = code.module.values if recording else {}
        if recording and code.module.lasting:
            self._recorded.add(code.module)
        frame = Frame(code.module, env, code.scopes, values, recording)
        frame.code, frame.owner = code, code.owner
        body = code.node.body
        shown = self.calls_of(code)
        shown.running += 1
        try:
            if not isinstance(body, cst.BaseSuite):
                return self.within(frame, lambda: self.eval(body))
            ended = self.within(frame, lambda: self.suite(body))
        finally:
            shown.running -= 1
        if frame.yields:
            return Sequence("generator", None, join_all(frame.returns) if frame.returns else UNKNOWN)
        if not ended:
            frame.returns.append(NONE)
        return join_all(frame.returns) if frame.returns else NONE

    def parameters(self, code: FunctionCode, given: Mapping[str, Value] = NOTHING) -> Env:
        """What a call gives; of the rest what annotations, defaults, conventions and the calls seen tell."""
        env: Env = {}
        positional = code.positional
        for i, param in enumerate(code.parameters):
            name = param.name.value
            known = given.get(name, UNKNOWN)
            if known is not UNKNOWN:
                env[name] = known
            elif i == 0 and code.owner is not None and not code.is_static and positional:
                env[name] = self._receiver(code)
            else:
                env[name] = self._parameter(code, param)
        for star, kind in ((code.node.params.star_arg, "tuple"), (code.node.params.star_kwarg, "dict")):
            if isinstance(star, cst.Param):
                rest = given.get(star.name.value, UNKNOWN)
                other = Sequence(kind, None, UNKNOWN) if kind == "tuple" else Dict()
                env[star.name.value] = other if rest is UNKNOWN else rest
        return env

    def _receiver(self, code: FunctionCode) -> Value:
        assert code.owner is not None
        if code.decorated_with("builtins.classmethod") or code.name == "__new__":
            return Class(code.owner)
        return Instance(code.owner.qualified, code.owner)

    def _parameter(self, code: FunctionCode, param: cst.Param) -> Value:
        value = self._stated_parameter(code, param)
        return self.calls_of(code).used.get(param.name.value, UNKNOWN) if value is UNKNOWN else value

    def _stated_parameter(self, code: FunctionCode, param: cst.Param) -> Value:
        name = param.name.value
        seen = self.calls_of(code).seen.get(name, UNKNOWN)
        if param.annotation is not None:
            stated = self.stated(code, param.annotation)
            if stated is not UNKNOWN:
                return refine(stated, seen)
        if param.default is not None:
            default = self.default(code, name, param.default)
            if seen is not UNKNOWN:
                return (
                    seen
                    if isinstance(default, Const) and default.value is None and as_array(seen)
                    else join(seen, default)
                )
            kind = scalar_type(default)
            return Scalar(kind, LIKELY) if kind else UNKNOWN
        if seen is not UNKNOWN:
            return seen
        if (
            code.name in ("__call__", "forward")
            and code.owner is not None
            and code.owner.is_mlx_module
            and not NOT_ARRAYS.search(name)
        ):
            return Array(op="parameter", confidence=LIKELY, node=param)
        return UNKNOWN


def _is_for_scripts(line: cst.CSTNode) -> bool:
    """Whether a statement is ``if __name__ == "__main__":``, passed over where a module is imported."""
    test = line.test if isinstance(line, cst.If) else None
    return isinstance(test, cst.Comparison) and isinstance(test.left, cst.Name) and test.left.value == "__name__"
