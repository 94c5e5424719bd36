// Our own mistakes that ops refuse.
#pragma once

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"

namespace hearth {

// fn throws kInternal with `text` in its message.
template <class Fn>
void expect_internal(Fn fn, const std::string& text) {
  try {
    fn();
    ADD_FAILURE() << "did not throw: " << text;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    EXPECT_THAT(error.what(), ::testing::HasSubstr(text));
  }
}

}  // namespace hearth
