"""The texts whose prompt log-probabilities the make_*.py of real models take, and how they are taken and written."""

import json
import random

import torch

TEXTS = [
    "The capital of France is Paris.",
    "Water boils at 100 degrees Celsius at sea level, but on a mountain 3,000 metres high it boils at about 90.",
    "Once upon a time there was a miller who had three sons, a mill, a donkey and a cat. When he died the eldest took the mill, the second the donkey, and "
    "the youngest was left with nothing but the cat.",
    "Dear Ms. Okafor,\n\nThank you for your letter of 14 March. We have looked into the matter and found that the parcel was sent back by mistake.\n\nKind "
    "regards,\nThe service team",
    "Question: If a train leaves at 9:40 and arrives at 13:05, how long is the journey?\nAnswer: 3 hours and 25 minutes.",
    "- bread\n- 2 litres of milk\n- a dozen eggs\n\t- brown, if they have any\n- coffee (whole beans!)",
    "<|im_start|>user\nWho wrote Faust?<|im_end|>\n<|im_start|>assistant\nJohann Wolfgang von Goethe wrote Faust.<|im_end|>\n",
    "人工智能正在改变世界，但是它也带来了新的问题。我们应该怎样使用它？",
    "今天天气很好，我们一起去公园散步，然后在湖边喝茶。下午三点，孩子们放学回家了。",
    "床前明月光，疑是地上霜。举头望明月，低头思故乡。",
    "混合文本 mixed text：Python 3.11 发布了，性能提升 25%。See https://example.org/新闻?id=42 for details.",
    "🎉🚀 Hello 😀! Emoji like 👩‍👩‍👧‍👦, 🏳️‍🌈 and 🇨🇳 are made of several code points 🤷🏽‍♀️.",
    "I ❤️ tea ☕ and rain 🌧️, she said 🙂; he answered: 🙃🙃🙃",
    "def fibonacci(n):\n    a, b = 0, 1\n    for _ in range(n):\n        yield a\n        a, b = b, a + b\n\n\nprint(list(fibonacci(20)))\n",
    "#include <vector>\n\nint sum(const std::vector<int>& values) {\n  int total = 0;\n  for (const int value : values) total += value;\n  return total;\n}\n",
    'SELECT name, COUNT(*) AS orders\nFROM customers JOIN orders USING (customer_id)\nWHERE created_at >= "2024-01-01"\nGROUP BY name HAVING orders > 3;\n',
    '{"model": "smollm2", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0.7, "stream": true}',
    "Größe, naïveté, Ærøskøbing, Łódź, Žižkov, İstanbul; Привет, мир! Γειά σου Κόσμε. مرحبا بالعالم  שלום",
    "   leading spaces,\ttabs\t\tand   runs   of   spaces,\r\nWindows line ends\r\n\r\n\r\n1234567890 0x1F 3.14159e-10   ",
]


def long_text(length: int) -> str:
    """A dull chronicle of about `length` tokens whose details cannot be guessed."""
    rng = random.Random(1)
    people = ["Anna", "Boris", "Chidi", "Dolores", "Emeka", "Fatima", "Goran", "Hui"]
    things = ["a letter from the harbour master", "two crates of oranges", "the broken barometer", "a map of the northern canals", "nine silver spoons"]
    places = ["the mill", "the old observatory", "the market", "a tavern by the bridge", "the railway station"]
    verbs = ["brought", "sold", "lost", "found", "hid", "asked for"]
    lines = []
    while len(" ".join(lines)) < 4.1 * length:
        lines.append(f"On day {rng.randint(1, 400)} {rng.choice(people)} {rng.choice(verbs)} {rng.choice(things)} at {rng.choice(places)}, "
                     f"and {rng.choice(people)} wrote it down; the wind came from {rng.choice(['the north', 'the south-west', 'nowhere'])}.")
    return " ".join(lines)


def write_logprobs(target, model, encode, more_texts=()):
    """[{"text", "ids", "logprobs"}] of every text; logprobs[i] = log p(ids[i + 1] | ids[..i])."""
    cases = []
    for text in [*TEXTS, *more_texts, long_text(1500)]:
        ids = encode(text)
        with torch.no_grad():
            logprobs = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        chosen = logprobs[:-1].gather(1, torch.tensor(ids)[1:, None])[:, 0]
        cases.append({"text": text, "ids": ids, "logprobs": [round(value, 6) for value in chosen.tolist()]})
        print(len(ids), "tokens, mean", round(chosen.mean().item(), 3), flush=True)
    target.parent.mkdir(exist_ok=True)
    target.write_text("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases) + "\n]\n")
