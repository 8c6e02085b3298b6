"""Which functions of a module bear upon another: those that may call what it defines, and those that call them."""

from __future__ import annotations

from collections.abc import Iterable

from mlxlint.model.code import FunctionCode, ModuleCode
from mlxlint.model.values import Class, Function, Instance, Module, Partial, Sequence, Value, members


class Bearing:
    """The functions of ``module`` that bear upon ``other``, told by the names they mention."""

    def __init__(self, module: ModuleCode, other: ModuleCode) -> None:
        self._module = module
        self._other = other
        self._names = {name for name, value in module.env.items() if self._leads_there(value)}
        methods = (name for code in other.classes.values() for name in code.body)
        self._names.update(name for name in methods if not name.startswith("__"))

    def among(self, functions: Iterable[FunctionCode]) -> list[FunctionCode]:
        """Those of some functions, in their order, that bear upon the other module, as far as is known now."""
        for code in self._module.classes.values():
            self._names.update(name for name, value in code.attributes.items() if self._leads_there(value))
        functions = list(functions)
        rest = functions
        while new := [code for code in rest if not self._names.isdisjoint(code.mentioned)]:
            self._names.update(code.called_by for code in new)
            rest = [code for code in rest if code not in new]
        return [code for code in functions if code not in rest]

    def _leads_there(self, value: Value) -> bool:
        """Whether a value is defined in the other module, or holds what is."""
        if isinstance(value, Module):
            return f"{self._other.name}.".startswith(f"{value.name}.")
        if isinstance(value, Partial):
            return self._leads_there(value.inner)
        if isinstance(value, Sequence):
            return self._leads_there(value.joined())
        codes = (m.code for m in members(value) if isinstance(m, (Function, Class, Instance)))
        return any(code is not None and code.module is self._other for code in codes)
