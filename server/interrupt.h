// Ctrl-C as a flag, for commands that stop in an orderly way.
#pragma once

#include <atomic>

namespace hearth {

// From the first call on SIGINT sets the flag instead of ending the process; whoever acts on it sets it back. One flag
// a process, as signals are.
std::atomic<bool>& interrupt_flag();

// The same for SIGINT and SIGTERM, for work that is worth saving first; a second signal, of either kind, ends the
// process.
std::atomic<bool>& stop_flag();

}  // namespace hearth
