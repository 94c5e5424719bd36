"""What transformers' ropes of Qwen2-VL make of two rows: prints the numbers that tests/runtime/ops/ops_test.cpp names. Versions: requirements.txt.

    python tests/golden/make_grid_rope.py
"""

import torch
from transformers.models.qwen2_vl import configuration_qwen2_vl as configuration
from transformers.models.qwen2_vl import modeling_qwen2_vl as qwen2_vl

HEAD_DIM = 8
X = (torch.arange(2 * HEAD_DIM, dtype=torch.float) - 7).view(2, 1, HEAD_DIM) / 4  # [rows, heads, head_dim]


def show(name, y):
    print(f"{name}: {{{', '.join(f'{float(value):.7g}f' for value in y.flatten())}}}")


text = configuration.Qwen2VLTextConfig(
    hidden_size=HEAD_DIM,
    num_attention_heads=1,
    rope_parameters={"rope_type": "default", "rope_theta": 100.0, "mrope_section": [1, 2, 1]},
)
positions = torch.tensor([[3, 4, 5], [7, 2, 9]]).T.unsqueeze(1)  # [time, row and column; 1; rows]
cosines, sines = qwen2_vl.Qwen2VLRotaryEmbedding(text)(X, positions)
heads = X.transpose(0, 1).unsqueeze(0)  # [1, heads, rows, head_dim]
show("text", qwen2_vl.apply_rotary_pos_emb(heads, heads, cosines, sines)[0].transpose(1, 2))

vision = configuration.Qwen2VLVisionConfig(embed_dim=HEAD_DIM, num_heads=1)
cosines, sines = qwen2_vl.Qwen2VLVisionRotaryEmbedding(vision)(X, torch.tensor([[2, 5], [3, 1]]))  # [rows; row and column]
show("vision", qwen2_vl.apply_rotary_pos_emb_vision(X, X, cosines, sines)[0])
print("vision inverse frequencies:", qwen2_vl.Qwen2VLVisionRotaryEmbedding(vision).inv_freq.tolist())
