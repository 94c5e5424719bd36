// The ranges of a prompt that users and tools supplied survive whatever a template does to their texts, and nothing
// else is in them.
#include <gtest/gtest.h>

#include "tests/templates/template_cases.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

// The prompt with its literal ranges in «».
std::string marked(const RenderedPrompt& prompt) {
  std::string out;
  size_t at = 0;
  for (const ByteRange& range : prompt.literal) {
    EXPECT_LT(range.begin, range.end);
    EXPECT_TRUE(range.begin > at || (at == 0 && range.begin == 0)) << "ranges are sorted and not adjacent";
    out +=
        prompt.text.substr(at, range.begin - at) + "«" + prompt.text.substr(range.begin, range.end - range.begin) + "»";
    at = range.end;
  }
  return out + prompt.text.substr(at);
}

// Of a template over one user message; `m` is its content.
std::string marked(const std::string& source, const Json& content) {
  ChatTemplateInputs inputs;
  inputs.messages = Json::array({{{"role", "user"}, {"content", content}}});
  return marked(ChatTemplate("{% set m = messages[0].content %}" + source, "", "").render(inputs));
}

TEST(Literal, UserAndToolTextIsMarkedAndTheRestIsNot) {
  const std::string source =
      "{% for m in messages %}<|{{ m.role }}|>{{ m.name }}:{{ m.content }}{% for c in m.tool_calls %}{{ c.arguments | "
      "tojson }}"
      "{% endfor %}<|end|>{% endfor %}{{ tools[0].name }}";
  ChatTemplateInputs inputs;
  inputs.messages = Json::parse(R"([
    {"role": "system", "content": "<|end|>s"}, {"role": "user", "name": "n", "content": "<|end|>u"},
    {"role": "assistant", "content": "<|end|>a", "tool_calls": [{"arguments": {"x": "y"}}]}, {"role": "tool", "content": "<|end|>t"}])");
  inputs.tools = Json::parse(R"([{"name": "f"}])");
  EXPECT_EQ(marked(ChatTemplate(source, "", "").render(inputs)),
            "<|system|>:<|end|>s<|end|><|user|>«n»:«<|end|>u»<|end|><|assistant|>:<|end|>a{\"x\": \"y\"}<|end|>"
            "<|tool|>:«<|end|>t»<|end|>f");
}

TEST(Literal, AnUnknownRoleIsAUsersText) {
  ChatTemplateInputs inputs;
  inputs.messages = Json::parse(R"([{"role": "<|im_end|>", "content": "x"}])");
  EXPECT_EQ(marked(ChatTemplate("{{ messages[0].role }}:{{ messages[0].content }}", "", "").render(inputs)),
            "«<|im_end|>»:«x»");
}

TEST(Literal, KeysOfAUsersMessageAreMarkedUnlessTheyAreWords) {
  ChatTemplateInputs inputs;
  inputs.messages = Json::parse(R"([{"role": "user", "<|x|>": 1, "content": {"k": 2}}])");
  EXPECT_EQ(marked(ChatTemplate("{{ messages[0] | tojson }}", "", "").render(inputs)),
            "{\"role\": \"user\", \"«<|x|>»\": 1, \"content\": {\"«k»\": 2}}");
}

TEST(Literal, ContentPartsAndStructuredResultsAreMarked) {
  const Json parts = Json::parse(R"([{"type": "text", "text": "<a>"}, {"type": "text", "text": "b"}])");
  EXPECT_EQ(marked("{% for p in m %}[{{ p.text }}]{% endfor %}", parts), "[«<a>»][«b»]");
  EXPECT_EQ(marked("{{ m | map(attribute='text') | join('-') }}", parts), "«<a>»-«b»");
  EXPECT_EQ(marked("{{ m[0] | tojson }}", parts), "{\"«type»\": \"«text»\", \"«text»\": \"«<a>»\"}");
}

TEST(Literal, SurvivesStringOperations) {
  EXPECT_EQ(marked("{{ 'a' + m + 'b' }}", "x"), "a«x»b");
  EXPECT_EQ(marked("{{ 'a' ~ m ~ 1 }}", "x"), "a«x»1");
  EXPECT_EQ(marked("{{ m | trim }}|{{ m.strip('x ') }}", " xyx "), "«xyx»|«y»");
  EXPECT_EQ(marked("{{ ('<' ~ m ~ '>')[1:3] }}", "xyz"), "«xy»");
  EXPECT_EQ(marked("{{ ('<' ~ m ~ '>')[::-1] }}", "é!"), ">«!é»<");
  EXPECT_EQ(marked("{{ ('a' ~ m) | upper }}", "straße"), "A«STRASSE»");
  EXPECT_EQ(marked("{{ ('AB' ~ m ~ 'CD') | lower }}", "İX"), "ab«i̇x»cd");
  EXPECT_EQ(marked("{{ m | title }} {{ m | capitalize }}", "ab cd"), "«Ab Cd» «Ab cd»");
  EXPECT_EQ(marked("{{ m.replace('b', '<|end|>') }}", "abc"), "«a»<|end|>«c»");
  EXPECT_EQ(marked("{{ '<|x|>'.replace('x', m) }}", "abc"), "<|«abc»|>");
  EXPECT_EQ(marked("{{ m.split('</think>')[-1] }}", "a</think>b"), "«b»");
  EXPECT_EQ(marked("{{ m.splitlines() | join('|') }}", "a\nb"), "«a»|«b»");
  EXPECT_EQ(marked("{{ m.partition('=') | join('!') }}", "a=b"), "«a»!=!«b»");
  EXPECT_EQ(marked("{{ m | indent(2) }}", "a\nb"), "«a»\n  «b»");
  EXPECT_EQ(marked("{{ m | truncate(5, true, '..', 0) }}", "abcdefgh"), "«abc»..");
  EXPECT_EQ(marked("{{ m * 2 }}", "ab"), "«abab»");
  EXPECT_EQ(marked("{{ m.center(6, '.') }}", "ab"), "..«ab»..");
  EXPECT_EQ(marked("{{ m | list | join }}", "ab"), "«ab»");
  EXPECT_EQ(marked("{{ m | e }}", "<a>"), "«&lt;a&gt;»");
}

TEST(Literal, SurvivesFormatting) {
  EXPECT_EQ(marked("{{ '<%s>' % m }}", "x"), "<«x»>");
  EXPECT_EQ(marked("{{ m % 'y' }}", "x%sz"), "«x»y«z»");
  EXPECT_EQ(marked("{{ '<%5s>' | format(m) }}", "x"), "<    «x»>");
  EXPECT_EQ(marked("{{ '<{}|{a}>'.format(m, a=m) }}", "x"), "<«x»|«x»>");
  EXPECT_EQ(marked("{{ m.format('y') }}", "a{}b"), "«a»y«b»");
  EXPECT_EQ(marked("{{ m | tojson }}", "\"\n"), "\"«\\\"\\n»\"");
  EXPECT_EQ(marked("{{ [m, 1] }}", "it's"), "[\"«it's»\", 1]");
}

TEST(Literal, SurvivesMacrosBlocksAndNamespaces) {
  EXPECT_EQ(marked("{% macro f(x) %}<{{ x }}>{% endmacro %}{{ f(m) }}", "u"), "<«u»>");
  EXPECT_EQ(marked("{% set b %}<{{ m }}>{% endset %}{{ b }}", "u"), "<«u»>");
  EXPECT_EQ(marked("{% filter upper %}<{{ m }}>{% endfilter %}", "u"), "<«U»>");
  EXPECT_EQ(marked("{% set ns = namespace(t='s') %}{% set ns.t = ns.t + m %}{{ ns.t }}", "u"), "s«u»");
  EXPECT_EQ(marked("{% macro f() %}<{{ caller() }}>{% endmacro %}{% call f() %}{{ m }}{% endcall %}", "u"), "<«u»>");
}

TEST(Literal, GenerationBlocksAreReported) {
  ChatTemplateInputs inputs;
  inputs.messages = Json::parse(R"([{"role": "user", "content": "u"}, {"role": "assistant", "content": "yes"}])");
  const RenderedPrompt prompt = ChatTemplate(
                                    "{% for m in messages %}[{% if m.role == 'assistant' %}{% generation %}{{ "
                                    "m.content }}!{% endgeneration %}{% else %}"
                                    "{{ m.content }}{% endif %}]{% endfor %}",
                                    "", "")
                                    .render(inputs);
  EXPECT_EQ(prompt.text, "[u][yes!]");
  EXPECT_EQ(prompt.generated, (std::vector<ByteRange>{{4, 8}}));
}

}  // namespace
}  // namespace hearth
