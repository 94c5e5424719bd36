"""Writes tests/golden/metrics/pairs.jsonl: 2,000 predictions and labels, and what the reference implementations score them.

Pinned: nltk 3.10.4, rouge_chinese 1.0.3, jieba 0.42.1, sacrebleu 2.6.0, rouge_score 0.1.2. BLEU-4 and ROUGE are those of LLaMA-Factory's ComputeSimilarity
(train/sft/metric.py), exact match and F1 those of the SQuAD 2.0 evaluation script.

A line a pair: {"predict", "label", "cut": [FNV-1a of jieba's words of each], "scores": [bleu-4, rouge-1, rouge-2, rouge-l, exact_match, f1, sentence_sacrebleu,
word_rouge1, word_rouge2, word_rougeL]}, in percent. The last line has their means and sacrebleu's corpus BLEU. Texts are made from the seed, the lists below
and words drawn from jieba's dictionary.
"""

import collections
import json
import logging
import pathlib
import random
import re
import string

import jieba
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from rouge_chinese import Rouge
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU

jieba.setLogLevel(logging.ERROR)
OUT = pathlib.Path(__file__).parent / "metrics" / "pairs.jsonl"
COUNT = 2000

ENGLISH = """the a an of to and in is it was that for on are with as his they at be this from have or by one had not but what all were when we there can said which
do their if will each about how up out them then she many some so these would other into has more her two like him see time could no make than first been its who now
people my made over did down only way find use may water long little very after words called just where most know Paris France London river mountain capital city
answer question model language training data learns writes quickly slowly red green blue seven eight twenty""".split()
HARD = """3.14% 10,000.5-3 1.5.2 99% AT&T C++ c# R2-D2 e-mail well-known don't it's U.S.A. user@example.com https://example.com/a?b=c&d=e snake_case x=y+1 #tag @name
$5.00 50%off -3 +7 ... ...... -- -- a.b 1,2 2-1 (c) [d] {e} "f" 'g' `h` ~ ^ | \\ / < > &amp; &quot; &lt; &gt; <skipped> end-
The THE An A a. İstanbul K ΣΟΦΌΣ Straße ÉCOLE naïve fiancée Приве́т мир مرحبا हिन्दी ひらがな カタカナ 한국어 Ⅳ ½ ٣""".split()
EMOJI = ["😀", "👍🏽", "👩‍👩‍👧", "🇨🇳", "❤️", "e\u0301", "\u200b", "\ufeff", "𝒳", "𠀀"]
SPACES = [" ", "  ", "\n", "\n\n", "\t", "\r\n", "\u3000", "\u00a0", "\x1c", "\u2028", "\x85", "\r"]
CHINESE_MARKS = ["。", "，", "！", "？", "；", "：", "、", "“", "”", "’", "……", "…", "《", "》", "。”", "？’", "?", "!", "......"]
MARKS = [".", ",", "!", "?", ";", ":", "?!", "...", "......", " - ", "-\n"]
NAMES = "王小明 李雷 韩梅梅 欧阳修文 司马相如 张伟丽 赵钱孙李 阿里巴巴 魔搭社区 深度求索 通义千问 小红书".split()

random_ = random.Random(20261128)
jieba.initialize()
WORDS = sorted(word for word, frequency in jieba.dt.FREQ.items() if frequency)
COMMON = sorted(word for word, frequency in jieba.dt.FREQ.items() if frequency > 3000)


def english():
    words = random_.choices(ENGLISH, k=random_.randint(1, 14))
    words[0] = random_.choice([words[0], words[0].capitalize(), words[0].upper()])
    return [word + (random_.choice(MARKS) if random_.random() < 0.15 else "") + " " for word in words]


def chinese():
    parts = []
    for _ in range(random_.randint(1, 12)):
        kind = random_.random()
        if kind < 0.45:
            parts.append(random_.choice(COMMON))
        elif kind < 0.65:
            parts.append(random_.choice(WORDS))
        elif kind < 0.75:
            parts.append(random_.choice(NAMES))
        elif kind < 0.85:
            parts.append("".join(chr(random_.randint(0x4E00, 0x9FD5)) for _ in range(random_.randint(1, 4))))
        else:
            parts.append(random_.choice(CHINESE_MARKS))
    return parts


def hard():
    parts = []
    for _ in range(random_.randint(1, 8)):
        parts.append(random_.choice(random_.choice([HARD, HARD, EMOJI, SPACES, COMMON, ENGLISH, CHINESE_MARKS, MARKS])))
        parts.append(random_.choice(["", " ", " ", random_.choice(SPACES)]))
    return parts


def tiny():
    return [random_.choice(["", "", " ", "\n", "a", "A", "the", "中", "，", "。", "?", "1", "😀", "é", "\u3000", "\t\n", ".", "一", "word"])]


def changed(parts):
    out = []
    for part in parts:
        kind = random_.random()
        if kind < 0.12:
            continue
        if kind < 0.24:
            part = random_.choice(parts)
        out.append(part.upper() if random_.random() < 0.05 else part)
        if kind > 0.93:
            out.append(random_.choice(random_.choice([ENGLISH, COMMON, SPACES, HARD])))
    if random_.random() < 0.2:
        random_.shuffle(out)
    return out


def pair():
    make = random_.choices([english, chinese, hard, tiny], [30, 45, 20, 8])[0]
    label = make()
    kind = random_.random()
    predict = label if kind < 0.04 else make() if kind < 0.12 else changed(label)
    predict, label = "".join(predict), "".join(label)
    return (predict.strip(), label) if random_.random() < 0.5 else (predict, label)


def fnv(words):
    value = 0xCBF29CE484222325
    for word in words:
        for byte in word.encode() + b"\xff":
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def llamafactory(predict, label, hypothesis, reference):
    if not " ".join(hypothesis).split() or not " ".join(reference).split():
        rouge = [0.0, 0.0, 0.0]
    else:
        scores = Rouge().get_scores(" ".join(hypothesis), " ".join(reference))[0]
        rouge = [scores[name]["f"] for name in ("rouge-1", "rouge-2", "rouge-l")]
    bleu = sentence_bleu([list(label)], list(predict), smoothing_function=SmoothingFunction().method3)
    return [round(value * 100, 4) for value in [bleu, *rouge]]


def squad_words(text):
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def squad(predict, label):
    a, b = squad_words(predict), squad_words(label)
    common = sum((collections.Counter(a) & collections.Counter(b)).values())
    if not a or not b:
        f1 = float(a == b)
    elif common == 0:
        f1 = 0.0
    else:
        precision, recall = common / len(a), common / len(b)
        f1 = 2 * precision * recall / (precision + recall)
    return [100 * float(a == b), 100 * f1]


def main():
    sentence, corpus = BLEU(effective_order=True), BLEU()
    words = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    lines, sums, texts = [], [0.0] * 10, []
    for _ in range(COUNT):
        predict, label = pair()
        hypothesis, reference = list(jieba.cut(predict)), list(jieba.cut(label))
        word_rouge = words.score(label, predict)
        scores = [
            *llamafactory(predict, label, hypothesis, reference),
            *squad(predict, label),
            sentence.sentence_score(predict, [label]).score,
            *(100 * word_rouge[name].fmeasure for name in ("rouge1", "rouge2", "rougeL")),
        ]
        sums = [total + value for total, value in zip(sums, scores)]
        texts.append((predict, label))
        lines.append({"predict": predict, "label": label, "cut": [fnv(hypothesis), fnv(reference)], "scores": [round(value, 5) for value in scores]})
    predictions, labels = zip(*texts)
    lines.append({"means": [total / COUNT for total in sums], "sacrebleu": corpus.corpus_score(predictions, [labels]).score})
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")


main()
