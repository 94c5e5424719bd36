"""Prompt log-probabilities of Gemma 3 270M Q4_K_M: transformers in f32 on the dequantised GGUF. Versions: requirements.txt.

    HEARTH_GEMMA3_MODEL=FILE.gguf make_gemma3_270m.py     (./dev golden gemma3_270m, after ./dev model gemma3)

Writes gemma3_270m/logprobs.json. Ids are sentencepiece's own, of a model made of the file's pieces, scores and types; control tokens in a text are found first,
and what is between them is encoded by itself. The longest text is longer than the model's sliding window (512).
"""

import os
import pathlib
import re

import gguf
import sentencepiece
import torch
from sentencepiece import sentencepiece_model_pb2
from transformers import AutoModelForCausalLM

from prompt_logprobs import write_logprobs

CONTROL, USER_DEFINED = 3, 4  # the types of a GGUF's tokens are sentencepiece's
CHAT = "<start_of_turn>user\nWer schrieb Faust?<end_of_turn>\n<start_of_turn>model\nGoethe.<end_of_turn>\n\n\n<eos>"


def sentencepiece_of(fields):
    model = sentencepiece_model_pb2.ModelProto()
    columns = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "scores", "token_type"))
    for piece, score, kind in zip(*columns):
        # A GGUF has user-defined tokens as they look in a text, with spaces.
        model.pieces.add(piece=piece.replace(" ", "\u2581") if kind == USER_DEFINED else piece, score=score, type=kind)
    model.trainer_spec.model_type = sentencepiece_model_pb2.TrainerSpec.BPE
    model.trainer_spec.vocab_size = len(model.pieces)
    model.trainer_spec.byte_fallback = True
    model.trainer_spec.unk_id = fields["tokenizer.ggml.unknown_token_id"].contents()
    model.trainer_spec.bos_id = fields["tokenizer.ggml.bos_token_id"].contents()
    model.trainer_spec.eos_id = fields["tokenizer.ggml.eos_token_id"].contents()
    model.trainer_spec.pad_id = fields["tokenizer.ggml.padding_token_id"].contents()
    model.trainer_spec.unk_piece, model.trainer_spec.bos_piece = "<unk>", "<bos>"
    model.trainer_spec.eos_piece, model.trainer_spec.pad_piece = "<eos>", "<pad>"
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = fields["tokenizer.ggml.add_space_prefix"].contents()
    model.normalizer_spec.remove_extra_whitespaces = False
    return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())


def main():
    path = os.environ["HEARTH_GEMMA3_MODEL"]
    fields = gguf.GGUFReader(path).fields
    processor = sentencepiece_of(fields)
    control = {processor.id_to_piece(i): i for i, kind in enumerate(fields["tokenizer.ggml.token_type"].contents()) if kind == CONTROL}
    between = re.compile("(" + "|".join(map(re.escape, sorted(control, key=len, reverse=True))) + ")")

    def encode(text):
        ids = [processor.bos_id()]
        for part in between.split(text):
            ids += [control[part]] if part in control else processor.encode(part)
        return ids

    model = AutoModelForCausalLM.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path), dtype=torch.float32)
    write_logprobs(pathlib.Path(__file__).parent / "gemma3_270m/logprobs.json", model, encode, more_texts=[CHAT])


main()
