"""Writes tests/golden/tokenizers/: small tokenizers and what the reference implementations make of hard strings.

Versions: tokenizers 0.23.3, transformers 5.24.0, sentencepiece 0.2.3, gguf 0.19.0, numpy 2.4.6.
HEARTH_DEFAULT_MODEL names the default GGUF. Its reference is built from the file's vocabulary and merges with the pre-tokenizer that SmolLM2's
published tokenizer.json declares (Digits, then ByteLevel); transformers' own GGUF conversion leaves the digits together and so disagrees with it.
"""

import json
import os
import random
from pathlib import Path

import gguf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

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


def skewed_ids(rng, size, count):
    """Random ids, as a model that writes nonsense would give them."""
    return [[rng.randrange(size) for _ in range(rng.randint(1, 12))] for _ in range(count)]


def write_cases(name, tokenizer, extra_ids=()):
    strings = hard_strings()
    cases = []
    for text in strings:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        case = {"text": text, "ids": ids, "with_special": tokenizer.encode(text).ids}
        if (decoded := tokenizer.decode(ids)) != text:
            case["decoded"] = decoded
        if (decoded := tokenizer.decode(ids, skip_special_tokens=False)) != text:
            case["decoded_all"] = decoded
        if case["with_special"] == ids:
            del case["with_special"]
        cases.append(case)
    tokenizer.encode_special_tokens = True
    plain = [{"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids} for text in strings if "<" in text]
    tokenizer.encode_special_tokens = False
    rng = random.Random(3)
    size = tokenizer.get_vocab_size()
    noise = [{"ids": ids, "decoded": tokenizer.decode(ids), "decoded_all": tokenizer.decode(ids, skip_special_tokens=False)}
             for ids in skewed_ids(rng, size, 150) + list(extra_ids)]
    with open(OUT / f"{name}.json", "w", encoding="utf-8") as f:
        f.write('{"encode": [\n' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
        f.write('\n],\n"literal": [\n' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in plain))
        f.write('\n],\n"decode": [\n' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in noise) + "\n]}\n")


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


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    write_cases("smollm2", default_model())
