import math

import mlx.core as mx
import mlx.nn as nn
from mlx.core import array as A

x = mx.zeros((2, 3))  #: float32 array (2, 3)
i = mx.arange(4)  #: int32 array (4,)
h = x.astype(mx.float16)  #: float16 array (2, 3)

# dtypes: Python scalars are weak, arrays are not
x * 2  #: float32 array (2, 3)
i * 2  #: int32 array (4,)
i * 2.0  #: float32 array (4,)
i / 2  #: float32 array (4,)
i // 2  #: int32 array (4,)
h + 1.5  #: float16 array (2, 3)
h + x  #: float32 array (2, 3)
h * mx.array(2.0)  #: float32 array (2, 3)
h + h.astype(mx.bfloat16)  #: float32 array (2, 3)
x > 0  #: bool_ array (2, 3)
~(x > 0)  #: bool_ array (2, 3)
(x > 0) & (x < 1)  #: bool_ array (2, 3)
(x > 0).sum()  #: int32 array ()
(x > 0).astype(mx.int8) - 1  #: int8 array (2, 3)
mx.argmax(x, axis=1)  #: uint32 array (2,)
mx.argmax(x, axis=-1, keepdims=True) - 1  #: uint32 array (2, 1)
mx.mean(i)  #: float32 array ()
mx.exp(h)  #: float16 array (2, 3)
mx.sqrt(4)  #: float32 array ()
mx.where(x > 0, x, 0)  #: float32 array (2, 3)
mx.array([1, 2, 3])  #: int32 array (3,)
mx.array([1, 2.5])  #: float32 array (2,)
mx.array([[True], [False]])  #: bool_ array (2, 1)
A([1, 2], dtype=mx.uint8)  #: uint8 array (2,)
mx.random.randint(0, 5, (3,))  #: int32 array (3,)
mx.random.normal((2, 2))  #: float32 array (2, 2)
mx.full((2,), 7)  #: int32 array (2,)
mx.zeros_like(i)  #: int32 array (4,)

# shapes
x.reshape(3, 2)  #: float32 array (3, 2)
x.reshape(-1)  #: float32 array (6,)
x.reshape(3, -1)  #: float32 array (3, 2)
x.T  #: float32 array (3, 2)
x.transpose(1, 0)  #: float32 array (3, 2)
x[0]  #: float32 array (3,)
x[:, None]  #: float32 array (?, 1, 3)
x[..., 0]  #: float32 array (2,)
x[mx.array([0, 1, 1])]  #: float32 array (3, 3)
x[x > 0]  #: float32 array
mx.expand_dims(x, 1)  #: float32 array (2, 1, 3)
x.squeeze(0)  #: float32 array (3,)
mx.concatenate([x, x], axis=1)  #: float32 array (2, ?)
mx.concatenate([mx.load("x.npy"), x], axis=1)  #: array (2, ?)
mx.stack([x, x])  #: float32 array (2, 2, 3)
x @ x.T  #: float32 array (2, 2)
x + mx.zeros((4, 1, 3))  #: float32 array (4, 2, 3)
x.sum(axis=0)  #: float32 array (3,)
x.sum(axis=(0, 1))  #: float32 array ()
x.max(axis=1, keepdims=True)  #: float32 array (2, 1)
mx.topk(x, 2)  #: float32 array (2, 2)
x.shape  #: tuple[2, 3]
x.shape[-1]  #: 3
x.ndim  #: 2
x.flatten()  #: float32 array (?,)
mx.broadcast_to(i, (3, 4))  #: int32 array (3, 4)
math.sqrt(x.shape[1])  #: float

# layout
pixels = mx.zeros((1, 8, 9, 3))  #: float32 array (1, 8, 9, 3)
pixels.transpose(0, 3, 1, 2)  #: float32 array (1, 3, 8, 9) channels_first
pixels.moveaxis(-1, 1)  #: float32 array (1, 3, 8, 9) channels_first

# sequences of arrays
x.chunk(2, dim=0)  #: tuple[float32 array, float32 array]
x.unbind(0)  #: tuple[float32 array...]
mx.split(x, 2)  #: list[float32 array (?, 3), float32 array (?, 3)]
q, k = mx.split(x, 2, axis=1)
k  #: float32 array (2, ?)
[x, i][1]  #: int32 array (4,)
[row for row in x]  #: list[float32 array (3,)...]
{"a": x}["a"]  #: float32 array (2, 3)
x.item()  #: float
i.item()  #: int


def windows():
    images = mx.zeros((2, 28, 28, 1))
    small = nn.Conv2d(1, 8, 3)(images)
    small  #: float32 array (2, 26, 26, 8) channels_last
    same = nn.Conv2d(1, 8, 5, padding=2)(images)
    same  #: float32 array (2, 28, 28, 8) channels_last
    halved = nn.Conv2d(1, 8, (3, 5), stride=2, padding=(1, 2), dilation=1)(images)
    halved  #: float32 array (2, 14, 14, 8) channels_last
    pooled = nn.MaxPool2d(3)(small)
    pooled  #: float32 array (2, 8, 8, 8) channels_last
    overlapping = nn.AvgPool2d(kernel_size=3, stride=2, padding=1)(small)
    overlapping  #: float32 array (2, 13, 13, 8) channels_last
    nothing = nn.MaxPool2d(32)(images)
    nothing  #: float32 array (2, 0, 0, 1) channels_last
    steps = nn.Conv1d(4, 8, 3, dilation=2)(mx.zeros((2, 10, 4)))
    steps  #: float32 array (2, 6, 8)


def unknown_windows(padding, options):
    images = mx.zeros((2, 28, 28, 1))
    padded = nn.Conv2d(1, 8, 3, padding=padding)(images)
    padded  #: float32 array (2, ?, ?, 8) channels_last
    pooled = nn.MaxPool2d(padding)(images)
    pooled  #: float32 array (2, ?, ?, 1) channels_last
    any_of = nn.Conv2d(1, 8, 3, **options)(images)
    any_of  #: float32 array (2, ?, ?, 8) channels_last


def reordered(order: list[int], x: mx.array):
    axes = (0, *[axis + 1 for axis in order])
    mx.zeros((2, 3, 4)).transpose(axes)  #: float32 array (?, ?, ?)
    mx.transpose(mx.zeros((2, 3)), axes=axes)  #: float32 array (?, ?)
    mx.transpose(mx.zeros((2, 3)), axes=(1, 0))  #: float32 array (3, 2)
    return mx.transpose(mx.zeros((2, 3)))  #: float32 array (3, 2)


def sized(given):
    given.shape  #: tuple[int...]
    given.shape[0]  #: int
    given.size  #: unknown
