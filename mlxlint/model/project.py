"""The other modules of the project: loading and asking them. What lies in an environment is known by name only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import libcst as cst

from mlxlint.model import api, names
from mlxlint.model.code import Env, ModuleCode
from mlxlint.model.finder import Facts, Finder
from mlxlint.model.infer import Interpreter
from mlxlint.model.port import Sign
from mlxlint.model.tree import dotted
from mlxlint.model.values import UNKNOWN, Module, Name, Scalar, Value
from mlxlint.source import Source
from mlxlint.syntax import Syntax, read

_NUMBERS = frozenset(
    "mlx.core.inf mlx.core.pi mlx.core.e mlx.core.nan numpy.pi numpy.inf numpy.e math.pi math.inf".split()
)


class Project:
    """Modules by file, analysed on demand.

    Those that a linted file uses are executed once and last; itself and those that import it are executed and analysed
    anew each time: what is found in a file does not depend on which files were linted before it.
    """

    def __init__(
        self,
        roots: Sequence[Path] = (),
        finder: Finder | None = None,
        interpreter: Callable[[Project], Interpreter] = Interpreter,
    ) -> None:
        self.finder = finder or Finder([str(root) for root in roots])
        self.syntaxes: dict[str, Syntax] = {}  # by text
        self.size = 0  # characters of the texts parsed
        self.read_syntax: Callable[[str, str], Syntax] = lambda text, path: read(text)  # the path it is from
        self.interpreter = interpreter(self)
        self._modules: dict[Path, ModuleCode | None] = {}  # of this analysis
        self._lasting: dict[Path, ModuleCode | None] = {}
        self._loading: list[ModuleCode] = []
        self._in_cycles: set[ModuleCode] = set()  # lasting ones whose values depend on which was loaded first
        self._cycles: dict[Path, set[ModuleCode]] = {}  # the same, kept for when that one is first again

    def begin(self) -> None:
        """Forget what the analysis of one file has shown."""
        self.interpreter.begin()
        kept = self._cycles.values()
        for module in (*self._modules.values(), *self._in_cycles.difference(*kept)):
            if module is not None:
                module.take_apart()
        for module in self._in_cycles:
            self._lasting.pop(module.path, None)  # type: ignore[arg-type]
        self._modules = {}
        self._in_cycles.clear()

    def forget(self, keep: int = 0) -> None:
        """Let go of texts, trees and values, but for the lasting modules that were used most.

        Args:
            keep: characters of text that these may have together.
        """
        self.begin()
        self.finder.forget()
        kept: dict[ModuleCode, None] = {}
        lasting = [module for module in self._lasting.values() if module is not None]
        for module in sorted(lasting, key=lambda module: -module.uses):
            more = dict.fromkeys([module, *_rests_on(module)])
            if sum(len(each.text) for each in {**kept, **more}) <= keep:
                kept.update(more)
        for module in (*lasting, *set().union(*self._cycles.values())):
            if module not in kept:
                module.take_apart()
        self._cycles.clear()
        self._lasting = {module.path: module for module in kept if module.path is not None}
        self.syntaxes = {module.text: module.syntax for module in kept}
        self.size = sum(map(len, self.syntaxes))

    def facts(self, path: Path) -> Facts:
        """What the analysis of a file took from other files."""
        return self.finder.facts(str(path.resolve()))

    # ---- loading ---------------------------------------------------------------------------------------------------

    def module(self, source: Source, path: Path | None) -> ModuleCode:
        """The module of a file that is being linted; ``path`` None: it has no place on disk.

        Raises:
            cst.ParserSyntaxError: when the text does not parse.
        """
        path = path.resolve() if path is not None else None
        name = self.finder.name(str(path)) if path is not None else "__main__"
        module = ModuleCode(name, path, self._syntax(source.text, path))
        if path is not None:
            self._modules[path] = module
        return module

    def _syntax(self, text: str, path: Path | None) -> Syntax:
        if text not in self.syntaxes:
            self.syntaxes[text] = self.read_syntax(text, str(path or ""))
            self.size += len(text)
        return self.syntaxes[text]

    def load(self, path: Path, importer: ModuleCode | None = None) -> ModuleCode | None:
        """The module of a file, its top level executed.

        Returns:
            None when it cannot be read or parsed, or is not to be followed.
        """
        source = self.finder.source(str(path), str(importer.path) if importer is not None else None)
        if source is None or not (importer is None or self.follows(path, source, importer)):
            return None
        if importer is None or (path in self._modules and not importer.lasting):
            return self._load_anew(path, source)
        return self._load_lasting(path, source)

    def follows(self, path: Path, source: Source, importer: ModuleCode) -> bool:
        """Whether an import is followed: not that far from MLX that neither of the two names it, or one import could
        pull in a whole framework."""
        return self.finder.concerns(source.text) or self.finder.concerns(importer.text)

    def _load_anew(self, path: Path, source: Source) -> ModuleCode | None:
        if self._modules.get(path) is None:
            with contextlib.suppress(cst.ParserSyntaxError, RecursionError):
                self.module(source, path)
        module = self._modules.get(path)
        if module is not None:
            self.interpreter.execute(module)
        return module

    def _load_lasting(self, path: Path, source: Source) -> ModuleCode | None:
        is_first = not self._loading and not self._in_cycles
        if is_first and path in self._cycles:
            self._in_cycles.update(self._cycles[path])
            self._lasting.update({module.path: module for module in self._in_cycles if module.path is not None})
        module = self._load_once(path, source)
        if is_first and self._in_cycles:
            self._cycles[path] = set(self._in_cycles)
        return module

    def _load_once(self, path: Path, source: Source) -> ModuleCode | None:
        if path not in self._lasting:
            self._lasting[path] = None
            with contextlib.suppress(cst.ParserSyntaxError, RecursionError):
                syntax = self._syntax(source.text, path)
                self._lasting[path] = ModuleCode(self.finder.name(str(path)), path, syntax, lasting=True)
        module = self._lasting[path]
        if module is None:
            return None
        module.uses += 1
        if self._loading:
            self._loading[-1].rests_on.add(module)
        if module in self._loading:
            self._in_cycles.update(self._loading[self._loading.index(module) :])
        elif not module.executed:
            self._execute_lasting(module, path)
        if module in self._in_cycles:  # as is, then, what is loaded with its help
            self._in_cycles.update(self._loading)
        return module

    def _execute_lasting(self, module: ModuleCode, path: Path) -> None:
        self._loading.append(module)
        try:
            self.interpreter.apart(lambda: self.interpreter.execute(module))
        except BaseException:
            del self._lasting[path]  # half executed
            raise
        finally:
            self._loading.pop()
            module.clear()

    def analyse(self, module: ModuleCode) -> None:
        """Analyse a module, after those that import it: their calls say what its functions are given."""
        has_functions = module.path is not None and "def " in module.text
        importers = [Path(path) for path in self.finder.importers(str(module.path))] if has_functions else []
        self._modules.update(dict.fromkeys(importers))
        self.interpreter.linted = module
        for importer in importers:
            self._consult(importer, module)
        self.interpreter.away = 0
        self.interpreter.analyse(module)

    def _consult(self, path: Path, module: ModuleCode) -> None:
        importer = self.load(path)
        if importer is not None:
            with contextlib.suppress(RecursionError):
                self.interpreter.analyse(importer, for_other=module)

    def port(self, module: ModuleCode) -> Sign | None:
        """What the files around a module show of PyTorch's behaviour being meant in it."""
        return None if module.path is None else self.finder.port(str(module.path))

    # ---- imports ---------------------------------------------------------------------------------------------------

    def module_value(self, name: str, importer: ModuleCode, node: cst.CSTNode) -> Value:
        """What ``import name`` binds."""
        if self.find(name, importer) is not None:
            return Module(name, node=node, home=importer)
        return Module(names.canonical(name), node=node)

    def resolve_from(self, node: cst.ImportFrom, importer: ModuleCode) -> str:
        """The absolute name of the module after ``from``."""
        name = dotted(node.module) or ""
        level = len(node.relative)
        if not level:
            return name
        package = importer.package.split(".") if importer.package else []
        base = package[: len(package) - (level - 1)] if level > 1 else package
        if not base and importer.path is not None:
            return "." * level + name  # outside any package: beside the file
        return ".".join([*base, name] if name else base)

    def member(self, base: str, name: str, importer: ModuleCode, node: cst.CSTNode) -> Value:
        """What ``from base import name`` binds."""
        path = self.find(base, importer)
        if path is not None:
            module = self.load(path, importer)
            if module is not None and name in module.env:
                return module.env[name]
            inner = f"{base}.{name}"
            return Module(inner, node=node, home=importer) if self.find(inner, importer) is not None else UNKNOWN
        if self.find(f"{base}.{name}" if base else name, importer) is not None:
            return Module(f"{base}.{name}" if base else name, node=node, home=importer)
        if base.startswith("."):
            return UNKNOWN
        full = names.canonical(f"{base}.{name}")
        return Module(full, node=node) if names.is_module(full) else Name(full, node=node)

    def star(self, base: str, importer: ModuleCode) -> Env:
        """What ``from base import *`` binds."""
        path = self.find(base, importer)
        if path is not None:
            module = self.load(path, importer)
            return (
                {n: v for n, v in module.env.items() if not n.startswith("_") and "." not in n}
                if module is not None
                else {}
            )
        if names.of_mlx(base):
            return {n: self.attribute(Module(base), n, importer) for n in api.members(base) if not n.startswith("_")}
        return {}

    def attribute(self, module: Module, name: str, importer: ModuleCode) -> Value:
        """``module.name``."""
        home = module.home or importer
        path = self.find(module.name, home)
        if path is not None:
            loaded = self.load(path, home)
            if loaded is not None and name in loaded.env:
                return loaded.env[name]
            inner = f"{module.name}.{name}"
            return Module(inner, home=home) if self.find(inner, home) is not None else UNKNOWN
        return _outside(f"{module.name}.{name}")

    # ---- finding ---------------------------------------------------------------------------------------------------

    def find(self, name: str, importer: ModuleCode) -> Path | None:
        """The file of a module as seen from another; None when it is not the project's."""
        if name not in importer.found:
            importer.found[name] = self._find(name, importer)
        return importer.found[name]

    def _find(self, name: str, importer: ModuleCode) -> Path | None:
        if not name or (importer.path is None and (name.startswith(".") or not self.finder.roots)):
            return None
        if importer.path is None:
            found = self.finder.module(self.finder.roots[0], name, None)
        else:
            found = self.finder.module(str(importer.path.parent), name, str(importer.path))
        return None if found is None else Path(found)


@lru_cache(maxsize=4096)
def _outside(name: str) -> Value:
    """What a module from outside the project has by a qualified name."""
    full = names.canonical(name)
    if full in _NUMBERS:
        return Scalar("float")
    return Module(full) if names.is_module(full) else Name(full)


def _rests_on(module: ModuleCode) -> set[ModuleCode]:
    """The modules that a lasting one was executed with, directly or not."""
    found: set[ModuleCode] = set()
    pending = [module]
    while pending:
        new = pending.pop().rests_on - found
        found |= new
        pending += new
    return found
