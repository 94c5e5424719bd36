// Where and when a run runs, for the names of its files.
#pragma once

#include <string>

namespace hearth {

std::string host_name();  // "localhost" when the system gives none
// Local time, as strftime formats it.
std::string now_as(const char* format);
double seconds_since_1970();

}  // namespace hearth
