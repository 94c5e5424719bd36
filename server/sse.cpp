#include "server/sse.h"

namespace hearth {

Reply sse_reply(std::function<void(BodyWriter&)> stream) {
  return {.content_type = "text/event-stream",
          .headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}},
          .stream = std::move(stream)};
}

}  // namespace hearth
