"""Its training loop."""

import time

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from model import Classifier, confident

model = Classifier()
optimizer = optim.Adam(model.parameters(), lr=1e-3)
images = mx.random.normal((32, 3, 28, 28))
labels = mx.random.randint(0, 10, (32,))


def loss_fn(model: Classifier, images: mx.array, labels: mx.array) -> mx.array:
    return nn.losses.cross_entropy(model(images), labels, reduction="mean")


start = time.perf_counter()
for step in range(100):
    loss, grads = nn.value_and_grad(model, loss_fn)(model, images, labels)
    optimizer.zero_grad()
    optimizer.update(model, grads)
print(f"{time.perf_counter() - start:.1f} s, {mx.metal.get_peak_memory() / 2**20:.0f} MiB")

histogram = mx.zeros(10)
histogram[labels] += 1
print(histogram, confident(model(images)).size())
