from typing import Callable, List, Optional

import torch
import torch.nn as nn
from torch import Tensor


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1, bias=False)


class Bottleneck(nn.Module):
    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int = 1,
        norm: Optional[Callable[..., nn.Module]] = None,
    ) -> None:
        super().__init__()
        if norm is None:
            norm = nn.BatchNorm2d
        self.conv1 = nn.Conv2d(inputs, width, kernel_size=1, bias=False)
        self.norm1 = norm(width)
        self.conv2 = conv3x3(width, width, stride)
        self.norm2 = norm(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inputs != width:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, width, 1, stride, bias=False), norm(width))

    def forward(self, x: Tensor) -> Tensor:
        identity = x
        out = self.relu(self.norm1(self.conv1(x)))
        out = self.norm2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class Net(nn.Module):
    def __init__(self, depths: List[int], classes: int = 1000) -> None:
        super().__init__()
        self.stem = conv3x3(3, 64)
        self.pool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.stages = nn.ModuleList([self._stage(64, depth) for depth in depths])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(64, classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)

    def _stage(self, width: int, depth: int) -> nn.Sequential:
        return nn.Sequential(*[Bottleneck(width, width) for _ in range(depth)])

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.stem(x))
        for stage in self.stages:
            x = stage(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        return self.fc(x)
