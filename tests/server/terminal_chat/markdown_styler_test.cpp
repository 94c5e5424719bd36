#include "server/terminal_chat/markdown_styler.h"

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "server/terminal_chat/printable.h"

namespace hearth {
namespace {

// The output with each change of attributes as its name in braces: {b} bold, {i} italic, {bi} both, {d} dim, {c} code,
// {} none.
std::string named(std::string text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kNames = {{{"\x1b[0m", "{}"},
                                                                                    {"\x1b[0;1m", "{b}"},
                                                                                    {"\x1b[0;3m", "{i}"},
                                                                                    {"\x1b[0;1;3m", "{bi}"},
                                                                                    {"\x1b[0;2m", "{d}"},
                                                                                    {"\x1b[0;36m", "{c}"}}};
  for (const auto& [sequence, name] : kNames)
    for (size_t at = 0; (at = text.find(sequence)) != std::string::npos;) text.replace(at, sequence.size(), name);
  return text;
}

std::string without_attributes(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\x1b')
      i = text.find('m', i);
    else
      out += text[i];
  return out;
}

std::string styled(std::string_view text) {
  MarkdownStyler styler;
  std::string out = styler.push(text);
  return out + styler.finish();
}

struct Case {
  std::string_view input, output;
};

constexpr Case kCases[] = {
    {"", ""},
    {"plain text\nand more\n", "plain text\nand more\n"},
    {"a **bold** word", "a {d}**{b}bold{d}**{} word"},
    {"an *italic* and _another_.", "an {d}*{i}italic{d}*{} and {d}_{i}another{d}_{}."},
    {"***both*** and **a *b* c**", "{d}***{bi}both{d}***{} and {d}**{b}a {d}*{bi}b{d}*{b} c{d}**{}"},
    {"**你好**，世界 🙂", "{d}**{b}你好{d}**{}，世界 🙂"},
    {"ends **bold**", "ends {d}**{b}bold{d}**{}"},
    // Emphasis that nobody ends, ends with its line.
    {"an **open one\nnext", "an {d}**{b}open one{}\nnext"},
    // No markers.
    {"2 * 3 * 4 = 24, 2 ** 3", "2 * 3 * 4 = 24, 2 ** 3"},
    {"snake_case_name __init__.py a_b", "snake_case_name {d}__{b}init{d}__{}.py a_b"},
    {"\\*not\\* \\`this\\` \\\\**b**", "\\*not\\* \\`this\\` \\\\{d}**{b}b{d}**{}"},
    {"#hashtag ####### seven\n#1", "#hashtag ####### seven\n#1"},
    {"1986. was", "{b}1986.{} was"},
    {"3.14 is pi\n-5 degrees\n+1", "3.14 is pi\n-5 degrees\n+1"},
    {"a - b\n---\n***\n|a|b|\n|-|-|", "a - b\n---\n***\n|a|b|\n|-|-|"},
    {"x <think> y </think>", "x <think> y </think>"},
    {"<thin", "<thin"},
    {"**** *", "**** *"},
    // Lines of their own.
    {"# Title\ntext", "{d}#{b} Title{}\ntext"},
    {"### A *b* `c`\n", "{d}###{b} A {d}*{bi}b{d}*{b} {d}`{c}c{d}`{}\n"},
    {"- one\n  * two **b**\n+ three", "{b}-{} one\n  {b}*{} two {d}**{b}b{d}**{}\n{b}+{} three"},
    {"1. one\n12) two", "{b}1.{} one\n{b}12){} two"},
    {"> quote\n> > # deep", "{d}>{} quote\n{d}>{} {d}>{} {d}#{b} deep{}"},
    // Code.
    {"use `a*b*c` here", "use {d}`{c}a*b*c{d}`{} here"},
    {"``a ` b`` c", "{d}``{c}a ` b{d}``{} c"},
    {"an `open one\n**b**", "an {d}`{c}open one{}\n{d}**{b}b{d}**{}"},
    {"```python\nx = a * b  # **no**\n\n  ``` no\n```\n*e*",
     "{d}```python{}\n{c}x = a * b  # **no**{}\n\n{c}  ``` no{}\n{d}```{}\n{d}*{i}e{d}*{}"},
    {"~~~\n```\n~~~~ \ntext", "{d}~~~{}\n{c}```{}\n{d}~~~~ {}\ntext"},
    {"- item\n  ```\n  code\n  ```\n", "{b}-{} item\n  {d}```{}\n{c}  code{}\n{c}  {d}```{}\n"},
    {"````\n```\n````", "{d}````{}\n{c}```{}\n{d}````{}"},
    {"```one line``` text", "{d}```one line```{} text"},
    {"```\nunfinished", "{d}```{}\n{c}unfinished{}"},
    // Reasoning, at the beginning only.
    {"<think>\nHm, **a** < b </thin </think>\n\n**Yes**",
     "{d}<think>{}\n{d}Hm, **a** < b </thin </think>{}\n\n{d}**{b}Yes{d}**{}"},
    {"\n <think>x", "\n {d}<think>x{}"},
    {"<thinker> *a*", "<thinker> {d}*{i}a{d}*{}"},
};

TEST(MarkdownStyler, StylesWhatIsMarkedAndNothingElse) {
  for (const Case& one : kCases) EXPECT_EQ(named(styled(one.input)), one.output) << one.input;
}

TEST(MarkdownStyler, WithoutAttributesTheOutputIsTheInput) {
  for (const Case& one : kCases) EXPECT_EQ(without_attributes(styled(one.input)), one.input);
}

TEST(MarkdownStyler, OutputDoesNotDependOnTheCuts) {
  for (const Case& one : kCases) {
    const std::string whole = styled(one.input);
    for (size_t first = 0; first <= one.input.size(); ++first)
      for (size_t second = first; second <= one.input.size(); ++second) {
        MarkdownStyler styler;
        std::string out = styler.push(one.input.substr(0, first));
        out += styler.push(one.input.substr(first, second - first));
        out += styler.push(one.input.substr(second));
        ASSERT_EQ(out + styler.finish(), whole) << one.input << " cut at " << first << " and " << second;
      }
  }
}

TEST(MarkdownStyler, TextIsNotHeldBack) {
  const std::string text = "# One\n\nSome **bold** text, `code` and a list:\n\n- *a*\n2. b\n\n```c\nint x;\n```\nEnd";
  MarkdownStyler styler;
  std::string shown;
  for (size_t i = 0; i < text.size(); ++i) {
    shown += without_attributes(styler.push(std::string_view(text).substr(i, 1)));
    EXPECT_LE(i + 1 - shown.size(), 3u) << text.substr(0, i + 1);
  }
}

TEST(Printable, ShowsControlsHarmlessly) {
  constexpr Case kTexts[] = {
      {"a\tb\nc é 漢字 🙂 العربية", "a\tb\nc é 漢字 🙂 العربية"},
      {"\x1b[2J\x1b]0;title\x07", "␛[2J␛]0;title␇"},
      {"line\r\nover\rwritten\x7f\x08", "line\noverwritten␡␈"},
      {"\xc2\x9b\x33\x31m\xc2\xa0", "<U+009B>31m\xc2\xa0"},
      {"\u202egnp.exe\u2066x\u2069", "<U+202E>gnp.exe<U+2066>x<U+2069>"},
      {"\u2014 \u2026 \u200d \u2065\u206a", "\u2014 \u2026 \u200d \u2065\u206a"},
      {"\xe2", "\xe2"},
  };
  for (const Case& one : kTexts) EXPECT_EQ(printable(one.input), one.output);
  EXPECT_EQ(printable(std::string_view("\0", 1)), "␀");
}

}  // namespace
}  // namespace hearth
