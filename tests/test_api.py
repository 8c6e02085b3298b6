"""The recorded surface of MLX and MLX-LM: what is asked of it, that it is true, and how it is built."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlxlint.model import api

KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: "positional-only",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "positional-or-keyword",
    inspect.Parameter.VAR_POSITIONAL: "var-positional",
    inspect.Parameter.KEYWORD_ONLY: "keyword-only",
    inspect.Parameter.VAR_KEYWORD: "var-keyword",
}
NEED_MORE = {"mlx_lm.evaluate"}  # modules that import packages which MLX-LM does not require


def names(entry: api.Entry | None, overload: int = 0) -> list[str]:
    assert entry is not None
    return [parameter.name for parameter in entry.signatures[overload].parameters]


@pytest.mark.parametrize(
    ("name", "kind", "parameters"),
    [
        ("mlx.core.expand_dims", "function", ["a", "axis", "stream"]),
        ("mlx.core.array", "class", ["val", "dtype"]),
        ("mlx.core.array.reshape", "method", ["shape", "stream"]),
        ("mlx.core.fast.rms_norm", "function", ["x", "weight", "eps", "stream"]),
        ("mlx.nn.Linear", "class", ["input_dims", "output_dims", "bias"]),
        ("mlx.nn.Linear.__init__", "method", ["input_dims", "output_dims", "bias"]),
        ("mlx.nn.losses.mse_loss", "function", ["predictions", "targets", "reduction"]),
        ("mlx.nn.Module.load_weights", "method", ["file_or_weights", "strict"]),
        ("mlx.nn.MaxPool2d.__call__", "method", ["x"]),
        ("mlx.optimizers.Adam", "class", ["learning_rate", "betas", "eps", "bias_correction"]),
        ("mlx.utils.tree_map", "function", ["fn", "tree", "rest", "is_leaf"]),
        ("mlx_lm.generate", "function", ["model", "tokenizer", "prompt", "verbose", "kwargs"]),
    ],
)
def test_signatures(name: str, kind: str, parameters: list[str]) -> None:
    entry = api.lookup(name)
    assert entry is not None
    assert entry.kind == kind
    assert names(entry) == parameters


@pytest.mark.parametrize(
    ("name", "kind", "type_"),
    [
        ("mlx.core.float32", "value", "Dtype"),
        ("mlx.core.inf", "value", "float"),
        ("mlx.core.array.T", "property", "array"),
        ("mlx.core.array.at", "property", "ArrayAt"),
    ],
)
def test_values_tell_their_type(name: str, kind: str, type_: str) -> None:
    entry = api.lookup(name)
    assert entry is not None
    assert (entry.kind, entry.signatures) == (kind, (api.Signature((), type_),))


def test_overloads_are_several_signatures() -> None:
    entry = api.lookup("mlx.core.arange")
    assert names(entry, 0)[:3] == ["start", "stop", "step"]
    assert names(entry, 1)[:2] == ["stop", "step"]


def test_signature_keeps_kinds_defaults_and_annotations_as_source() -> None:
    read = api.signature("(a: array, /, axis: int | None = None, *rest, keepdims=False, **more) -> array")
    assert read == api.Signature(
        (
            api.Parameter("a", "positional-only", None, "array"),
            api.Parameter("axis", "positional-or-keyword", "None", "int | None"),
            api.Parameter("rest", "var-positional"),
            api.Parameter("keepdims", "keyword-only", "False"),
            api.Parameter("more", "var-keyword"),
        ),
        "array",
    )


@pytest.mark.parametrize(
    "name", ["", "mlx", "torch.nn.Linear", "mlx.nothing.x", "mlx.core.nothing", "mlx.core.array.nothing"]
)
def test_unknown_names_have_no_entry(name: str) -> None:
    assert api.lookup(name) is None
    assert api.canonical(name) == name
    assert api.members(name + ".x") == frozenset()


@pytest.mark.parametrize(
    ("name", "public"),
    [
        ("mlx.nn.layers.linear.Linear", "mlx.nn.Linear"),
        ("mlx.nn.layers.base.Module", "mlx.nn.Module"),
        ("mlx.nn.layers.base.Module.update", "mlx.nn.Module.update"),
        ("mlx.optimizers.optimizers.Adam", "mlx.optimizers.Adam"),
        ("mlx.nn.layers.linear.mx.array", "mlx.core.array"),
        ("mlx_lm.utils.load", "mlx_lm.load"),
        ("mlx_lm.generate.stream_generate", "mlx_lm.stream_generate"),
        ("mlx_lm.utils.tree_flatten", "mlx.utils.tree_flatten"),
        ("mlx_lm.models.cache.KVCache", "mlx_lm.models.cache.KVCache"),
        ("mlx.core.metal.clear_cache", "mlx.core.metal.clear_cache"),
    ],
)
def test_canonical_names(name: str, public: str) -> None:
    entry = api.lookup(name)
    assert api.canonical(name) == public
    assert entry is not None
    assert entry.name == public


def test_inherited_members_come_from_the_class_that_defines_them() -> None:
    freeze = api.lookup("mlx.nn.Linear.freeze")
    assert freeze is not None
    assert freeze.name == "mlx.nn.Module.freeze"
    assert {"weight", "freeze", "items"} <= api.members("mlx.nn.Linear")
    assert api.members("mlx.nn.layers.linear.Linear") == api.members("mlx.nn.Linear")
    assert "nothing" not in api.members("mlx.nn.Linear")


def test_a_function_may_share_its_name_with_a_module() -> None:
    assert "mlx_lm.generate" in api.known_modules()
    assert {"generate", "stream_generate", "generate_step"} <= api.members("mlx_lm.generate")


@pytest.mark.parametrize(
    ("name", "release", "expected"),
    [
        ("mlx.core.clear_cache", "0.23.2", False),
        ("mlx.core.clear_cache", "0.24.2", True),
        ("mlx.core.clear_cache", "0.24", True),  # in part: the first of the series
        ("mlx.core.clear_cache", "0.24.3", True),  # never published: like the one before it
        ("mlx.core.clear_cache", "99.0", True),
        ("mlx.core.clear_cache", None, True),
        ("mlx.core.bool_", "0.26.1", True),  # its stub leaves it out
        ("mlx.core.infty", "0.15.2", True),
        ("mlx.core.infty", None, False),
        ("mlx.core.clear_cache", "0.32.0", None),  # published without stubs
        ("mlx.core.clear_cache", "0.1.0", None),  # older than all that are known
        ("mlx.nn.Linear", "0.32.0", True),
        ("mlx_lm.utils.generate", "0.22.2", True),
        ("mlx_lm.utils.generate", "0.22.3", False),
        ("mlx_lm.generate", "0.22.3", True),
    ],
)
def test_releases(name: str, release: str | None, expected: bool | None) -> None:
    entry = api.lookup(name)
    assert entry is not None
    assert entry.releases.contains(release) is expected


def test_lookup_in_a_release() -> None:
    assert api.lookup("mlx.core.clear_cache", "0.23.2") is None
    assert "clear_cache" not in api.members("mlx.core", "0.23.2")
    assert "clear_cache" in api.members("mlx.core", "0.32.0")
    assert api.members("mlx.core", "0.1.0") == frozenset()
    old, new = api.lookup("mlx.nn.Module.load_weights", "0.8.1"), api.lookup("mlx.nn.Module.load_weights")
    assert old is not None
    assert new is not None
    assert (old.releases.first, old.releases.last) == (new.releases.first, api.versions("mlx")[-1])


def test_modules_of_a_release_without_stubs_are_not_known() -> None:
    assert "mlx.core" in api.known_modules()
    assert "mlx.core" not in api.known_modules("0.32.0")
    assert "mlx.nn" in api.known_modules("0.32.0")
    assert "mlx.core.cuda" not in api.known_modules("0.28.0")


def test_versions_are_in_order() -> None:
    for package in ("mlx", "mlx-lm"):
        versions = api.versions(package)
        assert sorted(versions, key=lambda v: tuple(map(int, v.split(".")))) == list(versions)


def resolve(name: str) -> Any:
    """The object of a public name in the installed package."""
    scope, _, member = name.rpartition(".")
    if not scope:
        return importlib.import_module(name)
    is_module = scope in api.known_modules() and not scope.startswith("mlx.core.")
    return getattr(importlib.import_module(scope) if is_module else resolve(scope), member)


def installed(package: str) -> list[str]:
    """Every name of the newest release, in modules and in classes, of the modules that can be imported here.

    Skips the test where another release is installed.
    """
    project = package.replace("_", "-")
    pytest.importorskip(package)
    newest = api.versions(project)[-1]
    if importlib.metadata.version(project) != newest:
        pytest.skip(f"needs {project} {newest}")
    found = []
    for module in sorted(api.known_modules()):
        if module.partition(".")[0] == package and module not in NEED_MORE:
            found += [f"{module}.{member}" for member in sorted(api.members(module))]
    for name in list(found):
        entry = api.lookup(name)
        if entry is not None and entry.kind == "class" and entry.name == name:
            found += [f"{name}.{member}" for member in sorted(api.members(name))]
    return found


def is_true(name: str) -> bool:
    """Whether an entry says what the installed package shows."""
    entry = api.lookup(name)
    if entry is None or entry.kind == "module":  # inherited from a builtin; an attribute once it is imported
        return True
    if entry.kind == "value" and name.rpartition(".")[0] not in api.known_modules():  # an attribute of instances
        return True
    thing = resolve(name)
    if entry.kind == "value":
        return True
    if entry.kind == "class":
        return isinstance(thing, type)
    if entry.kind == "property":
        return not callable(thing)
    recorded = [shape(signature) for signature in entry.signatures]
    if hasattr(thing, "__nb_signature__"):
        return recorded == [shape(s)[entry.kind == "method" :] for s in told_by_binding(thing)]
    return recorded in ([told_by_python(name, thing, entry.kind, wrapped)] for wrapped in (True, False))


def shape(signature: api.Signature) -> list[tuple[str, str]]:
    return [(parameter.name, parameter.kind) for parameter in signature.parameters]


def told_by_binding(function: Any) -> Iterator[api.Signature]:
    for text, *_ in function.__nb_signature__:
        source = re.sub(r"\\\d+", "...", text[text.index("(") :])  # defaults are numbered
        yield api.signature(source.replace("[writable=False]", ""))


def told_by_python(name: str, function: Any, kind: str, wrapped: bool) -> list[tuple[str, str]]:
    scope, _, member = name.rpartition(".")
    takes_self = (
        kind == "method"
        and not inspect.ismethod(function)
        and not isinstance(inspect.getattr_static(resolve(scope), member), staticmethod)
    )
    try:
        parameters = inspect.signature(function, follow_wrapped=wrapped).parameters.values()
    except ValueError:  # a decorator written in C hides it
        return []
    return [(parameter.name, KINDS[parameter.kind]) for parameter in parameters][takes_self:]


@pytest.mark.parametrize("package", ["mlx", pytest.param("mlx_lm", marks=pytest.mark.slow)])
def test_entries_are_true(package: str) -> None:
    names_ = installed(package)
    assert len(names_) > 1000
    assert [name for name in names_ if not is_true(name)] == []


@pytest.mark.parametrize("package", ["mlx", pytest.param("mlx_lm", marks=pytest.mark.slow)])
def test_known_modules_are_complete(package: str) -> None:
    installed(package)
    for module in sorted(api.known_modules() - NEED_MORE):
        if module.partition(".")[0] == package:
            thing = resolve(module) if module.startswith("mlx.core.") else importlib.import_module(module)
            assert {name for name in dir(thing) if not name.startswith("_")} <= api.members(module), module


def test_what_is_deprecated_says_so() -> None:
    pytest.importorskip("mlx.core")
    code = "import mlx.core as mx; mx.metal.get_active_memory(); mx.get_active_memory()"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    old, new = api.lookup("mlx.core.metal.get_active_memory"), api.lookup("mlx.core.get_active_memory")
    assert old is not None
    assert new is not None
    assert (old.deprecated, new.deprecated) == ((said.stdout + said.stderr).strip(), None)


STUB = """
from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar, overload

T = TypeVar("T")
Numbers: TypeAlias = int | float
class Loads(Protocol): ...
class Dtype: ...
float32: Dtype = ...
class array:
    def __init__(self, val: Numbers, dtype: Dtype | None = None): ...
    @property
    def size(self) -> int: ...
    @overload
    def sum(self, axis: int) -> array: ...
    @overload
    def sum(self) -> array: ...
def broken(: Dtype, b: int = = 1) -> bool:
    "A slip of the generator."
@overload
def arange(stop: int, /) -> array: ...
@overload
def arange(start: int, stop: int, /) -> array: ...
def arccos(a: array, /) -> array: ...
acos = arccos
"""

SOURCES = {
    "mlx/nn/__init__.py": "from mlx.nn.layers import *\nfrom . import losses\n",
    "mlx/nn/losses.py": "import math\nfrom ..utils import tree_map as apply\n",
    "mlx/nn/layers/__init__.py": "from .linear import Linear, Options\n",
    "mlx/nn/layers/linear.py": """
from dataclasses import dataclass
import mlx.core as mx

class _Base(dict):
    def __init__(self, dims: int = 1):
        self.weight = mx.array(dims)
        self._hidden = None
    def freeze(self, *, strict=False) -> "Linear": ...

class Linear(_Base):
    @staticmethod
    def of(weight): ...
    def __call__(self, x): ...

@dataclass
class Options:
    bits: int
    mode: str = "affine"
""",
    "mlx/utils.py": "def tree_map(fn, tree, *rest, is_leaf=None): ...\n",
    "mlx/core.cpython-311-darwin.so": "",
}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Data files built from three releases: the second has no stub, the third a name less and another more."""
    pytest.importorskip("griffe")
    from mlxlint.dev import api_data

    stubs = [STUB, None, STUB.replace("acos = arccos", "def ones(n: int) -> array: ...")]
    for version, stub in zip(["0.9.0", "0.10.0", "0.11.0"], stubs, strict=True):
        wheel(tmp_path / f"mlx-{version}-cp311-none.whl", SOURCES | ({"mlx/core/__init__.pyi": stub} if stub else {}))
    lm = {"mlx_lm/__init__.py": "from .generate import generate\n", "mlx_lm/generate.py": "def generate(prompt): ...\n"}
    models = {
        "mlx_lm/models/__init__.py": "",
        "mlx_lm/models/llama.py": "class ModelArgs: ...\n",
        "mlx_lm/models/cache.py": "from os import *\nclass KVCache: ...\n",
    }
    wheel(tmp_path / "mlx_lm-0.1.0-py3-none-any.whl", lm | models)
    monkeypatch.setattr(api, "DATA", tmp_path)
    monkeypatch.setattr(api_data, "deprecations", lambda release: {"mlx.core.arccos": "use acos"})
    monkeypatch.setattr(sys, "argv", ["api_data", "--cache", str(tmp_path)])
    forget()
    assert api_data.main() == 0
    yield tmp_path
    forget()


def forget() -> None:
    for cached in (api._surface, api.lookup, api.canonical, api.members, api.known_modules):
        cached.cache_clear()


def wheel(path: Path, files: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


@pytest.mark.parametrize(
    ("name", "kind", "signatures"),
    [
        ("mlx.core.array", "class", ["(val: Numbers, dtype: Dtype | None = None)"]),
        ("mlx.core.array.sum", "method", ["(axis: int) -> array", "() -> array"]),
        ("mlx.core.array.size", "property", ["() -> int"]),
        ("mlx.core.float32", "value", ["() -> Dtype"]),
        ("mlx.core.broken", "function", ["(*args, **kwargs)"]),
        ("mlx.core.arange", "function", ["(stop: int, /) -> array", "(start: int, stop: int, /) -> array"]),
        ("mlx.core.acos", "function", ["(a: array, /) -> array"]),
        ("mlx.nn.Linear", "class", ["(dims: int = 1)"]),
        ("mlx.nn.Linear.of", "method", ["(weight)"]),
        ("mlx.nn.Linear.freeze", "method", ["(*, strict=False) -> Linear"]),
        ("mlx.nn.Options", "class", ["(bits: int, mode: str = 'affine') -> None"]),
        ("mlx.nn.losses.apply", "function", ["(fn, tree, *rest, is_leaf=None)"]),
        ("mlx_lm.generate", "function", ["(prompt)"]),
    ],
)
def test_built_signatures(data: Path, name: str, kind: str, signatures: list[str]) -> None:
    entry = api.lookup(name)
    assert entry is not None
    assert (entry.kind, entry.signatures) == (kind, tuple(map(api.signature, signatures)))


def test_built_members(data: Path) -> None:
    assert api.members("mlx.core") == {"Dtype", "float32", "bool_", "array", "broken", "arange", "arccos", "ones"}
    assert api.members("mlx.core", "0.9.0") - api.members("mlx.core") == {"acos"}
    assert api.members("mlx.nn") == {"Linear", "Options", "layers", "linear", "losses"}
    assert api.members("mlx.nn.Linear") >= {"weight", "freeze", "of", "items"}
    assert api.members("mlx.nn.losses") == {"math", "apply"}
    assert api.members("mlx_lm.models") == {"cache", "llama"}


def test_built_canonical_names(data: Path) -> None:
    assert api.canonical("mlx.nn.layers.linear.Linear") == "mlx.nn.Linear"
    assert api.canonical("mlx.nn.layers.linear.mx") == "mlx.core"
    assert api.canonical("mlx.nn.losses.apply") == "mlx.utils.tree_map"
    assert api.canonical("mlx.nn.losses.math") == "math"
    assert api.canonical("mlx_lm.generate.generate") == "mlx_lm.generate"


def test_built_releases(data: Path) -> None:
    acos, ones, arccos = (api.lookup(f"mlx.core.{name}") for name in ("acos", "ones", "arccos"))
    assert acos is not None
    assert ones is not None
    assert arccos is not None
    assert [acos.releases.contains(release) for release in ("0.9.0", "0.10.0", "0.11.0")] == [True, None, False]
    assert [ones.releases.contains(release) for release in ("0.9.0", "0.10.0", "0.11.0")] == [False, None, True]
    assert (arccos.releases.spans, arccos.deprecated) == (((0, 1),), "use acos")
    assert api.versions("mlx") == ("0.9.0", "0.10.0", "0.11.0")


def test_built_modules_are_known_where_nothing_is_hidden(data: Path) -> None:
    known = api.known_modules()
    assert {"mlx.core", "mlx.nn", "mlx_lm", "mlx_lm.generate", "mlx_lm.models"} <= known
    assert "mlx_lm.models.llama" not in known  # an architecture
    assert "mlx_lm.models.cache" not in known  # a wildcard import from elsewhere


def test_building_again_changes_nothing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlxlint.dev import api_data

    monkeypatch.setattr(sys, "argv", ["api_data", "--cache", str(data), "--check"])
    assert api_data.main() == 0
    path = data / "api-core.json"
    content = path.read_text()
    path.write_text(json.dumps(json.loads(content)))
    assert api_data.main() == 1
    assert path.read_text() != content
