// Any bytes as the body of a chat or completion request, or of one of Anthropic's: it is read, or refused by an error
// that is the client's fault.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/anthropic/request.h"
#include "server/api_error.h"
#include "server/openai_types.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto refused = [](const auto& read) {
    try {
      read();
    } catch (const hearth::Error& error) {
      const int status = hearth::error_reply(error).status;
      if (status < 400 || status > 499) __builtin_trap();
    }
  };
  refused([&] {
    const nlohmann::ordered_json body = hearth::parse_json(text);
    refused([&] { hearth::read_chat_request(hearth::JsonReader(body)); });
    refused([&] { hearth::read_completion_request(hearth::JsonReader(body)); });
    refused([&] { hearth::anthropic::read_message_request(hearth::JsonReader(body)); });
    refused([&] { hearth::anthropic::read_count_request(hearth::JsonReader(body)); });
  });
  return 0;
}
