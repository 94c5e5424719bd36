// What a call is refused with.
#pragma once

#include <string>

#include "runtime/base/error.h"

namespace hearth::test {

// The message of the hearth::Error that is thrown; empty when none is.
template <class Function>
std::string error_of(Function&& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace hearth::test
