import functools
import math
from dataclasses import dataclass
from typing import Optional

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import torch
from mlx.utils import tree_flatten


def branch(flag, x: mx.array):
    y = x > 0 if flag else x.astype(mx.float16)
    y  #: array
    if flag:
        z = mx.zeros((2,))
    else:
        z = None
    z  #: None | float32 array (2,)
    if z is not None:
        z  #: float32 array (2,)
    if z is None:
        return x
    z  #: float32 array (2,)
    return z


def loop(n):
    total = 0
    total = mx.zeros((3,))
    for _ in range(n):
        total = total + mx.ones((3,))
    total  #: float32 array (3,)
    kept = []
    for t in [total, total]:
        kept.append(t * 2)
    kept  #: list[float32 array (3,)...]
    kept[0]  #: float32 array (3,)
    while n:
        n -= 1
        value = mx.array(n)
    return value


def optional(x: Optional[mx.array] = None, y: "mx.array | None" = None, n: int = 3):
    x  #: None | array
    y  #: None | array
    n  #: int
    x = x or mx.zeros((1,))
    x  #: array


def mask_of(scores):
    return scores > 0


def nested():
    scores = mx.random.uniform(shape=(5,))
    keep = mask_of(scores)
    keep  #: bool_ array (5,)
    again = (lambda s: mask_of(s))(scores)
    again  #: bool_ array (5,)
    half = functools.partial(mx.full, (2,))
    half(1.0)  #: float32 array (2,)
    return keep


# what a parameter is follows from the calls seen
def helper(values, limit):
    values  #: float32 array (4,)
    limit  #: 3
    return values[:limit]


helper(mx.zeros((4,)), 3)  #: float32 array (?,)

# three frameworks, kept apart
t = torch.zeros(3)
a = np.zeros((3,))
t > 0  #: bool torch.Tensor
a > 0  #: bool numpy.ndarray
t.numpy()  #: numpy.ndarray
mx.array(a)  #: float32 array (3,)
mx.array(t.numpy())  #: array
np.array(mx.zeros((2,)))  #: float32 numpy.ndarray
a * mx.zeros((3,))  #: numpy.ndarray
mx.zeros((3,)) * a  #: float32 array (3,)


def which(x):
    if isinstance(x, np.ndarray):
        x  #: numpy.ndarray
        x = mx.array(x)
    elif isinstance(x, torch.Tensor):
        x  #: torch.Tensor
    return x


@dataclass
class Batch:
    tokens: mx.array
    mask: mx.array
    names: list[str]


class Block(nn.Module):
    def __init__(self, dims: int, width=8):
        super().__init__()
        self.proj = nn.Linear(dims, width)
        self.table = mx.zeros((4, 4))
        self.layers = [nn.Linear(width, width) for _ in range(2)]
        self.act = nn.ReLU()
        self.cache = None

    @property
    def first(self):
        return self.layers[0]

    def __call__(self, x):
        x  #: float32 array (2, 3)
        h = self.act(self.proj(x))
        h  #: float32 array (2, ?)
        self.first  #: mlx.nn.Linear()
        for layer in self.layers:
            h = layer(h)
        self.table[0]  #: float32 array (4,)
        return h


def use(batch: Batch):
    batch.mask  #: array
    batch.tokens > 0  #: bool_ array
    block = Block(3)
    block  #: Block()
    block(mx.zeros((2, 3)))  #: float32 array (2, ?)
    block.proj.weight  #: float32 array
    seq = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    seq(mx.zeros((2, 3)))  #: float32 array (2, 4)
    nn.LeakyReLU(0.2)(mx.arange(3))  #: float32 array (3,)
    nn.ReLU()(mx.arange(3))  #: int32 array (3,)
    params = block.parameters()
    params  #: parameters
    loss_and_grad = nn.value_and_grad(block, lambda m, x: m(x).sum())
    loss, grads = loss_and_grad(block, mx.zeros((2, 3)))
    loss  #: float32 array ()
    grads  #: gradients
    step = mx.compile(lambda x: x * 2)
    step(mx.zeros((3,)))  #: float32 array (3,)


def shapes(x: mx.array):
    B, C, H, W = x.shape
    x  #: array (B, C, H, W) channels_first
    x.reshape(B, C, H * W)  #: array (B, C, ?)
    conv = nn.Conv2d(3, 16, 3)
    conv(x)  #: array (B, ?, ?, 16) channels_last
    match B:
        case 1:
            y = x
        case _:
            y = x[0]
    if (n := x.sum()) is not None:
        n  #: array ()
    return y


def tables(names, x: mx.array):
    rows = {"a": x > 0, "b": x < 0}
    for key, row in rows.items():
        row  #: bool_ array
    found = {}
    for name in names:
        found[name] = x > 1
    found[names]  #: bool_ array
    [m for m in found.values()]  #: list[bool_ array...]
    found.get("first")  #: bool_ array
    merged = {**rows, "c": x}
    merged["a"]  #: bool_ array
    merged["c"]  #: array


def impossible(x: mx.array, flag):
    if x is None:
        flag = 1
    x  #: array
    y = x if x is not None else None
    y  #: None | array
    if not isinstance(x, mx.array):
        x = mx.array(x)
    x  #: array
    return y


def defaulted(mask=None, other=None):
    if mask is None:
        mask = mx.ones((2, 3))
    mask  #: array
    picked = other if other is not None else mx.zeros((2,))
    picked  #: array
    return mask


def reshaped(x, sizes):
    x  #: array
    sizes  #: unknown
    return mx.reshape(x, sizes)


def rebound(x):
    x  #: unknown
    x = read(x)
    return mx.reshape(x, (2, 3))


def indexed_beside_numpy(x):
    x  #: unknown
    return x[..., 0]


# a test of the class or the number of axes says what cannot be
def converted(values):
    if isinstance(values, np.ndarray):
        values = mx.array(values)
    values  #: array
    return values


converted(np.ones((3,)))
converted(np.arange(4))


def by_axes(image):
    image  #: float32 array (2, 3)
    if image.ndim == 4:
        image  #: float32 array
    else:
        image  #: float32 array (2, 3)


by_axes(mx.zeros((2, 3)))


@dataclass(frozen=True)
class Pairs:
    rows: object

    def __post_init__(self):
        object.__setattr__(self, "rows", mx.array(self.rows, dtype=mx.int32))
        setattr(self, "weights", mx.zeros((2,)))

    def of(self, x):
        self.weights  #: float32 array (2,)
        return x[self.rows]


Pairs([1, 2]).rows  #: int32 array (2,) | list[1, 2]
math.isqrt(10), math.isnan(0.5)  #: tuple[int, bool]
# trees of another framework's leaves
for name, leaf in tree_flatten(torch.load("model.pt")["weights"]):
    leaf  #: torch.Tensor
for name, leaf in tree_flatten(nn.Linear(2, 3).parameters()):
    leaf  #: array
np.array(mx.zeros((2,))).astype(bool)  #: bool numpy.ndarray


# what a number has, and what NumPy makes of what is not known
def logged(loss: float, table):
    if hasattr(loss, "item"):
        print(loss.item())
    loss  #: float
    scaled = table * np.sqrt(2.0)
    scaled  #: unknown
    either = mx.zeros((2,)) if loss > 0 else np.zeros((2,))
    either * either  #: unknown
    np.zeros((2,)) * table  #: float64 numpy.ndarray
    return loss


def shapes_of(table):
    np.broadcast_shapes(table.shape, (2, 3))  #: tuple[int...]
    np.ndim(table), np.shape(table)  #: tuple[int, tuple[int...]]
    return table


@dataclass
class Sizes:
    width: int = 64
    heads: int = 4
    grid: tuple = (3, 32)
    rate: float = 0.1

    @property
    def head_width(self):
        return self.width // self.heads


@dataclass
class Loaded:
    width: int = 64
    depth: int = 2


def load(settings, count):
    Sizes(heads=8).heads  #: 8
    mx.zeros((Sizes(heads=8).head_width, *Sizes().grid))  #: float32 array (8, 3, 32)
    sizes = Sizes(heads=8, rate=count)
    sizes.width, sizes.rate  #: tuple[64, float]
    loaded = Loaded(**settings)
    loaded.width  #: int
    Loaded(64, count)
    return loaded.depth  #: int
