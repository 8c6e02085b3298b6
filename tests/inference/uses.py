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


def updated(counts, ids, table):
    counts  #: array
    table  #: unknown
    table.at[0, 1]
    return counts.at[ids].add(1)


def of_library(library, x):
    library  #: unknown
    return library.softmax(x[:, 0], axis=-1)
