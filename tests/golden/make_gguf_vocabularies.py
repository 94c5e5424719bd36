"""Writes tests/golden/tokenizers/gguf_pre.json: what every tokenizer.ggml.pre means, by the tokenizers library; and a small Gemma, T5 and BERT.
Beside it gguf_pre_sections.json: the sections of tokenizer.json by which each name is known when a GGUF file is written.

Versions: tokenizers 0.23.3, sentencepiece 0.2.3, protobuf 7.36.2.
One vocabulary, trained on lines that were not cut at all so that other pieces give other ids, stands behind the normaliser and pre-tokenizer of the tokenizer.json
that the models of each name were published with (llama.cpp's convert_hf_to_gguf_update.py lists them). Every seventh merge is left out: a token that merges do not
reach tells whether ignore_merges is set. Of each list of ids only a hash is kept, FNV-1a over their four bytes, the lowest first; the texts are in the file.
Names in one row are in one row of runtime/tokenizer/gguf_pre.cpp too. afmoe's digits follow llama.cpp (groups of three from the right).
"""

import io
import json
import pathlib
import tempfile

import sentencepiece
from make_tokenizers import LLAMA3_REGEX, OUT, corpus, hard_strings
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

END = "<|endoftext|>"
CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3_REGEX.replace("{1,3}", "")
UPPER, LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
MARK = r"[^\r\n\p{L}\p{N}]?"
GPT_4O = (MARK + f"[{UPPER}]*[{LOWER}]+{CONTRACTIONS}?|" + MARK + f"[{UPPER}]+[{LOWER}]*{CONTRACTIONS}?|" + r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + SPACES)
TEKKEN = MARK + f"[{UPPER}]*[{LOWER}]+|" + MARK + f"[{UPPER}]+[{LOWER}]*|" + r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + SPACES
NO_HAN = r"&&[^\p{Han}]"
KIMI_K2 = "|".join([r"[\p{Han}]+", MARK + f"[{UPPER}{NO_HAN}]*[{LOWER}{NO_HAN}]+{CONTRACTIONS}?", MARK + f"[{UPPER}{NO_HAN}]+[{LOWER}{NO_HAN}]*{CONTRACTIONS}?",
                    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n]*", SPACES])
KANA_AND_HAN = "[一-龥\u3040-ゟ゠-ヿ]+"
DEEPSEEK_WORDS = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+"""
DEEPSEEK_V3 = DEEPSEEK_WORDS + r"[\r\n]*|" + SPACES
DEEPSEEK_LETTERS = (
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1F7Dᾀ-ᾴᾶ-ᾼ\u1FBEῂ-ῄῆ-ῌῐ-\u1FD3ῖ-\u1FDBῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕ"
    "ℙ-ℝℤ\u2126ℨ\u212A-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+")
HAN_AND_HANGUL = "[一-龥\u0800-一가-\ud7ff]+"
AFMOE_SCRIPTS = "[一-鿿㐀-䶿豈-\ufaff\u3040-ゟ゠-ヿ･-ﾟ⼀-\u2fdfเ-\u0e7f\u0e80-\u0effក-\u17ffက-႟ꩠ-ꩿꧠ-\ua9ff가-\ud7afᄀ-ᇿ]+"
YOUTU_SCRIPTS = "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-\u303f︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\u3040-ゟ゠-ヿ]+"
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"
JAIS_2 = LLAMA3_REGEX.removesuffix(r"|\s+(?!\S)|\s+") + "".join(rf"|\s{{{n}}}(?!\S)" for n in (512, 256, 128, 64, 32, 16, 8, 4)) + r"|\s{1,2}(?!\S)|\s{1}"
THREES = r"(?=(\d{3})+(?!\d))"

NFC, IGNORE_MERGES, ADD_BOS = "nfc", "ignore_merges", "add_bos"


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), behavior="isolated")


def splits(*patterns):
    return [split(pattern) for pattern in patterns] + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]


def byte_level(add_prefix_space=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)


def digits(individual):
    return pre_tokenizers.Digits(individual_digits=individual)


PUNCTUATION = pre_tokenizers.Punctuation("contiguous")
ROWS = {
    "gpt-2": ([byte_level()],),
    "mpt": ([byte_level()], NFC),
    "minerva-7b": ([byte_level(add_prefix_space=True)],),
    "starcoder": ([digits(True), byte_level()],),
    "command-r": ([digits(True), byte_level()], NFC),
    "tiny_aya": (splits(r"\d{1,3}(?=(?:\d{3})*\b)", GPT_4O), NFC),
    "llama-bpe": (splits(LLAMA3_REGEX), IGNORE_MERGES, ADD_BOS),
    "smaug-bpe": (splits(LLAMA3_REGEX), ADD_BOS),
    "glm4": (splits(LLAMA3_REGEX),),
    "minicpm5": (splits(r"\p{N}{1,3}", LLAMA3_REGEX.replace("{1,3}", "+")), IGNORE_MERGES),
    "jais-2": (splits(JAIS_2),),
    "qwen2": (splits(QWEN2), NFC),
    "hunyuan": (splits(QWEN2), IGNORE_MERGES, NFC),
    "grok-2": (splits(QWEN2),),
    "qwen35": (splits(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + SPACES), NFC),
    "laguna": (splits("[^\n]+|[\n]+", QWEN2),),
    "ufakzeka": (splits(QWEN2.removeprefix(CONTRACTIONS + "|")),),
    "bailingmoe": (splits(r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"),),
    "seed-coder": (splits(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|" + SPACES),),
    "exaone-moe": (splits(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"),),
    "gpt-4o": (splits(GPT_4O),),
    "llama4": (splits(GPT_4O), IGNORE_MERGES, ADD_BOS),
    "granite-embed-multi-97m": (splits(GPT_4O), IGNORE_MERGES),
    "youtu": (splits(YOUTU_SCRIPTS, GPT_4O.replace("{1,3}", "")), IGNORE_MERGES),
    "tekken": (splits(TEKKEN), IGNORE_MERGES, ADD_BOS),
    "falcon-h1": ([PUNCTUATION, *splits(TEKKEN)],),
    "kimi-k2": (splits(KIMI_K2), IGNORE_MERGES),
    "falcon": ([PUNCTUATION, byte_level(), digits(False), split("[0-9][0-9][0-9]")],),
    "falcon3": ([PUNCTUATION, byte_level(), digits(True)],),
    "deepseek-llm": ([split("[\r\n]"), split(DEEPSEEK_LETTERS), split("\\s?[!-/:-~！-／：-～‘-‟\u3000-。]+"), split(r"\s+$"), split(HAN_AND_HANGUL), digits(True), *splits()],),
    "deepseek-coder": ([split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split(HAN_AND_HANGUL), digits(True), *splits()],),
    "deepseek-v3": (splits(r"\p{N}{1,3}", KANA_AND_HAN, DEEPSEEK_V3),),
    "spark2_5": ([split(r"\p{N}{1,3}"), split(KANA_AND_HAN), split(DEEPSEEK_WORDS + r"|[\r\n]|\s+(?!\S)|\s+"), digits(True), *splits()],),
    "afmoe": ([digits(False), *splits(THREES, AFMOE_SCRIPTS, DEEPSEEK_V3)],),
    "superbpe": ([digits(False), *splits(THREES)],),
    "bloom": (splits(BLOOM),),
    "viking": ([split(BLOOM), digits(True), *splits()],),
    "chameleon": ([split("<sentinel:[0-9]+>"), split("(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z"), split("([\\t\\n]|    |  )"), digits(True), pre_tokenizers.Punctuation("isolated"), byte_level()], ADD_BOS),
}


def texts():
    return hard_strings() + [
        "1234567 12345678 123456789 1234567890abc x12345 12345x 12_345 ½1234 1234½ Ⅷ123 ²³¹ ١٢٣٤٥٦٧", "你½好¼中¾文²³¹", "1234\n12345,678.90", "IMGIMGABCZ IMGIMGZ <sentinel:12>",
        "漢字、とかな。ABC漢字abc 漢字 abc々〆〇", "中文Abc中文's 中's", "one two three four\nfive six", "naïve é e\u0301 a b c é b", "HTTPServer iPhone XMLHttpRequest's I'D", "x//y\r\n//\n\n/ a/",
        " " * 7 + "x" + " " * 13 + "y" + " " * 70, "(a|b) c.d,e!f?g…h", "กขค ဗမာ ខ្មែរ ລາວ", "ᄀ가각 ㄱㄴ ㄅㄆ", "$5+=<>^`|~ a$b", "\ta  b    c\n\td", "Ünïcödé ÀÉÎ", "world hello world Hello  the the",
        "[CLS] a [SEP][MASK]x [UNK]", "ＡＢＣ①", "  two  spaces  ", " \t a \u3000 b ",
    ]


def fnv(ids):
    value = 2166136261
    for token in ids:
        for byte in token.to_bytes(4, "little"):
            value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return f"{value:08x}"


def runs():
    """Of what the patterns cut differently: tokens for them make the difference seen."""
    spaces = [" " * n for n in (3, 5, 7, 13)] + ["\n" * n for n in (2, 3)] + [" \n", " \n\n", "\r\n\r\n", "!\n\n", "//\n", "\n\n\tx"]
    words = ["it's", "I'M", "Don'T", " one two", "fooBar", "FOOBar", "e\u0301a", " (", ".x", "-a", "漢字", "漢字、", "字abc", "かな", "각각", "'sabc", "'sy", "नमस्ते", "q\u0307x", "\r\n"]
    return (spaces + words) * 300 + [str(n * n) for n in range(10, 1000)]


def train():
    """Tokens by id, and the merges but for every seventh."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    lines = [line for line in corpus() + texts() * 3 if "<" not in line] + runs()
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=1700, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=[END]))
    model = json.loads(tokenizer.to_str())["model"]
    merges = [tuple(merge) for i, merge in enumerate(model["merges"]) if i % 7 != 6]
    return sorted(model["vocab"], key=model["vocab"].get), merges


def train_metaspace():
    """A small Gemma: characters, U+2581 for a space, bytes for what is unknown."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    specials = [END, "<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer.train_from_iterator([line for line in corpus() if "<" not in line], trainers.BpeTrainer(vocab_size=900, limit_alphabet=200, show_progress=False, special_tokens=specials))
    file = json.loads(tokenizer.to_str())
    file["added_tokens"] = file["added_tokens"][:2]
    return Tokenizer.from_str(json.dumps(file)), file["model"]


def train_t5():
    """Unigram with a few normalisation rules of its own, since the usual ones are a quarter of a megabyte."""
    with tempfile.TemporaryDirectory() as folder:
        rules = pathlib.Path(folder) / "rules.tsv"
        rules.write_text("".join(f"{0xFF21 + i:X}\t{0x41 + i:X}\n" for i in range(26)) + "2460\t31\nA\t20\n9\t20\n3000\t20\n65 301\tE9\nAD\t\n")
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(line for line in corpus() if line), model_writer=model, model_type="unigram", vocab_size=800, character_coverage=0.99, pad_id=0, eos_id=1, unk_id=2,
            bos_id=-1, normalization_rule_tsv=str(rules), max_sentence_length=100_000, num_threads=1, minloglevel=2)
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    charsmap = proto.normalizer_spec.precompiled_charsmap
    tokenizer = Tokenizer(models.Unigram([(piece.piece, piece.score) for piece in proto.pieces], unk_id=2, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(charsmap), normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in ("<pad>", "</s>", "<unk>")])
    return {"tokens": [piece.piece for piece in proto.pieces], "scores": [piece.score for piece in proto.pieces], "charsmap": list(charsmap), "hashes": hashes(tokenizer)}


def train_bert():
    """Words as llama.cpp spells them: U+2581 before those that begin one, nothing before the others."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(corpus(), trainers.WordPieceTrainer(vocab_size=1200, limit_alphabet=250, show_progress=False, special_tokens=specials))
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in specials])
    tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    return {"tokens": [token if token in specials else token[2:] if token.startswith("##") else "▁" + token for token in tokens], "hashes": hashes(tokenizer)}


def hashes(tokenizer):
    return " ".join(fnv(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts())


def sections():
    """By names, what the tokenizer.json of its models says."""
    found = {}
    for name, (steps, *flags) in ROWS.items():
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps) if len(steps) > 1 else steps[0]
        if NFC in flags:
            tokenizer.normalizer = normalizers.NFC()
        file = json.loads(tokenizer.to_str())
        found[name] = {"normalizer": file["normalizer"], "pre_tokenizer": file["pre_tokenizer"], "ignore_merges": IGNORE_MERGES in flags, "add_bos": ADD_BOS in flags}
    return found


def main():
    (OUT / "gguf_pre_sections.json").write_text("{" + ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in sections().items()) + "}\n")
    tokens, merges = train()
    result = {"texts": texts(), "tokens": tokens, "merges": [" ".join(merge) for merge in merges], "add_bos": [], "hashes": {}}
    for name, (steps, *flags) in ROWS.items():
        tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges, ignore_merges=IGNORE_MERGES in flags))
        if NFC in flags:
            tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
        tokenizer.add_special_tokens([AddedToken(END, normalized=False)])
        result["hashes"][name] = hashes(tokenizer)
        if ADD_BOS in flags:
            result["add_bos"].append(name)
    tokenizer, model = train_metaspace()
    result["metaspace"] = {"tokens": sorted(model["vocab"], key=model["vocab"].get), "merges": [" ".join(merge) for merge in model["merges"]], "hashes": hashes(tokenizer)}
    result["t5"] = train_t5()
    result["bert"] = train_bert()
    with open(OUT / "gguf_pre.json", "w", encoding="utf-8") as f:
        f.write("{" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=key == 'texts', separators=(',', ':'))}" for key, value in result.items()) + "}\n")


if __name__ == "__main__":
    main()
