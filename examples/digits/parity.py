import mlx.core as mx
from model import Net

reference = mx.load("reference.npz")
x, y = reference.pop("x"), reference.pop("y")
reference.pop("norm.num_batches_tracked")
reference["conv.weight"] = reference["conv.weight"].transpose(0, 2, 3, 1)
model = Net()
model.load_weights(list(reference.items()))
model.eval()
difference = mx.abs(model(x.transpose(0, 2, 3, 1)) - y).max().item()
print("largest difference below 1e-5:", difference < 1e-5)
