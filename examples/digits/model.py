import mlx.core as mx
import mlx.nn as nn
import numpy as np


class Net(nn.Module):
    def __init__(self, classes: int = 10):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm(8)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(8 * 4 * 4, classes)

    def __call__(self, x: mx.array) -> mx.array:
        """Logits of images (batch, height, width, channel)."""
        x = self.pool(nn.relu(self.norm(self.conv(x))))
        return self.head(x.transpose(0, 3, 1, 2).flatten(1))


def confident(logits: mx.array, threshold: float = 0.5) -> mx.array:
    """The rows whose best class is surer than a threshold."""
    best = mx.softmax(logits, axis=-1).max(axis=-1)
    rows = np.flatnonzero(np.array(best > threshold))
    return logits[mx.array(rows)]
