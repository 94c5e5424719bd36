#include "runtime/tokenizer/find_gguf_pre.h"

#include <algorithm>
#include <iterator>

#include "runtime/tokenizer/byte_level.h"

namespace hearth {
namespace {

constexpr std::string_view kProbes[] = {
    "'sabc Hello, World! it'sx it's I'M We'Ve Don'Tx Don'T 'sabc 'sy you'll x.y -a (b) \"c\" one two three",
    "3 33 333 3333 33333 1234567 12_345 1234\n12345,678.90 x12345 12345x ½1234 Ⅷ123 ²³¹ ١٢٣٤٥٦٧ 1234567890abc",
    "  12   345  (x)   'a  -b   \"c\"   漢  e\u0301   \n 12 \n  a",
    "  two  spaces   three    four \n\n\nlines\r\n\r\n tabs\t\t\tx \t \n y   \n",
    "HTTPServer iPhone fooBar FOOBar XMLHttpRequest's I'D camelCase ÀÉÎ Ünïcödé naïve e\u0301a b\u0301 q\u0307x é",
    "漢字、とかな。ABC漢字abc 漢字 々〆〇 中文Abc中文's 你½好¼中¾文 각각 ᄀ가각 ㄱㄴ ㄅㄆ กขค ဗမာ ខ្មែរ नमस्ते नि ＡＢＣ①",
    "x//y\r\n//\n\n/ a/ !!!\n\n ...\n?! $5+=<>^`|~ a$b (a|b) c.d,e!f?g…h IMGIMGABCZ <sentinel:12> 🚀 (normal) "
    "😶‍🌫️",
    "\ta  b    c\n\td \u3000 e       f             g"
    "                                                                      h",
};

bool cut_alike(const GgufPre& pre, const TextCutter& cutter) {
  const std::unique_ptr<Normalizer> nfc = pre.flags.nfc ? make_nfc() : nullptr;
  const std::unique_ptr<PreTokenizer> made = pre.make();
  return std::all_of(std::begin(kProbes), std::end(kProbes), [&](std::string_view probe) {
    return pieces_of({nfc.get(), made.get()}, probe) == pieces_of(cutter, probe);
  });
}

}  // namespace

std::vector<std::string> pieces_of(const TextCutter& cutter, std::string_view text) {
  NormalizedText normal = to_normalize(text, false);
  if (cutter.normalizer) cutter.normalizer->apply(normal);
  PieceList pieces;
  pieces.text = normal.text;
  pieces.ranges.assign(1, {0, normal.text.size()});
  if (cutter.pre_tokenizer) cutter.pre_tokenizer->split(pieces);
  std::vector<std::string> out;
  for (const ByteRange& range : pieces.ranges) {
    const std::string_view piece = pieces.text.substr(range.begin, range.end - range.begin);
    out.push_back(cutter.spells_bytes ? byte_level::decode(piece) : std::string(piece));
  }
  return out;
}

std::span<const std::string_view> gguf_pre_probes() { return kProbes; }

const GgufPre* find_gguf_pre(const TextCutter& cutter, bool ignore_merges, bool add_bos) {
  const GgufPre* found = nullptr;
  for (const GgufPre& pre : gguf_pres()) {
    if (pre.flags.metaspace || pre.flags.ignore_merges != ignore_merges) continue;
    if (found && (found->flags.add_bos == add_bos || pre.flags.add_bos != add_bos)) continue;
    if (cut_alike(pre, cutter)) found = &pre;
  }
  return found;
}

}  // namespace hearth
