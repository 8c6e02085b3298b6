import mlx.core as mx


def indexed(x, frame, table):
    x  #: array
    x[:, 0]  #: array
    frame  #: array
    frame[..., None]
    table  #: unknown
    table["a", 0]
    return x[1:]


def of_tensors(x, weights, path):
    x  #: array
    y = x.unsqueeze(0)
    weights  #: unknown
    weights.items()
    path  #: unknown
    path.mean()
    return y
