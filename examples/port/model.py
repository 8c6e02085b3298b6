"""A small image classifier, as it came out of a quick port from PyTorch: MLX does not run it as meant."""

import mlx.core as mx
import mlx.nn as nn


class Block(nn.Module):
    def __init__(self, channels: int, width: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1)
        self.norm = nn.BatchNorm(width)

    def forward(self, x):
        return nn.relu(self.norm(self.conv(x)))


class Classifier(nn.Module):
    def __init__(self, classes: int = 10):
        super().__init__()
        self.blocks = nn.ModuleList([Block(3, 16), Block(16, 32)])
        self.head = nn.Linear(32, classes)

    def __call__(self, x: mx.array) -> mx.array:
        for block in self.blocks:
            x = block(x)
        x = x.mean(dim=(2, 3))
        return self.head(x)


def confident(logits: mx.array, threshold: float = 0.5) -> mx.array:
    """The rows whose best class is surer than a threshold."""
    best = mx.softmax(logits, axis=-1).max(axis=-1)
    return logits[best > threshold]
