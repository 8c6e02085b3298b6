import torch
import torch.nn.functional as F
from residual import Net
from torch.optim import SGD
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def accuracy(output: torch.Tensor, target: torch.Tensor, k: int = 1) -> torch.Tensor:
    with torch.no_grad():
        _, pred = output.topk(k, 1, True, True)
        correct = pred.t().eq(target.view(1, -1))
        return correct.float().sum() / target.size(0)


def step(model: torch.nn.Module, image: torch.Tensor, target: torch.Tensor, optimizer: SGD) -> float:
    image, target = image.to(device, non_blocking=True), target.to(device)
    loss = F.cross_entropy(model(image), target)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def main(loader: DataLoader, epochs: int) -> None:
    torch.manual_seed(0)
    model = Net([2, 2]).to(device)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = StepLR(optimizer, step_size=30)
    for epoch in range(epochs):
        model.train()
        for image, target in loader:
            print(epoch, step(model, image.squeeze(1), target, optimizer))
        scheduler.step()
    torch.save(model.state_dict(), "model.pt")
