"""Parameters of transformed functions, models and optimizers, known by what is done with them."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import numpy as np


@mx.compile
def compiled(x, scale, batch, config):
    x  #: array
    scale  #: unknown
    batch  #: unknown
    inputs, targets = batch
    return x * scale + config["bias"] + inputs


@partial(mx.compile, shapeless=True)
def shapeless(hidden):
    hidden  #: array
    return hidden[:, 0]


def loss(weights, x, params, n):
    weights  #: array
    x  #: array
    params  #: unknown
    n  #: unknown
    return (weights * x).reshape(n, -1).mean() + params["b"]


gradient = mx.grad(loss)
mapped = mx.vmap(lambda row, other: row.unsqueeze(0) + other)


def plain(x, y):
    x  #: unknown
    return x * y


def train(model, optimizer, batches):
    step = nn.value_and_grad(model, lambda x: model(x).mean())
    model  #: mlx.nn.Module()
    for x in batches:
        value, gradients = step(x)
        optimizer.update(model, gradients)
        optimizer  #: mlx.optimizers.Optimizer()


def cast(x, values: np.ndarray):
    y = x.astype(mx.float16)  #: float16 array
    values  #: numpy.ndarray
    z = values.astype(mx.float32)  #: float32 array
    values  #: array
    return y, z


def centred(values: np.ndarray):
    return values  #: float32 array (2,) | numpy.ndarray


centred(mx.ones((2,)))
centred(np.ones((2,)))


def masked(scores, rows, limit):
    keep = mx.sigmoid(scores) > limit
    first = rows[keep]
    rows  #: array
    return first, scores
