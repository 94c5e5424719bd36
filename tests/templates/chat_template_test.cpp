// What a template may not do: fail without a place, run for ever, take the machine's memory or stack, or reach the
// host.
#include <chrono>

#include <gtest/gtest.h>

#include "tests/templates/template_cases.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

ChatTemplateInputs one_user(const std::string& content = "Hi") {
  ChatTemplateInputs inputs;
  inputs.messages = Json::array({{{"role", "user"}, {"content", content}}});
  return inputs;
}

// Of renderings that are to reach a limit: the defaults divided by a thousand, but for the depth, which must fit the
// stack.
constexpr jinja::Limits kSmall = {.steps = 10'000,
                                  .allocated_bytes = size_t{512} << 10,
                                  .output_bytes = size_t{64} << 10,
                                  .depth = jinja::Limits{}.depth,
                                  .range_size = 1000};

std::string failure(const std::string& source, const ChatTemplateInputs& inputs = one_user(),
                    const jinja::Limits& limits = {}) {
  try {
    ChatTemplate(source, "", "", limits).render(inputs);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
    return e.what();
  }
  ADD_FAILURE() << "no error from " << source.substr(0, 200);
  return "";
}

std::string repeated(const std::string& text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

TEST(TemplateErrors, NameTheLineAndTheCause) {
  EXPECT_EQ(failure("a\n{{ b.c }}"), "chat template, line 2: 'b' is undefined");
  EXPECT_EQ(failure("{% if true %}\n\n{{ messages[0].x.y }}{% endif %}"),
            "chat template, line 3: 'dict object' has no attribute 'x'");
  EXPECT_EQ(failure("\n\n{{ 1 + }}"), "chat template, line 3: unexpected '}}'");
  EXPECT_EQ(failure("{% for x in y %}\n{{ x }}"),
            "chat template, line 2: unexpected end of the template: the 'for' of line 1 is not closed by 'endfor'");
  EXPECT_EQ(failure("{{\n'a' + 1 }}"), "chat template, line 2: can only concatenate str (not \"int\") to str");
  EXPECT_EQ(failure("{% macro f(x) %}\n{{ x / 0 }}\n{% endmacro %}\n{{ f(1) }}"),
            "chat template, line 2: division by zero");
  EXPECT_EQ(failure("a\n{% bogus %}"), "chat template, line 2: Encountered unknown tag 'bogus'.");
}

TEST(TemplateErrors, ARaisedTextIsTheWholeMessage) {
  EXPECT_EQ(failure("{{ raise_exception('Roles must alternate: ' ~ messages[0].role) }}"),
            "Roles must alternate: user");
}

TEST(TemplateErrors, InputsOfTheWrongShape) {
  ChatTemplateInputs inputs;
  inputs.messages = "x";
  EXPECT_EQ(failure("a", inputs), "messages must be an array, not string");
  inputs.messages = Json::array({1});
  EXPECT_EQ(failure("a", inputs), "messages[0] must be an object, not number");
  inputs = one_user();
  inputs.extra = 3;
  EXPECT_EQ(failure("a", inputs), "chat_template_kwargs must be an object, not number");
  inputs.extra = {{"messages", Json::array()}};
  EXPECT_EQ(failure("a", inputs), "chat_template_kwargs must not contain 'messages'");
}

TEST(TemplateErrors, TheHostIsOutOfReach) {
  for (const char* source :
       {"{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ messages.__class__() }}", "{{ range.__globals__.x }}",
        "{{ '{0.__class__.x}'.format(1) }}", "{{ messages.append(1) }}", "{{ messages[0].update(a=1) }}",
        "{{ namespace().__init__.x }}", "{{ loop.__class__.x }}", "{% include '/etc/passwd' %}",
        "{{ (messages | attr('__class__')).x }}", "{{ self.x }}"}) {
    EXPECT_NE(failure(source), "") << source;
  }
}

std::string bounded(const std::string& source) { return failure(source, one_user(), kSmall); }

TEST(TemplateBounds, LoopsEnd) {
  EXPECT_EQ(bounded("{% set r = range(200) %}{% for a in r %}{% for b in r %}{% endfor %}{% endfor %}"),
            "chat template, line 1: the template takes more than 10000 steps");
  EXPECT_NE(failure("{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}").find("too deeply"), std::string::npos);
  EXPECT_NE(failure("{{ range(100001) }}").find("Range too big"), std::string::npos);
  EXPECT_NE(failure("{{ range(-9223372036854775807, 9223372036854775807) }}").find("Range too big"), std::string::npos);
}

TEST(TemplateBounds, DeepNestingIsAnErrorAndNotACrash) {
  for (const char* open : {"(", "[", "{'a':", "not ", "-", "f(", "x[", "a if b else ", "{{", "x|default("}) {
    EXPECT_NE(failure("{{ " + repeated(open, 5000)), "") << open;
  }
  EXPECT_NE(failure(repeated("{% if 1 %}", 5000)).find("deep"), std::string::npos);
  EXPECT_NE(failure(repeated("{% for x in y %}", 5000)).find("deep"), std::string::npos);
  EXPECT_NE(failure("{% set " + repeated("(", 5000)).find("deep"), std::string::npos);
  EXPECT_NE(failure("{{ 1" + repeated(" + 1", 20'000) + " }}").find("deeply"), std::string::npos);
  EXPECT_NE(failure("{{ x" + repeated("|string", 20'000) + " }}").find("deeply"), std::string::npos);
  EXPECT_NE(failure("{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = [ns.x] %}{% endfor %}")
                .find("nested"),
            std::string::npos);
  EXPECT_NE(failure("{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}").find("deeply"), std::string::npos);
  EXPECT_NE(failure("{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}").find("deeply"), std::string::npos);
  EXPECT_NE(failure("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}").find("deeply"), std::string::npos);
  ChatTemplateInputs inputs = one_user();
  inputs.extra = {{"x", Json::parse(repeated("[", 5000) + repeated("]", 5000))}};
  EXPECT_NE(failure("{{ x }}", inputs).find("deep"), std::string::npos);
}

TEST(TemplateBounds, MemoryIsLimited) {
  for (const char* source : {
           "{{ 'ab' * 10000000000 }}",
           "{{ [1, 2] * 10000000000 }}",
           "{% set ns = namespace(s='ab') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
           "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
           "{{ 'a'.center(10000000000) }}",
           "{{ 'a'.zfill(10000000000) }}",
           "{{ '%10000000000d' % 1 }}",
           "{{ '%*d' % (10000000000, 1) }}",
           "{{ '{:10000000000}'.format(1) }}",
           "{{ '%.1000000000f' % 1.5 ~ ('x' * 10000000) }}",
           "{{ ('a' * 10000).replace('', 'b' * 10000) }}",
           "{{ 'a' | indent(10000000000, true) }}",
           "{{ ('x' * 1000) | list | join('y' * 10000) }}",
           "{{ [1] | batch(10000000000, 2) | list }}",
           "{{ 2 ** 100000 }}",
           "{{ 10 ** 30 * 10 ** 30 }}",
           "{% for i in range(1000) %}{{ 'x' * 1000 }}{% endfor %}",
           "{{ range(10) | slice(10000000000) | list }}",
           "{% set ns = namespace(x=[0]) %}{% for i in range(200) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x "
           "== ns.x[0] }}{{ ns.x }}",
       }) {
    EXPECT_NE(bounded(source), "") << source;
  }
}

TEST(TemplateBounds, TheOutputIsLimited) {
  const jinja::Limits limits = {.output_bytes = 10};
  EXPECT_EQ(ChatTemplate("{{ '0123456789' }}", "", "", limits).render(one_user()).text, "0123456789");
  EXPECT_NE(failure("{{ '0123456789' }}!", one_user(), limits).find("the output exceeds 10 bytes"), std::string::npos);
}

TEST(TemplateBounds, ATextCannotMakeSearchesSlow) {
  const auto start = std::chrono::steady_clock::now();
  const std::string as(400'000, 'a');  // 200,000 * 200,000 comparisons, if it were searched naively
  const ChatTemplate chat_template(
      "{% set m = messages[0].content %}{{ (m[:200000] ~ 'b') in m }}{{ m.rsplit(m[:1000] ~ 'b') | length }}{{ "
      "m.find('c' ~ m) }}",
      "", "");
  EXPECT_EQ(chat_template.render(one_user(as)).text, "False1-1");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(Templates, ScopesThatMacrosCaptureOutliveTheirBlocks) {
  const ChatTemplate chat_template(
      "{% set ns = namespace() %}{% for i in [1, 2] %}{% with j = i * 10 %}{% macro m() %}{{ j + 1 }}{% endmacro %}{% "
      "set ns.f = m %}{% endwith %}"
      "{% set ns.l = loop %}{% endfor %}{{ ns.f() }}{{ ns.l.index }}{{ ns.l.last }}",
      "", "");
  EXPECT_EQ(chat_template.render(one_user()).text, "212True");
}

TEST(Templates, ATokenThatTheTokenizerLacksIsUndefined) {
  EXPECT_EQ(ChatTemplate("{{ bos_token is defined }}{{ eos_token }}", "", "E").render(one_user()).text, "FalseE");
}

TEST(Templates, InvalidUtf8PassesThrough) {
  ChatTemplateInputs inputs = one_user("a\xff\xe4\xb8z");
  EXPECT_EQ(
      ChatTemplate("{{ messages[0].content | upper }}{{ messages[0].content | length }}", "", "").render(inputs).text,
      "A\xff\xe4\xb8Z5");
}

TEST(Templates, MayBeRenderedByManyAndMoved) {
  ChatTemplate first("{{ messages | length }}", "", "");
  const ChatTemplate second = std::move(first);
  EXPECT_EQ(second.render(one_user()).text, "1");
  EXPECT_EQ(second.render(one_user()).text, "1");
  EXPECT_EQ(second.source(), "{{ messages | length }}");
}

}  // namespace
}  // namespace hearth
