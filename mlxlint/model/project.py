"""The other modules of the project: finding, loading and asking them.

A module is looked for beside the importing file, up its package, and in the configured source roots. What lies in an
environment (``site-packages``) is not the project's, and is known by name only.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import libcst as cst

from mlxlint.model import api, names
from mlxlint.model.code import Env, ModuleCode
from mlxlint.model.infer import Interpreter
from mlxlint.model.tree import dotted
from mlxlint.model.values import UNKNOWN, Module, Name, Scalar, Value
from mlxlint.parse import parse
from mlxlint.source import Source, UnreadableText

MAX_FILE = 1_000_000  # bytes; a larger module of the project is not followed
MAX_IMPORTERS = 8  # files read for what they pass to the functions of the one being linted ...
MAX_IMPORTERS_SIZE = 150_000  # ... and their characters, all together
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+\(?[ \t]*([\w, \t]*)|import[ \t]+([\w., \t]+))", re.MULTILINE
)
_OUTSIDE = ("site-packages", "dist-packages")


class Project:
    """Modules by file, analysed on demand, all with one interpreter."""

    def __init__(self, roots: Sequence[Path] = ()) -> None:
        self.roots = [root.resolve() for root in roots]
        self.modules: dict[Path, ModuleCode | None] = {}
        self.interpreter = Interpreter(self)
        self._importers: dict[Path, dict[Path, set[Path]]] = {}
        self._sources: dict[Path, Source | None] = {}
        self._found: dict[tuple[Path, str], Path | None] = {}

    # ---- loading ---------------------------------------------------------------------------------------------------

    def module(self, source: Source, path: Path | None) -> ModuleCode:
        """The module of a file that is being linted; ``path`` None: it has no place on disk.

        Raises:
            cst.ParserSyntaxError: when the text does not parse.
        """
        path = path.resolve() if path is not None else None
        known = self.modules.get(path) if path is not None else None
        if known is None or known.text != source.text:
            name = module_name(path) if path is not None else "__main__"
            known = ModuleCode(name, path, parse(source.text), source.text)
            if path is not None:
                self.modules[path] = known
        return known

    def load(self, path: Path, importer: ModuleCode | None = None) -> ModuleCode | None:
        """The module of a file, its top level executed.

        Returns:
            None when it cannot be read or parsed, or when neither it nor its ``importer`` names MLX: code that far from
            MLX is not followed, or one import could pull in a whole framework.
        """
        if path not in self.modules:
            source = self._source(path)
            if source is None or not (names_mlx(source.text) or importer is None or names_mlx(importer.text)):
                return None
            self.modules[path] = None  # while it loads, and if it cannot
            with contextlib.suppress(cst.ParserSyntaxError, RecursionError):
                self.module(source, path)
        module = self.modules[path]
        if module is not None:
            self._execute(module)
        return module

    def _source(self, path: Path) -> Source | None:
        if path not in self._sources:
            try:
                data = path.read_bytes() if path.stat().st_size <= MAX_FILE else None
                self._sources[path] = None if data is None else Source.decode(str(path), data)
            except (OSError, UnreadableText):
                self._sources[path] = None
        return self._sources[path]

    def _execute(self, module: ModuleCode) -> None:
        if not module.executed:
            self.interpreter.execute(module)

    def analyse(self, module: ModuleCode) -> None:
        """Analyse a module, after those that import it: their calls say what its functions are given."""
        for importer in self.importers(module):
            self._analyse_quietly(importer)
        self.interpreter.analyse(module)

    def _analyse_quietly(self, path: Path) -> None:
        module = self.load(path)
        if module is not None and not module.analysed:
            with contextlib.suppress(RecursionError):
                self.interpreter.analyse(module)

    # ---- imports ---------------------------------------------------------------------------------------------------

    def module_value(self, name: str, importer: ModuleCode, node: cst.CSTNode) -> Value:
        """What ``import name`` binds."""
        if self.find(name, importer) is not None:
            return Module(name, node=node)
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
            return Module(inner, node=node) if self.find(inner, importer) is not None else UNKNOWN
        if self.find(f"{base}.{name}" if base else name, importer) is not None:
            return Module(f"{base}.{name}" if base else name, node=node)
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
        path = self._path_of(module.name)
        if path is not None:
            loaded = self.load(path, importer)
            if loaded is not None and name in loaded.env:
                return loaded.env[name]
            inner = f"{module.name}.{name}"
            return Module(inner) if self._path_of(inner) is not None else UNKNOWN
        full = names.canonical(f"{module.name}.{name}")
        if full in (
            "mlx.core.inf",
            "mlx.core.pi",
            "mlx.core.e",
            "mlx.core.nan",
            "numpy.pi",
            "numpy.inf",
            "numpy.e",
            "math.pi",
            "math.inf",
        ):
            return Scalar("float")
        return Module(full) if names.is_module(full) else Name(full)

    # ---- finding ---------------------------------------------------------------------------------------------------

    def find(self, name: str, importer: ModuleCode) -> Path | None:
        """The file of a module as seen from another; None when it is not the project's."""
        if not name or (importer.path is None and not self.roots):
            return None
        if name.startswith("."):
            level = len(name) - len(name.lstrip("."))
            folder = (
                importer.path.parents[level - 1]
                if importer.path is not None and level <= len(importer.path.parents)
                else None
            )
            return _module_file(folder, name[level:]) if folder is not None else None
        folder = importer.path.parent if importer.path is not None else self.roots[0]
        key = (folder, name)
        if key not in self._found:
            self._found[key] = self._search(folder, name)
        found = self._found[key]
        if found is not None:
            self._by_name[name] = found
        return found

    def _search(self, folder: Path, name: str) -> Path | None:
        top = folder
        while (top / "__init__.py").exists() and top.parent != top:
            top = top.parent
        package = folder.relative_to(top).parts[:1]
        own = name.partition(".")[0]
        if package == (own,):
            return _module_file(top, name)
        if any(part in _OUTSIDE for part in top.parts):
            return None  # another distribution of the same environment
        candidates = [
            *([] if package else [folder]),
            top,
            *self.roots,
            *([top / "src"] if (top / "src").is_dir() else []),
        ]
        return next((found for c in candidates if (found := _module_file(c, name)) is not None), None)

    @cached_property
    def _by_name(self) -> dict[str, Path]:
        return {}

    def _path_of(self, name: str) -> Path | None:
        known = self._by_name.get(name)
        if known is not None:
            return known
        parent, _, last = name.rpartition(".")
        base = self._by_name.get(parent)
        if base is None or base.name != "__init__.py":
            return None
        found = _module_file(base.parent, last)
        if found is not None:
            self._by_name[name] = found
        return found

    def importers(self, module: ModuleCode) -> list[Path]:
        """The files of the same package or folder that import a module."""
        if module.path is None:
            return []
        folder = top = module.path.parent
        while (top / "__init__.py").exists() and top.parent != top:
            top = top.parent
        inside = module.path.relative_to(top).parts
        root = top / inside[0] if len(inside) > 1 else top
        if root not in self._importers:
            self._importers[root] = self._scan(root, top)
        nearest = sorted(self._importers[root].get(module.path, ()), key=lambda p: (p.parent != folder, p))
        kept, total = [], 0
        for path in nearest[:MAX_IMPORTERS]:
            source = self._source(path)
            total += len(source.text) if source is not None else 0
            if total > MAX_IMPORTERS_SIZE:
                break
            kept.append(path)
        return kept

    def _scan(self, root: Path, top: Path) -> dict[Path, set[Path]]:
        """Who imports whom below a folder, by the text of the import statements."""
        found: dict[Path, set[Path]] = {}
        files = sorted(root.rglob("*.py") if root != top else root.glob("*.py"))
        stems = {f.stem for f in files} | {f.parent.name for f in files}
        for path in files[:5000]:
            source = self._source(path)
            if source is None or not names_mlx(source.text):
                continue
            here = ModuleCode(module_name(path), path, _EMPTY)
            for match in _IMPORT.finditer(source.text):
                base, listed, plain = match.groups()
                for name in self._imported(base, listed, plain, here):
                    if name.rpartition(".")[2] in stems:
                        target = self.find(name, here)
                        if target is not None and target != path:
                            found.setdefault(target, set()).add(path)
        return found

    def _imported(self, base: str | None, listed: str | None, plain: str | None, here: ModuleCode) -> list[str]:
        if plain is not None:
            return [part.split()[0] for part in plain.split(",") if part.split()]
        text = base or ""
        level = len(text) - len(text.lstrip("."))
        if level:
            package = here.package.split(".") if here.package else []
            stem = package[: len(package) - (level - 1)]
            text = ".".join([*stem, text[level:]] if text[level:] else stem) or text
        return [text, *(f"{text}.{part.split()[0]}" for part in (listed or "").split(",") if part.split())]


def names_mlx(text: str) -> bool:
    """Whether a file can have to do with MLX at all."""
    return "mlx" in text


_EMPTY = cst.Module(body=())


def _module_file(folder: Path, name: str) -> Path | None:
    base = folder.joinpath(*name.split(".")) if name else folder
    for path in (base.with_name(base.name + ".py"), base / "__init__.py"):
        if path.is_file():
            return path.resolve()
    return None


def module_name(path: Path) -> str:
    """The dotted name of a file within its package."""
    parts = [] if path.name == "__init__.py" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").exists() and folder.parent != folder:
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts) or path.parent.name
