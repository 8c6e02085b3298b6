import math
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, dim: int, heads: int = 8, dropout: float = 0.0):
        super().__init__()
        self.heads = heads
        self.scale = (dim // heads) ** -0.5
        self.qkv = nn.Linear(dim, dim * 3, bias=True)
        self.proj = nn.Linear(dim, dim)
        self.drop = nn.Dropout(dropout)
        self.bias = nn.Parameter(torch.zeros(heads, 1, 1))
        self.register_buffer("steps", torch.arange(heads))

    def forward(self, x: torch.Tensor, mask: torch.Tensor = None) -> torch.Tensor:
        B, N, C = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        scores = torch.matmul(q, k.transpose(-2, -1)) * self.scale + self.bias
        if mask is not None:
            scores = scores.masked_fill(mask == 0, float("-inf"))
        scores = F.softmax(scores, dim=-1)
        x = torch.einsum("bhij,bhjd->bhid", scores, v)
        x = x.transpose(1, 2).contiguous().view(B, N, C)
        return self.drop(self.proj(x))


class Encoder(nn.Module):
    def __init__(self, dim: int, depth: int, norm_layer=partial(nn.LayerNorm, eps=1e-6)):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, dim))
        self.layers = nn.ModuleList([Attention(dim) for _ in range(depth)])
        self.norm = norm_layer(dim)
        self.head = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, 10))
        nn.init.trunc_normal_(self.token, std=0.02)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        token = self.token.expand(x.shape[0], -1, -1)
        x = torch.cat([token, x], dim=1)
        for layer in self.layers:
            x = x + layer(F.layer_norm(x, x.shape[-1:]))
        x = self.norm(x)
        best, index = x[:, 0].max(dim=-1)
        return self.head(x[:, 0] / math.sqrt(x.size(-1))), best, index
