"""Writes tests/golden/tokenizers/families/: small tokenizers shaped as published families declare theirs, and what the `tokenizers` library makes
of one list of hard strings.

Versions: tokenizers 0.23.3, sentencepiece 0.2.3. HEARTH_DATA names a folder with wiki_demo.txt, on which they are trained. What is written:

strings.json      the strings, a JSON array
NAME/tokenizer.json
NAME.txt          line 1: "prefix ids|suffix ids" that add_special_tokens puts around a text
                  then a line a string: "ids|decoded|decoded with special tokens"; a decoded text is "=" where it is the string itself, else its
                  32-bit FNV-1a in hexadecimal
                  then "literal", and lines "index|ids" for strings that spell a special token, encoded without recognising them
                  then "decode", and lines like the first for random ids (never "=")
"""

import collections
import json
import os
import random
import unicodedata
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import sentencepiece
from make_tokenizers import LLAMA3_REGEX, hard_strings
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = Path(__file__).parent / "tokenizers" / "families"
DATA = Path(os.environ.get("HEARTH_DATA", Path(__file__).parents[3] / "shared" / "data"))
LLAMA2 = OUT.parent / "llama2" / "tokenizer.json"
QWEN2_REGEX = LLAMA3_REGEX.replace(r"\p{N}{1,3}", r"\p{N}")
DEEPSEEK_REGEX = r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def strings():
    """The hard strings of make_tokenizers.py, thinned out, and what the other models and normalisers find hard."""
    picked = [text for i, text in enumerate(hard_strings()) if len(text) <= 24 or (len(text) <= 200 and i % 2 == 0)][::2]
    picked += ["", " ", "  ", "\n", "\0", "a\0b", "\ufffd", "a\ufffdb"]
    # Case: letters that become two, that have a title case, whose small form depends on what stands around, that are newer than most tables.
    picked += ["İ", "İSTANBUL", "ß ẞ", "ŉ", "ǆ ǅ Ǆ", "ΣΑΣ Σ ΌΔΟΣ", "ﬃ ﬄ ﬅ", "ΐ ΰ", "Ω Ω K K Å", "ⅷ Ⅷ Ⓐ ⓐ", "Ꭰ ꭰ", "Ა ა", "ÀÉÎÕÜ àéîõü", "Ð ð Þ þ Ø ø Ł ł"]
    # Marks: orders, blocks, Hangul, letters that decompose twice, Unicode's new ones.
    picked += ["a\u0301\u0323", "a\u0323\u0301", "\u1ea5 a\u0302\u0301", "\u01d5", "ṩ s\u0323\u0307 ẛ\u0323", "\u1100\u1161 \u1100\u1161\u11a8 가각", "\u1111\u1171\u11b6", "\u0344 \u0340 \u0341", "שָׁלוֹם", "العَرَبِيَّة", "हिन्दी क्षत्रिय", "ไม้เอก",
               "が か\u3099 ｶﾞ", "\u0958 \u0915\u093c", "x\u20dd\u20e3", "\u0600\u0661 \u06dd1", "a\u1ac1\u0301", "\u0898b", "\U00011938 \U00011935\U00011930", "e\u0301" * 20, "o\u0327\u0301\u0302" * 10]
    # Compatibility forms, widths, superscripts, squared words, ideographs of every block and what is none of them.
    picked += ["ＡＢＣ　１２３！？", "ｱｲｳ ﾊﾟ", "㍿ ㌀ ㏒ ℡", "x² y₃ ①⑳ ½", "ﷺ ﷲ", "… ‥ ‼ ⁈", "ﬁﬂ ﬀ", "豈 更 \U0002f800", "㐀 䶿 一 龥 鿿", "\U00020000\U0002a6df \U0002b740 \U0002b820 \U0002ceb0", "漢字かな交じり文", "한국어 조선말", "々〆〇", "ー・「」", "꜀ ˀ", "\u32ff令和"]
    # Whitespace, controls and format characters.
    picked += ["a\tb\nc\rd", "a\x0bb\x0cc", "a\u00a0b\u2007c\u202fd", "a\u2028b\u2029c", "a\u200bb\u200cc\u200dd\u200ee\u200ff", "\ufeffBOM", "soft\u00adhyphen", "\u061c\u2066x\u2069", "a\x01\x1f\x7f\x80\x85\x9fb", "\u0890\u08e2\U000110cd", "   lead", "trail   ", "\u3000 wide \u3000", "a \u2581 b", "\u2581\u2581a",
               "\ue000x\U000f0000", "\ufdd0\uffff", "\u1680\u180e", "\r\n\r", "a\r\u0301", "\n\u0301"]
    # Punctuation that some tables know and others do not; brackets and quotes.
    picked += ["don't (stop) [now] {ok}", "a.b,c;d:e!f?g", "\u061d \u2e52 \u2e5d", "\u166d \U000111c9", "$+<=>^`|~", "“q” ‘s’ «g» ‹a›", "–—―‒", "¿Qué? ¡No!", "。、，！", "٪ ؟ ،", "@user #tag http://a.b/c?d=e&f=g#h", "C++ C# F# .NET", "a_b-c/d\\e", "x=(y+z)*2;", "it's we're I'm they've he'd 'tis n't do not"]
    # Numbers.
    picked += ["007 3.14 1e9 1,234,567.89", "12345678901234567890", "１２３ ²³ ⅓ 五 ๑๒๓ ١٢", "2024-02-29", "1st 2nd", "0xFF 0b10", "1 22 333 4444 55555"]
    # Added tokens, glued and spaced.
    for token in ("<mask>", "[MASK]", "<extra_id_0>", "<|im_end|>", "</s>", "[SEP]", "ing", "Émile", "<tool>"):
        picked += [f"a{token}b", f"a  {token}  b", f"{token}{token}", f" {token}\n", f"walk{token}", f"{token}."]
    # Long words and runs.
    picked += ["a" * 101, "ab" * 150, "é" * 120, "word" * 30, "\u0300" * 40, "中" * 60, "😀" * 20, " " * 120, "unaffable" * 12, "-" * 90, "9" * 40]
    # Code, mixtures.
    picked += ["def f(x):\n\treturn x**2  # ok\n", "{\"k\": [1, null, \"v\\u00e9\"]}", "<p class='x'>&amp;</p>", "SELECT 'it''s';", "👩🏽‍🚀 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇩🇪🇫 ❤️‍🔥", "Zürich–Köln 10€", "mIxEd CaSe", "ᚠᛇᚻ ⠓⠑ 𝕳𝖎", "\U0001f130\u24b6\u2160 ²x"]
    rng = random.Random(23)
    ranges = [(0x20, 0x7E), (0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x600, 0x6FF), (0x900, 0xDFF), (0x1100, 0x11FF), (0x1E00, 0x20CF), (0x2100, 0x2BFF), (0x3000, 0x33FF), (0x4E00, 0x5000), (0xAC00, 0xB000), (0xFB00, 0xFFEF), (0x1D400, 0x1D7FF), (0x1F300, 0x1F6FF)]
    for _ in range(60):
        picked.append("".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(rng.randint(4, 18))))
    words = ["the", "The", " of", "  and", "\n", "Ing", "run", "ning", "<mask>", "é", "É", ",", ".", "123", "中文", "🙂", "\t", "'s", "▁x", "[SEP]"]
    picked += ["".join(rng.choice(words) for _ in range(rng.randint(3, 14))) for _ in range(40)]
    return list(dict.fromkeys(picked))


STRINGS = strings()


def corpus():
    text = (DATA / "wiki_demo.txt").read_text(encoding="utf-8")[:300_000]
    return [line for line in text.split("\n") if line] + [s for s in STRINGS if "<" not in s and "[" not in s] * 2


def fnv1a(text):
    value = 0x811C9DC5
    for byte in text.encode("utf-8"):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return f"{value:08x}"


def write(name, tokenizer):
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    spec = json.loads(tokenizer.to_str())
    (folder / "tokenizer.json").write_text(json.dumps(spec, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    specials = {i for i, token in tokenizer.get_added_tokens_decoder().items() if token.special}

    def decoded(ids, text=None):
        both = [tokenizer.decode(ids, skip_special_tokens=skip) if ids else "" for skip in (True, False)]
        return "|".join("=" if t == text else fnv1a(t) for t in both)

    lines = []
    with_special, plain = tokenizer.encode("the").ids, tokenizer.encode("the", add_special_tokens=False).ids
    at = next(i for i in range(len(with_special)) if with_special[i : i + len(plain)] == plain)
    lines.append(" ".join(map(str, with_special[:at])) + "|" + " ".join(map(str, with_special[at + len(plain) :])))
    for text in STRINGS:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        lines.append(" ".join(map(str, ids)) + "|" + decoded(ids, text))
    lines.append("literal")
    contents = [token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special]
    tokenizer.encode_special_tokens = True
    unknown = tokenizer.token_to_id(spec["model"].get("unk_token") or "") if spec["model"]["type"] != "Unigram" else spec["model"]["unk_id"]
    for i, text in enumerate(STRINGS):
        if not any(content in text for content in contents) or (spec["model"]["type"] == "Unigram" and "<unk>" in text):
            continue  # Unigram reads "<unk>" as the unknown token; in hearth it is text like any other
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        if not (set(ids) - {unknown}) & specials:  # hearth never lets a model spell a control token
            lines.append(f"{i}|" + " ".join(map(str, ids)))
    tokenizer.encode_special_tokens = False
    lines.append("decode")
    rng = random.Random(3)
    every = sorted(tokenizer.get_vocab().values())
    for _ in range(60):
        ids = [rng.choice(every) for _ in range(rng.randint(1, 9))]
        lines.append(" ".join(map(str, ids)) + "|" + decoded(ids))
    (OUT / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(name, len(spec["model"]["vocab"]), (OUT / f"{name}.txt").stat().st_size, (folder / "tokenizer.json").stat().st_size)


def byte_level_bpe(pre_tokenizer, specials, size=500, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=specials)
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def byte_level(**kwargs):
    return pre_tokenizers.ByteLevel(**kwargs)


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior=behavior, invert=invert)


def gpt2():
    write("gpt2", byte_level_bpe(byte_level(add_prefix_space=False), ["<|endoftext|>"]))


def llama3():
    tokenizer = byte_level_bpe(pre_tokenizers.Sequence([split(LLAMA3_REGEX), byte_level(add_prefix_space=False, use_regex=False)]), ["<|begin_of_text|>", "<|im_end|>"], ignore_merges=True)
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1", special_tokens=[("<|begin_of_text|>", 0)])])
    write("llama3", tokenizer)


def qwen2():
    tokenizer = byte_level_bpe(pre_tokenizers.Sequence([split(QWEN2_REGEX), byte_level(add_prefix_space=False, use_regex=False)]), ["<|im_start|>", "<|im_end|>"])
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("Émile", normalized=True, lstrip=True)])
    write("qwen2", tokenizer)


def neox():
    tokenizer = byte_level_bpe(byte_level(add_prefix_space=False), ["<|endoftext|>"])
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_tokens([AddedToken(" " * n, normalized=True) for n in range(24, 1, -1)])
    write("neox", tokenizer)


def roberta():
    tokenizer = byte_level_bpe(byte_level(add_prefix_space=True), ["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    write("roberta", tokenizer)


def deepseek():
    tokenizer = byte_level_bpe(pre_tokenizers.Sequence([split(r"\p{N}{1,3}"), split("[一-龥\u3040-ゟ゠-ヿ]+"), split(DEEPSEEK_REGEX), byte_level(add_prefix_space=False, use_regex=False)]), ["<｜begin▁of▁sentence｜>", "<|im_end|>"])
    tokenizer.normalizer = normalizers.Sequence([])
    tokenizer.post_processor = processors.TemplateProcessing(single="<｜begin▁of▁sentence｜> $A", special_tokens=[("<｜begin▁of▁sentence｜>", 0)])
    write("deepseek", tokenizer)


def deepseek_coder():
    steps = [split("[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split("[一-龥ࠀ-一가-\ud7ff]+"), pre_tokenizers.Digits(individual_digits=True), byte_level(add_prefix_space=False, use_regex=False)]
    write("deepseek_coder", byte_level_bpe(pre_tokenizers.Sequence(steps), ["<s>", "</s>"]))


def falcon():
    steps = [pre_tokenizers.Punctuation("contiguous"), byte_level(add_prefix_space=False), pre_tokenizers.Digits(individual_digits=False), split("[0-9][0-9][0-9]")]
    write("falcon", byte_level_bpe(pre_tokenizers.Sequence(steps), ["<|endoftext|>", "</s>"]))


def cohere():
    tokenizer = byte_level_bpe(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(add_prefix_space=False)]), ["<PAD>", "<UNK>", "<BOS_TOKEN>", "</s>"])
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.post_processor = processors.TemplateProcessing(single="<BOS_TOKEN> $A", pair="<BOS_TOKEN> $A $B:1", special_tokens=[("<BOS_TOKEN>", 2)])
    write("cohere", tokenizer)


def clip():
    tokenizer = Tokenizer(models.BPE(unk_token="<|endoftext|>", continuing_subword_prefix="", end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        split(r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", "removed", invert=True), byte_level(add_prefix_space=False)])
    tokenizer.decoder = decoders.BPEDecoder("</w>")
    trainer = trainers.BpeTrainer(vocab_size=800, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), end_of_word_suffix="</w>", special_tokens=["<|startoftext|>", "<|endoftext|>"])
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0), trim_offsets=False, add_prefix_space=False)
    write("clip", tokenizer)


def subword_prefix():
    """BPE that spells all but a word's first character with a prefix; ByteLevel as a normaliser; CTC's decoder."""
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]", continuing_subword_prefix="##", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.CharDelimiterSplit("a"), pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("merged_with_next")])
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=500, limit_alphabet=120, show_progress=False, continuing_subword_prefix="##", special_tokens=["[UNK]", "</s>"]))
    tokenizer.decoder = decoders.CTC(pad_token="e", word_delimiter_token="|")
    write("subword_prefix", tokenizer)


def byte_level_normalizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.ByteLevel()])
    tokenizer.pre_tokenizer = pre_tokenizers.FixedLength(length=7)
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Replace("in", "IN"), decoders.Strip(" ", 1, 0)])
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=450, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<s>", "</s>"]))
    tokenizer.add_tokens([AddedToken("Émile", normalized=True), AddedToken("ing", normalized=True, single_word=True), AddedToken("<mask>", normalized=False, rstrip=True), AddedToken(" ", normalized=False, single_word=True)])
    write("byte_level_normalizer", tokenizer)


def from_llama2(name, **parts):
    """The Llama-2-like vocabulary and merges in another pipeline."""
    spec = json.loads(LLAMA2.read_text(encoding="utf-8"))
    tokenizer = Tokenizer(models.BPE({k: v for k, v in spec["model"]["vocab"].items()}, [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in spec["model"]["merges"]], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    for part, value in parts.items():
        setattr(tokenizer, part, value)
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in ("<unk>", "<s>", "</s>")])
    return name, tokenizer


def llama2():
    fallback = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    template = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    write(*from_llama2("llama2_prepend", normalizer=normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), decoder=decoders.Sequence(fallback + [decoders.Strip(" ", 1, 0)]), post_processor=template))
    name, tokenizer = from_llama2("llama2_metaspace", pre_tokenizer=pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False), decoder=decoders.Sequence(fallback + [decoders.Strip(" ", 1, 0)]), post_processor=template)
    tokenizer.add_tokens([AddedToken("<tool>", normalized=True), AddedToken("ing", single_word=True, normalized=False)])
    write(name, tokenizer)
    write(*from_llama2("gemma", normalizer=normalizers.Replace(" ", "▁"), pre_tokenizer=pre_tokenizers.Split(" ", "merged_with_previous"), decoder=decoders.Sequence(fallback), post_processor=template))


def charsmap():
    """Rules as sentencepiece's nmt_nfkc has them, for the characters of the strings only: the whole map has 240 KB."""
    rules = {" ".join(f"{ord(c):X}" for c in source): " ".join(f"{ord(c):X}" for c in target) for source, target in sorted(charsmap_rules().items())}
    (OUT / "rules.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in rules.items()))
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(["a b c d e"] * 10), model_prefix=str(OUT / "rules"), vocab_size=9, model_type="unigram", hard_vocab_limit=False, normalization_rule_tsv=str(OUT / "rules.tsv"), minloglevel=2)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString((OUT / "rules.model").read_bytes())
    for suffix in ("tsv", "model", "vocab"):
        (OUT / f"rules.{suffix}").unlink()
    return proto.normalizer_spec.precompiled_charsmap


def charsmap_rules():
    rules = {}
    for c in sorted(set("".join(STRINGS))):
        if (target := unicodedata.normalize("NFKC", c)) != c:
            rules[c] = target
        for mark in "\u0301\u0300\u0302\u0323\u3099":
            if len(composed := unicodedata.normalize("NFKC", c + mark)) == 1:
                rules[c + mark] = composed
    for c in "\t\n\r\x0c\u1680\u200b\u200c\u200d\u200e\u200f\u2028\u2029\ufeff\ufffd":
        rules[c] = " "
    for c in "\x01\x02\x03\x07\x0b\x1f\x7f\x8f\x9f\u00ad":
        rules[c] = ""
    rules["\r\n"] = " "
    return rules


def unigram(size=700, **parts):
    tokenizer = Tokenizer(models.Unigram())
    for part in ("normalizer", "pre_tokenizer"):
        if part in parts:
            setattr(tokenizer, part, parts[part])
    trainer = trainers.UnigramTrainer(vocab_size=size, show_progress=False, unk_token="<unk>", special_tokens=parts["specials"])
    counts = collections.Counter("".join(corpus()))
    common = {c for c, _ in counts.most_common(220)}  # every character becomes a token
    tokenizer.train_from_iterator([line for line in corpus() if set(line) <= common], trainer)
    tokenizer.decoder = parts["decoder"]
    return tokenizer


def t5():
    compiled = normalizers.Precompiled(charsmap())
    metaspace = dict(replacement="▁", prepend_scheme="always")
    tokenizer = unigram(normalizer=compiled, pre_tokenizer=pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(**metaspace)]), decoder=decoders.Metaspace(**metaspace), specials=["<pad>", "</s>", "<unk>"])
    tokenizer.add_special_tokens([AddedToken(f"<extra_id_{i}>", normalized=False, lstrip=True, rstrip=True) for i in range(3)])
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    write("t5", tokenizer)
    first = dict(replacement="▁", prepend_scheme="first", split=False)
    tokenizer = unigram(normalizer=normalizers.Sequence([compiled, normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")]), pre_tokenizer=pre_tokenizers.Metaspace(**first), decoder=decoders.Metaspace(**first), specials=["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.add_special_tokens([AddedToken("<mask>", normalized=False, lstrip=True)])
    tokenizer.add_tokens([AddedToken("Émile", normalized=True), AddedToken("ing", single_word=True)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    write("xlm_roberta", tokenizer)


def albert():
    metaspace = dict(replacement="▁", prepend_scheme="always")
    steps = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    tokenizer = unigram(normalizer=normalizers.Sequence(steps), pre_tokenizer=pre_tokenizers.Metaspace(**metaspace), decoder=decoders.Metaspace(**metaspace), specials=["<pad>", "<unk>", "[CLS]", "[SEP]"])
    tokenizer.add_special_tokens([AddedToken("[MASK]", normalized=False, lstrip=True)])
    tokenizer.add_tokens([AddedToken("Émile", normalized=True)])
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    write("albert", tokenizer)
    # Unigram with byte fallback, NFKC, and the decoder's steps one by one.
    spec = json.loads(tokenizer.to_str())
    vocab = [(t, s) for t, s in spec["model"]["vocab"]] + [(f"<0x{b:02X}>", -20.0) for b in range(256)]
    tokenizer = Tokenizer(models.Unigram(vocab, unk_id=1, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Strip(left=True, right=False), normalizers.Replace(Regex(r"\s+"), "▁"), normalizers.Prepend("▁")])
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Replace(Regex("▁+"), " "), decoders.Strip("e", 1, 0)])
    tokenizer.add_special_tokens(["<pad>", "<unk>"])
    write("unigram_bytes", tokenizer)


def wordpiece(name, normalizer, specials, decoder, size=900):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoder
    tokenizer.train_from_iterator(corpus(), trainers.WordPieceTrainer(vocab_size=size, limit_alphabet=300, show_progress=False, special_tokens=specials))
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    if name == "bert_cased":
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    else:
        tokenizer.post_processor = processors.TemplateProcessing(single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[("[CLS]", cls), ("[SEP]", sep)])
    write(name, tokenizer)


def bert():
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    wordpiece("bert_uncased", normalizers.BertNormalizer(), specials, decoders.WordPiece())
    wordpiece("bert_cased", normalizers.BertNormalizer(lowercase=False, strip_accents=False), specials, decoders.WordPiece(cleanup=False))


def wordlevel():
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(corpus(), trainers.WordLevelTrainer(vocab_size=900, show_progress=False, special_tokens=["<unk>", "<pad>", "</s>"]))
    tokenizer.add_tokens([AddedToken("ing", single_word=True, normalized=False, lstrip=True), AddedToken("<mask>", rstrip=True, lstrip=True)])
    write("wordlevel", tokenizer)


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "strings.json").write_text("[\n" + ",\n".join(json.dumps(s) for s in STRINGS) + "\n]\n", encoding="utf-8")
    print(len(STRINGS), "strings")
    for family in (gpt2, llama3, qwen2, neox, roberta, deepseek, deepseek_coder, falcon, cohere, clip, subword_prefix, byte_level_normalizer, llama2, t5, albert, bert, wordlevel):
        family()
