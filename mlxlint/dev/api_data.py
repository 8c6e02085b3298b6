"""Build ``mlxlint/data/api-*.json``: the public surface of MLX and MLX-LM, release by release, from their wheels.

    python -m mlxlint.dev.api_data --cache DIR [--download] [--check]

``DIR`` holds wheels of MLX and MLX-LM, one a release; ``--download`` first fetches those that are missing. Type stubs
and sources are read out of the wheels and never run. Deprecations, which MLX tells only when a function is called, are
seen by calling it: the newest of the releases must be the one installed. The files are rewritten, the same byte for
byte from the same wheels; ``--check`` writes nothing and exits with 1 when they are out of date.
"""

from __future__ import annotations

import argparse
import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import griffe

from mlxlint.model import api

PROJECTS = {"mlx": "mlx", "mlx-lm": "mlx_lm"}  # project -> import package and file name of its wheels
PLATFORM = ("--platform", "macosx_14_0_arm64", "--python-version", "3.11")
OLDEST_MLX = (0, 8, 1)  # stubs before it say `*args, **kwargs` of every function
ARCHITECTURE = re.compile(r"^class ModelArgs\b", re.MULTILINE)
ARGUMENTS = {"int": "1 << 30", "str": "'trace.gputrace'"}

Fact = tuple[str, ...]  # kind, texts: see mlxlint.model.api.Run
Facts = dict[str, dict[str, Fact]]  # module or class -> member -> fact

UNTOLD: Facts = {  # what stubs of some releases leave out, though it is there when they are run
    "mlx.core": {"bool_": ("value", "() -> Dtype")},
    "mlx.core.random": {"state": ("value",)},  # served by the module's own `__getattr__`
}


def version_of(wheel: Path) -> tuple[int, ...]:
    return tuple(map(int, wheel.name.split("-")[1].split(".")))


def download(project: str, cache_dir: Path) -> None:
    """Fetch the wheels of a project that are missing.

    Raises:
        subprocess.CalledProcessError: when pip fails.
    """
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    platform = ["--only-binary=:all:", *PLATFORM]
    query = [*pip, "index", "versions", project, *platform]
    listing = subprocess.run(query, check=True, stdout=subprocess.PIPE, text=True).stdout
    _, available = listing.splitlines()[:2]  # "Available versions: 0.2, 0.1" after a heading
    for version in available.partition(": ")[2].split(", "):
        if not list(cache_dir.glob(f"{PROJECTS[project]}-{version}-*.whl")):
            fetch = [*pip, "download", "--quiet", "--no-deps", *platform, f"{project}=={version}"]
            subprocess.run(fetch, check=True, cwd=cache_dir)


def wheels(project: str, cache_dir: Path) -> list[Path]:
    """The wheels of a project, oldest release first."""
    found = sorted(cache_dir.glob(f"{PROJECTS[project]}-*.whl"), key=version_of)
    return [wheel for wheel in found if project != "mlx" or version_of(wheel) >= OLDEST_MLX]


class Release:
    """What one wheel defines: ``facts`` under public names, and the ``modules`` all of whose members are among them."""

    def __init__(self, wheel: Path) -> None:
        self.version = wheel.name.split("-")[1]
        self.facts: Facts = {}
        self.modules: set[str] = set()
        sources, extensions = read(wheel)
        self._trees = {
            name: parse(name, path, text) for name, (path, text) in sources.items() if not is_architecture(name, text)
        }
        self._bound = {name: self._bindings(name) for name in self._trees}
        self._public = self._public_names()
        for name in filter(is_public, self._trees):
            self._add_module(name)
        for name in filter(is_public, (*sources, *extensions)):
            scope, _, member = name.rpartition(".")
            if scope:
                self.facts.setdefault(scope, {}).setdefault(member, ("module",))
        self._settle()

    def _bindings(self, name: str) -> dict[str, str]:
        """What the names in a module stand for: where each is defined or imported from."""
        tree = self._trees[name]
        found: dict[str, str] = {}
        for member, obj in imports(tree):
            if obj.wildcard is None:
                found[member] = obj.target_path
            elif obj.wildcard in self._trees:
                starred = self._bindings(obj.wildcard) | self._submodules(obj.wildcard)
                found |= {key: path for key, path in starred.items() if not key.startswith("_")}
        return found | {member: f"{name}.{member}" for member in definitions(tree)}

    def _submodules(self, package: str) -> dict[str, str]:
        return {name.rpartition(".")[2]: name for name in self._trees if name.rpartition(".")[0] == package}

    def _definition(self, path: str) -> str:
        """Where a name comes from, imports followed as far as the wheel goes."""
        scope, _, member = path.rpartition(".")
        target = self._bound.get(scope, {}).get(member, path)
        return path if target == path else self._definition(target)

    def _public_names(self) -> dict[str, str]:
        """The shortest name that a package above a definition gives it."""
        found: dict[str, str] = {}
        for scope, bound in self._bound.items():
            for member, target in bound.items():
                path, name = self._definition(target), f"{scope}.{member}"
                if path.startswith(f"{scope}.") and path != name and path not in self._trees and is_public(name):
                    found[path] = min(found.get(path, name), name, key=lambda n: (n.count("."), len(n), n))
        return found

    def _public_name(self, path: str) -> str:
        path = self._definition(path)
        return self._public.get(path, path)

    def _add_module(self, name: str) -> None:
        tree = self._trees[name]
        members = self.facts.setdefault(name, {})
        if all(obj.wildcard is None or obj.wildcard in self._trees for _, obj in imports(tree)):
            self.modules.add(name)
        members |= UNTOLD.get(name, {})
        for member, target in self._bound[name].items():
            public = self._public_name(target)
            if public != f"{name}.{member}" and not member.startswith("_"):
                members[member] = ("alias", public)
        for member, thing in definitions(tree).items():
            public = self._public_name(f"{name}.{member}")
            seen = is_public(public) or isinstance(thing, griffe.Class)  # a private one may be the base of others
            if seen and not (is_stub(tree) and for_annotations(thing)):
                self._add(public, thing)

    def _add(self, public: str, obj: griffe.Object) -> None:
        scope, _, member = public.rpartition(".")
        self.facts.setdefault(scope, {})[member] = self._fact(obj)
        if isinstance(obj, griffe.Class):
            for name, inner in definitions(obj).items():
                if is_public(name) or re.fullmatch("__.+__", name):
                    self._add(f"{public}.{name}", inner)

    def _fact(self, obj: griffe.Object) -> Fact:
        in_class = isinstance(obj.parent, griffe.Class)
        if isinstance(obj, griffe.Class):
            return ("class", *(self._public_name(expression_path(base)) for base in obj.bases))
        if isinstance(obj, griffe.Function):
            assert isinstance(obj.parent, (griffe.Class, griffe.Module))
            overloads = obj.parent.overloads.get(obj.name) or [obj]
            return ("method" if in_class else "function", *map(signature, overloads))
        assert isinstance(obj, griffe.Attribute)
        if not in_class and isinstance(obj.value, (griffe.ExprName, griffe.ExprAttribute)):
            return ("same", f"{obj.module.path}.{obj.value}", expression_path(obj.value))
        kind = "property" if "property" in obj.labels else "value"
        return (kind, f"() -> {obj.annotation}") if obj.annotation else (kind,)

    def _settle(self) -> None:
        """Let names assigned from other names share what is known of those."""
        for members in self.facts.values():
            for member, (kind, *paths) in members.items():
                if kind == "same":
                    members[member] = self._fact_at(map(self._public_name, paths))

    def _fact_at(self, names: Iterable[str]) -> Fact:
        for name in names:
            scope, _, member = name.rpartition(".")
            fact = self.facts.get(scope, {}).get(member, ("value",))
            if fact[0] == "class":
                return ("alias", name)
            if fact[0] == "function":
                return fact
        return ("value",)


def read(wheel: Path) -> tuple[dict[str, tuple[Path, str]], list[str]]:
    """The Python files of a wheel by module, and the modules that it has as binaries."""
    sources, extensions = {}, []
    with zipfile.ZipFile(wheel) as archive:
        for entry in sorted(archive.namelist()):
            path = Path(entry.replace("mlx/core/core/", "mlx/core/"))  # one release packed its stubs twice
            if path.parts[0] not in PROJECTS.values() or path.parts[1] in ("include", "lib", "share"):
                continue
            if path.suffix == ".so":
                extensions.append(".".join((*path.parts[:-1], path.name.partition(".")[0])))
            elif path.suffix in (".py", ".pyi"):
                parts = path.with_suffix("").parts
                name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
                text = archive.read(entry).decode()
                sources[name] = (path, readable(text) if path.suffix == ".pyi" else text)
    return sources, extensions


def readable(stub: str) -> str:
    """A stub in which any signature that is not valid Python, as some were published, takes any arguments.

    Raises:
        SyntaxError: when something else in it is not valid.
    """
    lines = stub.splitlines()
    while True:
        text = "\n".join(lines)
        try:
            ast.parse(text)
        except SyntaxError as error:
            row = (error.lineno or 1) - 1
            lines[row], changed = re.subn(r"(def \w+)\(.*(?=:$|: \.\.\.$)", r"\1(*args, **kwargs)", lines[row])
            if not changed or "(*args, **kwargs)" in str(error.text):
                raise
        else:
            return text


@cache
def parse(name: str, path: Path, text: str) -> griffe.Module:
    *packages, leaf = name.split(".")
    parent = None
    for depth, package in enumerate(packages, 1):
        parent = griffe.Module(package, filepath=Path(*packages[:depth], "__init__.py"), parent=parent)
    module = griffe.visit(leaf, path, text, parent=parent)
    griffe.load_extensions().call("on_package", pkg=module, loader=None)  # gives dataclasses their constructors
    return module


def signature(function: griffe.Function) -> str:
    """ "(parameters) -> type", without the receiver of a method."""
    parameters = list(function.parameters)
    if isinstance(function.parent, griffe.Class) and "staticmethod" not in function.labels:
        parameters = parameters[1:]
    return griffe.Function("_", parameters=griffe.Parameters(*parameters), returns=function.returns).signature()[1:]


def expression_path(expression: griffe.Expr | str) -> str:
    return expression if isinstance(expression, str) else expression.canonical_path


def definitions(tree: griffe.Module | griffe.Class) -> dict[str, griffe.Object]:
    """What is defined in a module or class, by name; of a stub's overloaded function, the first overload."""
    found: dict[str, griffe.Object] = {name: functions[0] for name, functions in tree.overloads.items() if functions}
    return found | {name: obj for name, obj in tree.members.items() if not isinstance(obj, griffe.Alias)}


def imports(tree: griffe.Module) -> Iterator[tuple[str, griffe.Alias]]:
    """What a module imports; what a stub does is for its own annotations."""
    for name, obj in tree.members.items():
        if isinstance(obj, griffe.Alias) and not is_stub(tree):
            yield name, obj


def is_stub(tree: griffe.Module) -> bool:
    return isinstance(tree.filepath, Path) and tree.filepath.suffix == ".pyi"


def is_public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


def is_architecture(name: str, text: str) -> bool:
    """Whether a module holds one language model: its names follow the checkpoint and are nobody's interface."""
    return name.startswith("mlx_lm.models.") and bool(ARCHITECTURE.search(text))


def for_annotations(obj: griffe.Object) -> bool:
    """Whether something in a stub is not there at run time."""
    if isinstance(obj, griffe.Class):
        return any(expression_path(base) == "typing.Protocol" for base in obj.bases)
    if not isinstance(obj, griffe.Attribute):
        return False
    made_by = obj.value.canonical_path if isinstance(obj.value, griffe.ExprCall) else ""
    return str(obj.annotation) == "TypeAlias" or made_by in ("typing.TypeVar", "typing.ParamSpec")


def merge(file: str, releases: Iterable[Release], deprecated: Mapping[str, str]) -> dict[str, Any]:
    """The content of one data file: runs of releases in which a fact held, -1 being the end of those that have none."""
    facts: dict[Fact, int] = {}
    scopes: dict[str, dict[str, list[list[int]]]] = {}
    modules: dict[str, list[list[int]]] = {}
    known: list[str] = []
    unknown: list[str] = []
    for release in releases:
        own = {scope: members for scope, members in release.facts.items() if api.file_of(scope) == file}
        if not own:
            unknown.append(release.version)
            continue
        for scope, members in sorted(own.items()):
            for member, fact in sorted(members.items()):
                runs = scopes.setdefault(scope, {}).setdefault(member, [])
                extend(runs, len(known), facts.setdefault(fact, len(facts)))
            if scope in release.modules:
                extend(modules.setdefault(scope, []), len(known))
        known.append(release.version)
    for runs in (*modules.values(), *chain.from_iterable(members.values() for members in scopes.values())):
        runs[-1][1] = -1 if runs[-1][1] == len(known) - 1 else runs[-1][1]
    return {
        "releases": known,
        "unknown": unknown,
        "modules": dict(sorted(modules.items())),
        "deprecated": {name: text for name, text in deprecated.items() if api.file_of(name) == file},
        "scopes": {scope: dict(sorted(members.items())) for scope, members in sorted(scopes.items())},
        "facts": list(facts),
    }


def extend(runs: list[list[int]], index: int, *fact: int) -> None:
    if runs and runs[-1][1] == index - 1 and runs[-1][2:] == [*fact]:
        runs[-1][1] = index
    else:
        runs.append([index, index, *fact])


def render(value: Any, breaks: int = 3) -> str:
    """JSON with a line for each fact, so that a new release shows as the lines it changed."""
    if isinstance(value, dict) and value and breaks:
        lines = (f"{json.dumps(key)}: {render(item, breaks - 1)}" for key, item in value.items())
        return "{\n" + ",\n".join(lines) + "\n}"
    if isinstance(value, list) and value and breaks == 2:
        return "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"
    return json.dumps(value, separators=(",", ":"))


def deprecations(release: Release) -> dict[str, str]:
    """What the installed MLX prints when the functions of its device modules are called, each in a process of its own.

    Raises:
        SystemExit: when another release than this one is installed.
    """
    installed = importlib.metadata.version("mlx")
    if installed != release.version:
        raise SystemExit(f"deprecations are seen by calling: install mlx {release.version} (found {installed})")
    found: dict[str, str] = {}
    for module in ("mlx.core.metal", "mlx.core.cuda"):
        for member, (kind, *texts) in sorted(release.facts[module].items()):
            if kind == "function":
                wanted = [p for p in api.signature(texts[0]).parameters if p.default is None]
                arguments = ", ".join(ARGUMENTS[str(parameter.annotation)] for parameter in wanted)
                code = f"import {module}; {module}.{member}({arguments})"
                result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
                lines = (result.stdout + result.stderr).splitlines()
                found |= {f"{module}.{member}": line.strip() for line in lines if "deprecated" in line}
    return found


def build(cache_dir: Path) -> dict[Path, str]:
    """The data files and what should be in them."""
    of_mlx, of_mlx_lm = ([Release(wheel) for wheel in wheels(project, cache_dir)] for project in PROJECTS)
    deprecated = deprecations(of_mlx[-1])
    sources = {"core": of_mlx, "mlx": of_mlx, "mlx-lm": of_mlx_lm}
    return {
        api.DATA / f"api-{file}.json": render(merge(file, releases, deprecated)) + "\n"
        for file, releases in sources.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cache", type=Path, required=True, metavar="DIR", help="where the wheels are")
    parser.add_argument("--download", action="store_true", help="fetch missing wheels first")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when the data is out of date")
    options = parser.parse_args()
    if options.download:
        for project in PROJECTS:
            download(project, options.cache)
    stale = {path: text for path, text in build(options.cache).items() if not path.exists() or path.read_text() != text}
    for path, text in stale.items():
        print(f"{path.name}: {'out of date' if options.check else 'written'}")
        if not options.check:
            path.write_text(text)
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
