#include "runtime/io/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "tests/support/image_builder.h"
#include "tests/support/torch_image.h"

namespace hearth {
namespace {

using test::as_image;
using test::torch_image::global;
using test::torch_image::integer;
using test::torch_image::raw;
using test::torch_image::text;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

bool is_ordered_dict(std::string_view module, std::string_view name) {
  return module == "collections" && name == "OrderedDict";
}

std::string refusal(const std::string& opcodes) {
  try {
    Pickle(as_image(opcodes), "m.bin: data.pkl", is_ordered_dict);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kDataCorruption);
    EXPECT_THAT(error.what(), StartsWith("m.bin: data.pkl: "));
    EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos);
    return error.what();
  }
  return "";
}

std::string repeat(std::string_view opcodes, size_t times) {
  std::string result;
  for (size_t i = 0; i < times; ++i) result += opcodes;
  return result;
}

TEST(Pickle, ReadsNumbersOfEveryWidth) {
  const std::pair<std::string, int64_t> cases[] = {
      {std::string("K\xff"), 255},     {"M\x01\x02", 513},
      {"J\xfe\xff\xff\xff", -2},       {std::string("\x8a\0", 2), 0},
      {"\x8a\x01\x80", -128},          {std::string("\x8a\x02\x80\0", 4), 128},
      {integer(INT64_MIN), INT64_MIN}, {integer(INT64_MAX), INT64_MAX}};
  for (const auto& [opcodes, number] : cases) {
    const std::string image = opcodes + ".";
    const Pickle pickle(as_image(image), "p", is_ordered_dict);
    EXPECT_EQ(pickle.root().kind, Pickle::Kind::kInteger) << number;
    EXPECT_EQ(pickle.root().number, number);
  }
}

TEST(Pickle, ACallIsAValue) {
  const std::string image = "\x80\x04" + text("collections") + text("OrderedDict") + "\x93)R\x94" + text("a") +
                            "K\x07" + "s}b" + std::string("h\0", 2) + "\x86.";
  const Pickle pickle(as_image(image), "p", is_ordered_dict);
  ASSERT_EQ(pickle.root().items.size(), 2u);
  EXPECT_EQ(pickle.root().items[0], pickle.root().items[1]);
  const Pickle::Value& dict = pickle[pickle.root().items[0]];
  EXPECT_EQ(dict.kind, Pickle::Kind::kCall);
  EXPECT_EQ(dict.text, "OrderedDict");
  ASSERT_EQ(dict.items.size(), 2u);
  EXPECT_EQ(pickle[dict.items[0]].text, "a");
  EXPECT_EQ(pickle[dict.items[1]].number, 7);
}

TEST(Pickle, OtherGlobalsAreRefusedByName) {
  const std::pair<std::string, const char*> cases[] = {
      {global("os", "system") + text("x") + "\x85R.", "the Python object 'os.system'"},
      {text("posix") + text("system") + "\x93.", "'posix.system'"},
      {"(" + text("x") + "ios\nsystem\n.", "'os.system'"},
      {global("builtins", "eval") + ".", "'builtins.eval'"},
      {global("collections", "OrderedDict.__reduce__") + ".", "'collections.OrderedDict.__reduce__'"},
      {global("collections.OrderedDict", "") + ".", "'collections.OrderedDict.'"},
      {global("", "") + ".", "'.'"},
      {global("a\x1b[2J", "b") + ".", "'a\\x1b[2J.b'"},
      {global(std::string(1000, 'x'), "b") + ".", "xxx...'"}};
  for (const auto& [opcodes, named] : cases) EXPECT_THAT(refusal(opcodes), HasSubstr(named));
}

TEST(Pickle, WhatCouldRunSomethingIsRefused) {
  const std::string ordered = global("collections", "OrderedDict");
  const std::pair<std::string, const char*> cases[] = {
      {"(icollections\nOrderedDict\n.", "the opcode INST"},
      {"(" + ordered + "o.", "the opcode 0x6f"},  // OBJ
      {ordered + ")\x81.", "the opcode 0x81"},    // NEWOBJ
      {ordered + ")}\x92.", "the opcode 0x92"},   // NEWOBJ_EX
      {"\x82\x01.", "the opcode 0x82"},           // EXT1
      {"Pid\n.", "the opcode 0x50"},              // PERSID
      {text("os") + ")R.", "a call of what is no function"},
      {ordered + ")R)R.", "a call of what is no function"},
      {ordered + "NR.", "a call of what is no function"},
      {ordered + "}b.", "attributes for what is no OrderedDict"},
      {ordered + "K\1\x85R}b.", "attributes for what is no OrderedDict"},
      {"}}b.", "attributes for what is no OrderedDict"},
      {ordered + "K\1\x85RK\1K\1s.", "keys for what is no dict"},
      {ordered + "K\1K\1s.", "keys for what is no dict"},
      {")K\1a.", "items for what is no list"},
      {"K\1K\2\x93.", "a global without a name"}};
  for (const auto& [opcodes, said] : cases) EXPECT_THAT(refusal(opcodes), HasSubstr(said));
}

TEST(Pickle, BrokenPicklesAreRefused) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "no end"},
      {"N", "no end: it is cut short or claims too much at byte 1"},
      {".", "takes from an empty stack"},
      {"N(.", "takes from an empty stack"},
      {"NN.", "more than one value"},
      {"t.", "looks for a mark where none is"},
      {"N\x86.", "takes from an empty stack"},
      {"}(Nu.", "a key without a value"},
      {"\x80\x06N.", "the protocol 6"},
      {"\x95" + raw(uint64_t{3}) + "N.", "cut short or claims too much"},
      {"\x95" + raw(~uint64_t{0}) + "N.", "cut short or claims too much"},
      {"X" + raw(~uint32_t{0}) + "a.", "cut short or claims too much"},
      {"\x8d" + raw(~uint64_t{0}) + "a.", "cut short or claims too much"},
      {"B" + raw(~uint32_t{0}) + "a.", "cut short or claims too much"},
      {"cos", "cut short inside a name"},
      {std::string("h\0.", 3), "a value that was not remembered (0)"},
      {"Nq\x05h\x04.", "a value that was not remembered (4)"},
      {"Nr" + raw(~uint32_t{0}) + ".", "a memo of more than"},
      {"j" + raw(~uint32_t{0}) + ".", "was not remembered"}};
  for (const auto& [opcodes, said] : cases) EXPECT_THAT(refusal(opcodes), HasSubstr(said));
}

TEST(Pickle, BombsAreBounded) {
  EXPECT_THAT(refusal(repeat("N", 70'000) + "."), HasSubstr("more than 65536 values on its stack"));
  EXPECT_THAT(refusal(repeat("(", 70'000) + "."), HasSubstr("more than 65536 marks"));
  EXPECT_THAT(refusal("]" + repeat("Na", 2'100'000) + "."), HasSubstr("more than 2097152 values"));
  EXPECT_THAT(refusal(std::string((size_t{32} << 20) + 1, 'N')), EndsWith("at most 33554432 are read"));
  // A million tuples deep, and 2^60 values by sharing: as data they are as long as the pickle, and go away without
  // recursion.
  EXPECT_EQ(refusal("N" + repeat("\x85", 1'000'000) + "."), "");
  EXPECT_EQ(refusal("N" + repeat("\x94" + std::string("q\0h\0\x86", 5), 60) + "."), "");
}

}  // namespace
}  // namespace hearth
