// Any bytes as a tokenizer.json: it is read and encodes and decodes, or is refused with an Error that is not ours to
// answer for. What was decoded at once and token by token is the same, and a GGUF vocabulary is written of it or it is
// refused likewise. The text is short, so that libFuzzer's -timeout
// finds what is not bounded in time.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/tokenizer/gguf_vocab_writer.h"
#include "runtime/tokenizer/stream_decoder.h"
#include "runtime/tokenizer/tokenizer.h"
#include "runtime/tokenizer/utf8.h"
#include "tests/support/temporary_directory.h"

namespace {

constexpr std::string_view kTexts[] = {
    "<s> ab, é 😀 12\n\n  b's", "", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "e\u0301\u0323 ﬁ İ 中文 \u1100\u1161 [MASK] ##b <0x41>", "   \t\r\n\u3000\u200b\u00ad  "};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const hearth::test::TemporaryDirectory directory;
  std::ofstream(directory.path() / "tokenizer.json").write(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = hearth::load_tokenizer(directory.path());
    for (const std::string_view text : kTexts) {
      std::vector<hearth::TokenId> ids = tokenizer->encode(text, {.add_special = true});
      (void)tokenizer->encode(text, {.parse_special = false});
      for (hearth::TokenId id = 0; id < 40; ++id) ids.push_back(id * 7 % 40);  // not what encoding gives
      for (const bool skip_special : {true, false}) {
        hearth::StreamDecoder decoder(tokenizer, skip_special);
        std::string streamed;
        for (const hearth::TokenId id : ids) {
          const std::string part = decoder.push(id);
          if (hearth::utf8::find_invalid(part) != std::string::npos) __builtin_trap();
          streamed += part;
        }
        if (streamed + decoder.finish() != tokenizer->decode(ids, skip_special)) __builtin_trap();
      }
      for (const hearth::TokenId id : ids) {
        if (tokenizer->has_token(id)) (void)tokenizer->token_bytes(id);
      }
    }
    (void)hearth::gguf_vocabulary(directory.path(), std::min<int64_t>(tokenizer->vocab_size(), 1000));
  } catch (const hearth::Error& error) {
    if (error.code() == hearth::ErrorCode::kInternal) __builtin_trap();
  }
  return 0;
}
