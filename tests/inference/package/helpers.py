import mlx.core as mx

LIMIT = 4


def positive(x):
    x  #: float32 array (6,)
    return x > 0


class Base:
    scale = 2.0

    def __init__(self, table):
        self.table = table

    def lookup(self, index):
        return self.table[index]
