"""Where the project's modules are and who imports whom: all that is asked of the disk about modules not being linted.

A module is looked for beside the importing file, up its package, and in the configured source roots. What lies in an
environment (``site-packages``) is not the project's. No syntax tree is needed for any of this, and what is asked for
a module is remembered with it: whether a result still holds is known by asking the same again.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple

from mlxlint.model.port import Sign, around
from mlxlint.source import Source, UnreadableText

MAX_FILE = 1_000_000  # bytes; a larger module of the project is not followed
MAX_IMPORTERS = 3  # files read for what they pass to the functions of the one being linted ...
MAX_IMPORTERS_SIZE = 150_000  # ... and their bytes, all together
MAX_NEIGHBOURS = 50  # files of the same folder in which a class's twin in PyTorch is looked for
MAX_PACKAGE = 5000  # files in which importers are looked for
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+\(?[ \t]*([\w, \t]*)|import[ \t]+([\w., \t]+))", re.MULTILINE
)
_OUTSIDE = ("site-packages", "dist-packages")

_OF_PACKAGE = ("importers", "port")  # kinds of questions that all files of a package together answer

Package = tuple[str, str]  # its folder, and the one that holds that; the same twice for a folder of modules
Question = tuple[str, ...]
Fact = tuple[Question, Any]  # and its answer, as JSON has it
Answers = dict[Question, Any]


class Facts(NamedTuple):
    """What a result rests on; what is ``told`` by packages among the ``asked`` is the same as long as these are."""

    asked: Answers
    told: Answers


def digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def names_mlx(text: str) -> bool:
    """Whether a file can have to do with MLX at all."""
    return "mlx" in text


class File:
    """What a file holds, each of it read when first asked for; ``unsaved`` stands for what is on disk."""

    def __init__(self, path: str, unsaved: bytes | None = None) -> None:
        self._path = path
        self._unsaved = unsaved
        self._told: dict[Callable[[str], bool], bool] = {}

    def _bytes(self) -> bytes:
        if self._unsaved is not None:
            return self._unsaved
        with open(self._path, "rb") as file:
            return file.read()

    @cached_property
    def digest(self) -> str | None:
        """None when it cannot be read."""
        try:
            return digest(self._bytes())
        except OSError:
            return None

    @cached_property
    def source(self) -> Source | None:
        """None when it cannot be read or decoded, or is too large."""
        try:
            if self._unsaved is None and os.stat(self._path).st_size > MAX_FILE:
                return None
            return Source.decode(self._path, self._bytes())
        except (OSError, UnreadableText):
            return None

    @cached_property
    def imports(self) -> list[tuple[str, str, str]]:
        """The parts of its import statements: the module and the names after ``from``, or the modules alone."""
        return [] if self.source is None else _IMPORT.findall(self.source.text)

    def tells(self, concerns: Callable[[str], bool]) -> bool:
        """Whether there is a text that concerns; of one that does not no more is kept."""
        if concerns not in self._told:
            self._told[concerns] = self.source is not None and concerns(self.source.text)
            if not self._told[concerns]:
                self.forget_text()
        return self._told[concerns]

    def forget_text(self) -> None:
        vars(self).pop("source", None)


class Finder:
    """Answers questions about the files of one project, each once. Paths are absolute and real.

    ``concerns`` tells of a text whether the project's code in it is to be followed; ``unsaved`` is what files will be.
    """

    def __init__(
        self,
        roots: Sequence[str] = (),
        concerns: Callable[[str], bool] = names_mlx,
        unsaved: Mapping[str, bytes] | None = None,
    ) -> None:
        self.roots = [os.path.realpath(root) for root in roots]
        self.concerns = concerns
        self._unsaved = unsaved or {}
        self._answers: Answers = {}
        self._asked: dict[str, set[Question]] = {}  # by the module on whose behalf
        self.open_file: Callable[[str, bytes | None], File] = File  # by its path and what it will be, if unsaved
        self._files: dict[str, File] = {}
        self._top = functools.cache(_top)
        self._package_of = functools.cache(_package_of)
        self._listing = functools.cache(_listing)
        self._survey = functools.cache(_survey)
        self._imported: dict[str, dict[str, set[str]]] = {}  # by package: who imports whom
        self._kinds: dict[str, Callable[..., Any]] = {
            "module": self._module,
            "name": _name,
            "text": lambda path: self._file(path).digest,
            "importers": self._importers,
            "package": self._package,
            "port": self._port,
            "extent": lambda root, top: len(self._survey(root, root != top)[0]),
        }

    # Questions

    def module(self, folder: str, name: str, asker: str | None) -> str | None:
        """The file of a module as seen from a folder; a relative ``name`` begins with its dots."""
        path: str | None = self._ask(("module", folder, name), asker)
        return path

    def name(self, path: str, asker: str | None = None) -> str:
        """The dotted name of a file within its package."""
        name: str = self._ask(("name", path), asker or path)
        return name

    def source(self, path: str, asker: str | None) -> Source | None:
        """The text of a module; None when it cannot be read or decoded, or is too large."""
        self._ask(("text", path), asker)
        return self._file(path).source

    def importers(self, path: str) -> list[str]:
        """The files of the same package or folder that import a module, nearest first, as many as are to be read."""
        found: list[str] = self._ask(("importers", path), None)
        return found

    def port(self, path: str) -> Sign | None:
        """What the files around a module show of PyTorch's behaviour being meant in it."""
        sign = self._ask(("port", path), path)
        return None if sign is None else Sign(*sign)

    def extent(self, path: str) -> int:
        """How many files the package of a module has, or its folder where it is in none."""
        files: int = self._ask(("extent", *self._package_of(os.path.dirname(path))), None)
        return files

    def forget(self) -> None:
        """Let go of the texts; they are read again when asked for."""
        for file in self._files.values():
            file.forget_text()

    def _ask(self, question: Question, asker: str | None) -> Any:
        if asker is not None:
            self._asked.setdefault(asker, set()).add(question)
        if question not in self._answers:
            self._answers[question] = self._kinds[question[0]](*question[1:])
        return self._answers[question]

    # What a result rests on

    def facts(self, path: str) -> Facts:
        """All that was asked so far of modules that a file, or one that imports it, uses."""
        questions = self._rests_on(path)
        packages = {self._package_of(os.path.dirname(path)) for kind, path, *_ in questions if kind in _OF_PACKAGE}
        questions |= {("package", *package) for package in packages}
        answers = {question: self._ask(question, None) for question in sorted(questions)}
        whole = {package for package in packages if self._ask(("extent", *package), None) < MAX_PACKAGE}
        told = {question: answer for question, answer in answers.items() if self._tells(whole, question, answer)}
        return Facts({question: answer for question, answer in answers.items() if question not in told}, told)

    def _rests_on(self, path: str) -> set[Question]:
        importers = self.importers(path)
        questions: set[Question] = {("importers", path), *(("text", importer) for importer in importers)}
        pending, seen = [path, *importers], {path, *importers}
        while pending:
            asked = self._asked.get(pending.pop(), ())
            questions.update(asked)
            used = {question[1] for question in asked if question[0] == "text"} - seen
            pending += used
            seen |= used
        return questions

    def _tells(self, packages: Collection[Package], question: Question, answer: Any) -> bool:
        """Whether the answer is the same as long as these packages are."""
        kind, place = question[:2]
        if kind in ("package", *_OF_PACKAGE):
            return kind != "package"
        if kind != "module":
            return self._package_of(os.path.dirname(place)) in packages
        root, top = package = self._package_of(place)
        if package not in packages or root == top:
            return False
        first = question[2].partition(".")[0]
        if first in ("", os.path.basename(root)):
            if answer is None:
                return not self._survey(root, True)[1]
            return self._package_of(os.path.dirname(answer)) == package
        return answer is None and not any({first, first + ".py"} & set(self._listing(f)) for f in self._around(top))

    def hold(self, asked: Answers, told: Callable[[], Iterable[Fact]]) -> Answers | None:
        """The answers now, when they are the same; None else. What packages tell is asked where one changed."""
        answers = {}
        unchanged = True
        for question, answer in asked.items():
            answers[question] = self._ask(question, None)
            if answers[question] != answer:
                if question[0] != "package":
                    return None
                unchanged = False
        return answers if unchanged or all(self._ask(question, None) == answer for question, answer in told()) else None

    # Answers

    def _module(self, folder: str, name: str) -> str | None:
        if name.startswith("."):
            level = len(name) - len(name.lstrip("."))
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            return _module_file(folder, name[level:])
        top = self._top(folder)
        package = os.path.relpath(folder, top).split(os.sep)[0] if folder != top else None
        if package == name.partition(".")[0]:
            return _module_file(top, name)
        if any(part in _OUTSIDE for part in top.split(os.sep)):
            return None  # another distribution of the same environment
        source = os.path.join(top, "src")
        candidates = [*([] if package else [folder]), top, *self.roots, *([source] if os.path.isdir(source) else [])]
        return next((found for each in candidates if (found := _module_file(each, name)) is not None), None)

    def _file(self, path: str) -> File:
        if path not in self._files:
            self._files[path] = self.open_file(path, self._unsaved.get(path))
        return self._files[path]

    def _importers(self, path: str) -> list[str]:
        root, top = self._package_of(os.path.dirname(path))
        self._ask(("package", root, top), None)  # before its files are read: one that changes meanwhile is told by it
        if root not in self._imported:
            self._imported[root] = self._scan(root, top)
        folder = os.path.dirname(path)
        nearest = sorted(
            self._imported[root].get(path, ()), key=lambda p: (os.path.dirname(p) != folder, p.split(os.sep))
        )
        kept, total = [], 0
        for importer in nearest[:MAX_IMPORTERS]:
            source = self.source(importer, None)
            total += len(source.text) if source is not None else 0
            if total > MAX_IMPORTERS_SIZE:
                break
            kept.append(importer)
        return kept

    def _port(self, path: str) -> list[str] | None:
        beside = [other for other in self._survey(os.path.dirname(path), False)[0] if other != path]
        importers, neighbours = self._texts(self._importers(path)), self._texts(beside[:MAX_NEIGHBOURS])
        sign = around("".join(text for _, text in self._texts([path])), importers, neighbours)
        return None if sign is None else list(sign)

    def _texts(self, paths: Sequence[str]) -> Iterator[tuple[str, str]]:
        found = ((path, self.source(path, None)) for path in paths)
        return ((path, source.text) for path, source in found if source is not None)

    def _package(self, root: str, top: str) -> str:
        """A digest of what says who imports whom in a package: its files, and what modules there are beside it."""
        files, links = self._survey(root, root != top)
        texts = "".join(f"{path}\n{self._file(path).digest}\n" for path in files)
        whole = blake2b(f"{texts}{links}".encode("utf-8", "surrogateescape"), digest_size=16)
        for folder in self._around(top):
            whole.update(repr(self._listing(folder)).encode("utf-8", "surrogateescape"))
        return whole.hexdigest()

    def _around(self, top: str) -> tuple[str, ...]:
        """Where modules are looked for beside a package."""
        return (top, os.path.join(top, "src"), *self.roots)

    def _scan(self, root: str, top: str) -> dict[str, set[str]]:
        """Who imports whom below a folder, by the text of the import statements."""
        found: dict[str, set[str]] = {}
        files = self._survey(root, root != top)[0]
        stems = {_stem(path) for path in files} | {os.path.basename(os.path.dirname(path)) for path in files}
        for path in files:
            file = self._file(path)
            statements = file.imports if file.tells(self.concerns) else ()
            for name in _imported(statements, package(self.name(path), path)):
                if name.rpartition(".")[2] in stems:
                    target = self.module(os.path.dirname(path), name, None)
                    if target is not None and target != path:
                        found.setdefault(target, set()).add(path)
        return found


def package(name: str, path: str) -> str:
    """The package against which a module's relative imports resolve."""
    return name if os.path.basename(path) == "__init__.py" else name.rpartition(".")[0]


def _imported(statements: Iterable[tuple[str, str, str]], package: str) -> Iterator[str]:
    """The names of the modules that import statements may mean."""
    for name, listed, plain in statements:
        if plain:
            yield from (part.split()[0] for part in plain.split(",") if part.split())
            continue
        level = len(name) - len(name.lstrip("."))
        if level:
            parts = package.split(".") if package else []
            stem = parts[: len(parts) - (level - 1)]
            name = ".".join([*stem, name[level:]] if name[level:] else stem) or name
        yield name
        yield from (f"{name}.{part.split()[0]}" for part in listed.split(",") if part.split())


def _module_file(folder: str, name: str) -> str | None:
    base = os.path.join(folder, *name.split(".")) if name else folder
    for path in (base + ".py", os.path.join(base, "__init__.py")):
        if os.path.isfile(path):
            return os.path.realpath(path)
    return None


def _top(folder: str) -> str:
    """The nearest folder upwards that is no package."""
    while os.path.exists(os.path.join(folder, "__init__.py")) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


def _package_of(folder: str) -> Package:
    """The outermost package of a folder, or itself when it is in none; and the folder that holds the package."""
    top = _top(folder)
    return (top if folder == top else os.path.join(top, os.path.relpath(folder, top).split(os.sep)[0])), top


def _name(path: str) -> str:
    folder = os.path.dirname(path)
    parts = [] if os.path.basename(path) == "__init__.py" else [_stem(path)]
    inside = os.path.relpath(folder, _top(folder))
    if inside != os.curdir:
        parts = [*inside.split(os.sep), *parts]
    return ".".join(parts) or os.path.basename(folder)


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


def _survey(root: str, deep: bool) -> tuple[list[str], list[str]]:
    """The Python files below a folder, and the links to folders there, which are not followed."""
    files: list[str] = []
    links: list[str] = []
    pending = [root]
    while pending:
        with suppress(OSError), os.scandir(pending.pop()) as scan:
            for entry in scan:
                if entry.is_dir():
                    (links if entry.is_symlink() else pending if deep else []).append(entry.path)
                elif entry.name.endswith(".py"):
                    files.append(entry.path)
    return sorted(files, key=lambda path: path.split(os.sep))[:MAX_PACKAGE], sorted(links)


def _listing(folder: str) -> list[str]:
    """What modules there can be directly in a folder."""
    try:
        with os.scandir(folder) as scan:
            return sorted(each.name for each in scan if each.name.endswith(".py") or _names_package(each))
    except OSError:
        return []


def _names_package(entry: os.DirEntry[str]) -> bool:
    return entry.name.isidentifier() and entry.is_dir()
