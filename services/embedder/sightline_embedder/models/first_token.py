"""A vision transformer's last layer, computed for the one token that is read.

CLIP's image vector is made from the class token alone: the last layer's queries and its feed-forward
network for all the other tokens have no part in it. Leaving them out changes nothing but the time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class FirstTokenLayer(nn.Module):
    """A CLIPEncoderLayer of transformers that maps (n, tokens, width) to (n, 1, width), the first token's."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer: Any = layer

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
        """Attend from the first token to all."""
        layer, attention = self.layer, self.layer.self_attn
        seen = layer.layer_norm1(hidden_states)
        query, key, value = (
            projected.unflatten(2, (attention.num_heads, attention.head_dim)).transpose(1, 2)
            for projected in (
                attention.q_proj(seen[:, :1]),
                attention.k_proj(seen),
                attention.v_proj(seen),
            )
        )
        found = scaled_dot_product_attention(query, key, value, scale=attention.scale)
        first = hidden_states[:, :1] + attention.out_proj(found.transpose(1, 2).flatten(2))
        return first + layer.mlp(layer.layer_norm2(first))  # type: ignore[no-any-return]


@contextmanager
def first_token_only(layers: nn.ModuleList) -> Iterator[None]:
    """Have the last of the layers compute its first token alone."""
    last = layers[-1]
    layers[-1] = FirstTokenLayer(last)
    try:
        yield
    finally:
        layers[-1] = last
