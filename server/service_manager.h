// What systemd is told of a unit with Type=notify (sd_notify(3)), over the datagram socket that NOTIFY_SOCKET names.
#pragma once

#include <string_view>

namespace hearth {

// "READY=1", "STOPPING=1". Without that variable, or when nobody listens, nothing happens.
void notify_service_manager(std::string_view state);

}  // namespace hearth
