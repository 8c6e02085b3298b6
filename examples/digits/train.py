import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from model import Net

mx.random.seed(0)
model = Net()
optimizer = optim.Adam(learning_rate=1e-2, bias_correction=True)
images = mx.random.normal((64, 8, 8, 1))
labels = mx.random.randint(0, 10, (64,))


def loss_fn(model: Net, images: mx.array, labels: mx.array) -> mx.array:
    return nn.losses.cross_entropy(model(images), labels, reduction="mean")


step = nn.value_and_grad(model, loss_fn)
for epoch in range(20):
    loss, grads = step(model, images, labels)
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)

print("loss:", loss.item())
