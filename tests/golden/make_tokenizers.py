"""Writes tests/golden/tokenizers/: small tokenizers and what the reference implementations make of hard strings.

Versions: tokenizers 0.23.3, transformers 5.24.0, sentencepiece 0.2.3, gguf 0.19.0, numpy 2.4.6.
HEARTH_DEFAULT_MODEL names the default GGUF. Its reference is built from the file's vocabulary and merges with the pre-tokenizer that SmolLM2's
published tokenizer.json declares (Digits, then ByteLevel); transformers' own GGUF conversion leaves the digits together and so disagrees with it.
"""

import json
import os
import random
import re
import shutil
from pathlib import Path

import gguf
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer
from transformers.convert_slow_tokenizer import SentencePieceExtractor

OUT = Path(__file__).parent / "tokenizers"
SPECIALS = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<s>", "</s>", "<unk>", "<|begin_of_text|>", "<|eot_id|>", "<tool_call>", "<0x0A>", "<0xE4>"]


def hard_strings():
    strings = ["", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\r\n\r\n", "\t", "\t\t", " \n", "\n ", " \n ", "  \n  \n", "a", "A", "é", "中", "😀", "\0", "a\0b"]
    # Whitespace around and inside words; every space that Unicode knows and U+180E, which is none any more.
    for n in (1, 2, 3, 4, 5, 8, 16, 17):
        strings += [" " * n + "x", "x" + " " * n, "x" + " " * n + "y", "\n" * n + "x", "x" + "\n" * n, "\t" * n + "x" + "\t" * n, " " * n + "\n" + " " * n + "x"]
    for space in "\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u180e\u2000\u2003\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff":
        strings += [f"a{space}b", f"{space}a {space} b{space}{space}", f"a {space}"]
    # Words, contractions, case.
    strings += [
        "Hello world", "Hello, world!", "hello  world", "HELLO WORLD", "I'm you're we've he'll she'd it's don't", "I'M YOU'RE WE'VE HE'LL SHE'D IT'S DON'T",
        "'s 't 're 've 'm 'll 'd", "'S'T'RE", "’s ’t", "x'sy", "'ſ", "it'ſ", "'K", "Mr. O'Neill's", "don''t", "''''", "naïve café résumé", "straße STRASSE ẞ", "ﬁ ﬂ ﬀ",
        "İstanbul ıI", "ǅ ǆ Ǆ", "antidisestablishmentarianism", "The quick brown fox jumps over the lazy dog.", "a-b_c.d/e\\f", "e.g., i.e. etc...", "!!!???...,,,;;;",
        "$100.50 + €20 = £75 ¥1000", "50% #1 @user & co. ~/x ^2 *p `code` |pipe|", "«quoted» „quoted“ 「引用」", "—–-‐‑−", "§ ¶ † ‡ • … ‰", "½ ¼ ⅓ Ⅷ ⅷ ① ² ³ ₁",
    ]
    # Digits.
    strings += ["0", "1", "12", "123", "1234", "12345", "1234567890", "3.14159", "1,000,000", "1 2 3", "1st 2nd 3rd", "v1.2.3", "2024-01-31T23:59:59Z", "0x1F", "1e-10", "a1b2c3",
                "١٢٣٤٥", "१२३४५", "１２３４", "五百", "Ⅳ Ⅻ", "1\n2", "12 345 6789", " 1", "  12", "x1", "1x", "99999999999999999999"]
    # Scripts.
    strings += [
        "你好，世界！", "今天天气很好。我们去公园吧", "こんにちは世界", "カタカナ ひらがな 漢字", "안녕하세요 세계", "Привет, мир!", "Γειά σου Κόσμε", "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया",
        "สวัสดีชาวโลก", "வணக்கம் உலகம்", "হ্যালো বিশ্ব", "გამარჯობა", "Բարեւ", "ሰላም ልዑል", "Xin chào thế giới", "Ἀρχιμήδης", "mixed 中文 and English 混合 text", "日本語とEnglishのmix", "Привет world 世界 🌍",
        "中文abc123中文", "ａｂｃ ＡＢＣ", "𠀀𠀁𠮷野家", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒮𝒸𝓇𝒾𝓅𝓉", "က ခ ဂ", "ᚠᚢᚦ", "𐍈𐌰", "ༀ་མ་ཎི",
    ]
    # Emoji, joiners, flags, skin tones, variation selectors.
    strings += ["😀😁😂", "👨‍👩‍👧‍👦", "👩🏽‍💻", "🏳️‍🌈", "🇩🇪🇫🇷", "❤️ ❤", "1️⃣2️⃣", "☺︎☺️", "a😀b", " 😀 ", "🫠🫡🩷", "👍👍🏻👍🏿", "text🔥text", "‍", "️"]
    # Combining marks, normalisation forms, control characters, noncharacters, private use.
    strings += ["e\u0301", "é e\u0301", "A\u030a Å \u212b", "o\u0308\u0304", "n\u0303o", "\u0301", " \u0301", "a\u0316\u0301 a\u0301\u0316", "q\u0307\u0323", "\u1100\u1161\u11a8", "각", "Z\u0351\u036b\u0343a\u0321l\u0322g\u0328o",
                "\u0915\u093c", "\u0958", "\ufb1d", "\u1e9b\u0323", "x\u200dy", "x\u200cy", "\u202eabc\u202c", "\x01\x02\x03", "\x07\x08\x1b[0m", "\x7f", "\x80\x9f", "\ue000\uf8ff", "\ufffd", "\ufffe\uffff", "\U0010ffff", "\U000e0001"]
    # Metaspace and byte-fallback spellings in plain text.
    strings += ["▁", "▁▁", "▁a", "a▁b", " ▁", "▁ ", " ▁a▁ b", "Ġ", "Ġthe", "Ċ", "<0x0A>", "<0xE4><0xBD><0xA0>", "<0x", "a<0x41>b"]
    # Code.
    strings += [
        "def f(x):\n    return x + 1\n", "for (int i = 0; i < n; ++i) {\n\tsum += a[i];\n}\n", "if x:\n\tpass\n\n\nelse:\n        y()", "SELECT * FROM t WHERE id=42;", "<div class=\"a\">text</div>\r\n", "{\"a\": [1, 2.5, null], \"b\": \"\\n\"}",
        "#include <vector>\r\n\r\nint main() {\r\n  return 0;\r\n}\r\n", "camelCaseName snake_case_name SCREAMING_CASE kebab-case", "https://example.com/path?q=1&r=2#frag", "C:\\Users\\x\\file.txt", "a==b!=c<=d>=e&&f||!g", "x = `cmd` ; echo $HOME", "lambda x: x**2",
        "/* comment */ // line", "    indented\n        more\n    back", "\\frac{a}{b} \\sum_{i=0}^{n}", "```python\nprint('hi')\n```", "|a|b|\n|-|-|\n|1|2|", "if(a){b();}else{c();}",
    ]
    # Control tokens in text.
    for token in SPECIALS:
        strings += [token, f"a{token}b", f" {token} ", f"a {token}\n{token} b", token[:-1], token[1:], token + token]
    strings += ["<|im_start|>user\nHi there<|im_end|>\n<|im_start|>assistant\n", "<|im_<|im_end|>end|>", "<s> Hello</s><s>x", "<|", "|>", "<<s>>", "<s", "<unk><unk>", " <s>x", "<s>  x  </s>", "\n</s>\n"]
    # Long words and runs.
    strings += ["a" * 100, "ab" * 200, "aA1 " * 50, "x" * 1000, "あ" * 200, "😀" * 50, " " * 300, "\n" * 100, "-" * 120, "=" * 80, "ha" * 150 + "!", "1" * 64, "é" * 99, "lorem ipsum dolor sit amet " * 20]
    # Random mixtures.
    rng = random.Random(7)
    alphabet = list(" \n\t.,'\"<|>▁_-0123456789abcdefghijklmnopqrstuvwxyzABCXYZéßñ中文字あア한😀\u0301\u200d\r\u00a0")
    strings += ["".join(rng.choice(alphabet) for _ in range(rng.randint(3, 60))) for _ in range(60)]
    strings += ["".join(chr(rng.choice([rng.randint(1, 0x24F), rng.randint(0x370, 0x1FFF), rng.randint(0x2000, 0x33FF), rng.randint(0x4E00, 0x9FFF), rng.randint(0x1F300, 0x1F6FF)])) for _ in range(20)) for _ in range(30)]
    return list(dict.fromkeys(strings))


def noisy_ids(tokenizer):
    """Random ids, as a model that writes nonsense would give them; half of them from the short tokens, most of which are bytes."""
    rng = random.Random(3)
    vocab = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    everything = [i for _, i in vocab]
    short = [i for text, i in vocab if len(text) == 1 or text.startswith("<0x")]
    return [[rng.choice(pool) for _ in range(rng.randint(1, 12))] for pool in (everything, short) for _ in range(100)]


def write_cases(name, tokenizer, encode=None, encode_literal=None, every=1):
    """`encode` and `encode_literal` (without control tokens) stand in for the tokenizer's own where the ids have another reference."""
    strings = hard_strings()[::every]
    encode = encode or (lambda text: tokenizer.encode(text, add_special_tokens=False).ids)
    cases = []
    for text in strings:
        case = {"text": text, "ids": encode(text)}
        if (with_special := tokenizer.encode(text).ids) != tokenizer.encode(text, add_special_tokens=False).ids:
            inner = tokenizer.encode(text, add_special_tokens=False).ids
            at = next(i for i in range(len(with_special)) if with_special[i : i + len(inner)] == inner)
            case["with_special"] = with_special[:at] + case["ids"] + with_special[at + len(inner) :]
        add_decoded(case, tokenizer, text)
        cases.append(case)
    tokenizer.encode_special_tokens = True
    encode_literal = encode_literal or (lambda text: tokenizer.encode(text, add_special_tokens=False).ids)
    plain = [{"text": text, "ids": encode_literal(text)} for text in strings if "<" in text]
    tokenizer.encode_special_tokens = False
    noise = [add_decoded({"ids": ids}, tokenizer) for ids in noisy_ids(tokenizer)]
    with open(OUT / f"{name}.json", "w", encoding="utf-8") as f:
        f.write('{"encode": [\n' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
        f.write('\n],\n"literal": [\n' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in plain))
        f.write('\n],\n"decode": [\n' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in noise) + "\n]}\n")


def add_decoded(case, tokenizer, text=""):
    """What the ids decode to, where it is not the text."""
    for key, skip in (("decoded", True), ("decoded_all", False)):
        if (decoded := tokenizer.decode(case["ids"], skip_special_tokens=skip)) != text:
            case[key] = decoded
    return case


def default_model():
    reader = gguf.GGUFReader(os.environ["HEARTH_DEFAULT_MODEL"])
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    types = reader.fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(m.split(" ")) for m in reader.fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t, kind in zip(tokens, types) if kind == gguf.TokenType.CONTROL])
    return tokenizer


LLAMA3_REGEX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def corpus():
    """The hard strings, and words from the default model's vocabulary, the commoner the oftener."""
    reader = gguf.GGUFReader(os.environ["HEARTH_DEFAULT_MODEL"])
    tokens = [t for t in reader.fields["tokenizer.ggml.tokens"].contents()[300:12_000] if t.startswith("Ġ") and t[1:].isalpha()]
    rng = random.Random(5)
    words = [t.replace("Ġ", " ") for i, t in enumerate(tokens) for _ in range(1 + 3000 // (i + 20))]
    rng.shuffle(words)
    return hard_strings() * 3 + ["".join(words[i : i + 12]) for i in range(0, len(words), 12)]


def save(tokenizer, name, **config):
    folder = OUT / name
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    (folder / "tokenizer_config.json").write_text(json.dumps(config) + "\n")


def train_byte_level(split, size, specials, ignore_merges):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not split)])
    tokenizer.decoder = decoders.ByteLevel()
    # Control tokens do not occur in real training text; learned merges could spell them.
    text = (line for line in corpus() if "<" not in line)
    tokenizer.train_from_iterator(text, trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=specials))
    return tokenizer


def llama3():
    """Llama 3's tokenizer.json in small."""
    specials = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = train_byte_level([pre_tokenizers.Split(Regex(LLAMA3_REGEX), behavior="isolated")], 1200, specials, ignore_merges=True)
    bos = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1", special_tokens=[("<|begin_of_text|>", bos)]),
    ])
    save(tokenizer, "llama3", tokenizer_class="PreTrainedTokenizerFast", bos_token="<|begin_of_text|>", eos_token="<|eot_id|>")
    return tokenizer


def every_flag():
    """NFC, and added tokens with every flag."""
    tokenizer = train_byte_level([pre_tokenizers.Digits(individual_digits=False)], 900, ["<|im_start|>", "<|im_end|>", "<|endoftext|>"], ignore_merges=False)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_special_tokens([AddedToken("<|eot_id|>", lstrip=True, normalized=False), AddedToken("<s>", rstrip=True, normalized=True)])
    tokenizer.add_tokens([
        AddedToken("<tool_call>", normalized=False), AddedToken("é\u0301", normalized=True), AddedToken("ing", single_word=True), AddedToken("quick", single_word=True, lstrip=True),
        AddedToken("ха", normalized=True), AddedToken("ab", lstrip=True, rstrip=True), AddedToken("   ", normalized=True),
    ])
    save(tokenizer, "every_flag", tokenizer_class="PreTrainedTokenizerFast", eos_token="<|im_end|>")
    return tokenizer


def split_behaviors():
    """Every behaviour of Split, ByteLevel with a prefix space, and a character-level vocabulary without byte fallback."""
    for behavior in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"):
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=behavior == "isolated"))
        invert = behavior == "removed"
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"[\p{L}']+" if invert else r"[\s\p{P}]"), behavior=behavior, invert=invert)])
        tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=250, limit_alphabet=100, show_progress=False, special_tokens=["<unk>", "<s>", "</s>"]))
        save(tokenizer, f"split_{behavior}", tokenizer_class="PreTrainedTokenizerFast")
        write_cases(f"split_{behavior}", tokenizer, every=2)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=500, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<|endoftext|>"]))
    save(tokenizer, "gpt2_prefix", tokenizer_class="GPT2Tokenizer")
    write_cases("gpt2_prefix", tokenizer, every=2)
    for scheme in ("always", "first", "never"):
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
        tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
        tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=300, limit_alphabet=150, show_progress=False, special_tokens=["<unk>", "<s>", "</s>"]))
        save(tokenizer, f"metaspace_{scheme}", tokenizer_class="PreTrainedTokenizerFast")
        write_cases(f"metaspace_{scheme}", tokenizer, every=2)


def train_sentencepiece(folder):
    """A Llama-2-like model: BPE, byte fallback, identity normalisation, split digits."""
    folder.mkdir(exist_ok=True)
    sentencepiece.set_random_generator_seed(1)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for line in corpus() if line), model_prefix=str(folder / "tokenizer"), model_type="bpe", vocab_size=900, byte_fallback=True, character_coverage=0.99,
        normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True, allow_whitespace_only_pieces=True, max_sentence_length=100_000, num_threads=1,
        user_defined_symbols=["<tool_call>"], minloglevel=2)
    (folder / "tokenizer.vocab").unlink()


def sentencepiece_models():
    folder = OUT / "spm"
    train_sentencepiece(folder)
    config = dict(tokenizer_class="LlamaTokenizer", bos_token="<s>", eos_token="</s>", unk_token="<unk>", add_bos_token=True, add_eos_token=False, legacy=False)
    (folder / "tokenizer_config.json").write_text(json.dumps(config) + "\n")
    write_cases("spm", AutoTokenizer.from_pretrained(folder)._tokenizer)

    # The same model with legacy prefixes, an end-of-text token and added tokens.
    legacy = OUT / "spm_legacy"
    legacy.mkdir(exist_ok=True)
    shutil.copy(folder / "tokenizer.model", legacy / "tokenizer.model")
    added = {"900": dict(content="<|im_end|>", special=True, normalized=False, lstrip=False, rstrip=False, single_word=False),
             "901": dict(content="<|im_start|>", special=True, normalized=False, lstrip=False, rstrip=True, single_word=False),
             "902": dict(content="quick", special=False, normalized=False, lstrip=False, rstrip=False, single_word=True)}
    (legacy / "tokenizer_config.json").write_text(json.dumps(dict(config, add_eos_token=True, legacy=True, added_tokens_decoder=added)) + "\n")
    write_cases("spm_legacy", AutoTokenizer.from_pretrained(legacy)._tokenizer)


def sentencepiece_conversions():
    """The sentencepiece model as the tokenizer.json that Llama 2 was published with, and as a GGUF file."""
    model = str(OUT / "spm" / "tokenizer.model")
    processor = sentencepiece.SentencePieceProcessor(model_file=model)
    pieces = [processor.id_to_piece(i) for i in range(len(processor))]
    extracted = SentencePieceExtractor(model).extract(models.BPE)
    tokenizer = Tokenizer(models.BPE(extracted["vocab"], extracted["merges"], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in ("<unk>", "<s>", "</s>")])
    tokenizer.add_tokens([AddedToken("<tool_call>", normalized=False)])
    save(tokenizer, "llama2", tokenizer_class="LlamaTokenizer", bos_token="<s>", eos_token="</s>")
    write_cases("llama2", tokenizer)

    writer = gguf.GGUFWriter(OUT / "llama2.gguf", "llama")
    kinds = [gguf.TokenType.UNKNOWN if processor.is_unknown(i) else gguf.TokenType.CONTROL if processor.is_control(i) else gguf.TokenType.BYTE if processor.is_byte(i)
             else gguf.TokenType.USER_DEFINED if pieces[i] == "<tool_call>" else gguf.TokenType.NORMAL for i in range(len(pieces))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores([processor.get_score(i) for i in range(len(pieces))])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    # Ids by sentencepiece itself; llama.cpp's rule for the text between control tokens: each stretch is encoded alone.
    def encode_between(names):
        def encode(text):
            ids = []
            for part in re.split("(" + "|".join(map(re.escape, names)) + ")", text):
                ids += [processor.piece_to_id(part)] if part in names else processor.encode(part)
            return ids
        return encode

    write_cases("llama2_gguf", tokenizer, encode_between(["<s>", "</s>", "<unk>", "<tool_call>"]), encode_between(["<tool_call>"]))


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    write_cases("smollm2", default_model())
    write_cases("llama3", llama3())
    write_cases("every_flag", every_flag())
    split_behaviors()
    sentencepiece_models()
    sentencepiece_conversions()
