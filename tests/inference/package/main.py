import mlx.core as mx
from helpers import LIMIT, Base, positive

import helpers as h


class Derived(Base):
    def __init__(self):
        super().__init__(mx.zeros((5, 2)))
        self.extra = h.positive(mx.zeros((6,)))


positive(mx.zeros((6,)))  #: bool_ array (6,)
h.LIMIT  #: 4
LIMIT  #: 4
d = Derived()
d.table  #: float32 array (5, 2)
d.extra  #: bool_ array (6,)
d.scale  #: 2.0
d.lookup(0)  #: float32 array (2,)


class Config:
    def __init__(self, table, rank=2):
        self.table = table

    @classmethod
    def of(cls, rank, table):
        rank  #: 3
        return cls(table, rank=rank)

    @staticmethod
    def half(x):
        x  #: float32 array (4,)
        return x / 2


Config.of(3, mx.zeros((4,)))  #: Config()
Config.of(3, mx.zeros((4,))).table  #: float32 array (4,)
Config.half(mx.zeros((4,)))  #: float32 array (4,)
