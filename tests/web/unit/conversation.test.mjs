import assert from "node:assert/strict";
import { test } from "node:test";
import { bundled } from "./bundled.mjs";

const {
  matches,
  newConversation,
  newMessage,
  NO_SETTINGS,
  requestFor,
  roundOf,
  shownPath,
  splitReasoning,
  titleOf,
  versions,
  withChanged,
  withChosen,
  withMessages,
} = await bundled("chat/conversation.ts");

/** A question, its answer, and the conversation with both. */
function begun(settings = {}) {
  const question = newMessage(null, "user", "one?");
  const answer = newMessage(question.id, "assistant", "one.");
  return {
    question,
    answer,
    chat: withMessages(withMessages(newConversation({ ...NO_SETTINGS, ...settings }), [question]), [answer]),
  };
}
const texts = (chat) => shownPath(chat).map(({ content }) => content);

test("an edited question is a version of the first, each with what follows it", () => {
  const { chat, question } = begun();
  const edited = newMessage(null, "user", "two?");
  const branched = withMessages(chat, [edited]);
  assert.deepEqual(texts(branched), ["two?"]);
  assert.deepEqual(
    versions(branched, edited).map(({ content }) => content),
    ["one?", "two?"],
  );
  assert.deepEqual(texts(withChosen(branched, question)), ["one?", "one."]);
  assert.equal(chat.messages.length, 2, "what was is not changed");
});

test("answers of one round stand side by side and are one version", () => {
  const { chat, question } = begun();
  const pair = ["a", "b"].map((content) => newMessage(question.id, "assistant", content, { round: "r" }));
  const both = withMessages(chat, pair);
  assert.deepEqual(texts(both), ["one?", "a"]);
  assert.deepEqual(
    roundOf(both, pair[0]).map(({ content }) => content),
    ["a", "b"],
  );
  assert.equal(versions(both, pair[0]).length, 2);
  assert.equal(versions(both, pair[1]).length, 2);
  assert.deepEqual(texts(withChosen(both, pair[1])), ["one?", "b"]);
});

test("a model is sent the branch to the question and nothing of others", () => {
  const { chat } = begun({
    system: "Be brief.",
    sampling: { temperature: 0 },
    stop: ["END"],
    tools: '[{"type":"function"}]',
  });
  const next = newMessage(shownPath(chat).at(-1).id, "user", "two?", { images: ["data:image/png;base64,AA=="] });
  const body = requestFor(
    withMessages(withMessages(chat, [next]), [newMessage(null, "user", "elsewhere")]),
    next.id,
    "m",
  );
  assert.deepEqual(body, {
    model: "m",
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "one?" },
      { role: "assistant", content: "one." },
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } },
          { type: "text", text: "two?" },
        ],
      },
    ],
    temperature: 0,
    stop: ["END"],
    tools: [{ type: "function" }],
    stream: true,
    stream_options: { include_usage: true },
  });
});

test("an empty answer is not sent, and calls of tools are, with their results", () => {
  const { chat, answer } = begun();
  assert.equal(requestFor(withChanged(chat, answer.id, { content: "" }), answer.id, "m").messages.length, 1);
  const called = withChanged(chat, answer.id, { content: "", toolCalls: [{ id: "c", name: "f", arguments: "{}" }] });
  const result = newMessage(answer.id, "tool", "42", { toolCallId: "c" });
  const { messages } = requestFor(withMessages(called, [result]), result.id, "m");
  assert.deepEqual(messages[1].tool_calls, [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }]);
  assert.deepEqual(messages[2], { role: "tool", tool_call_id: "c", content: "42" });
});

test("reasoning is told from the answer, also while it arrives", () => {
  assert.deepEqual(splitReasoning("plain <think> text"), { reasoning: "", content: "plain <think> text" });
  assert.deepEqual(splitReasoning("<think>half"), { reasoning: "half", content: "" });
  assert.deepEqual(splitReasoning("<think>\nwhy\n</think>\n\nbecause"), { reasoning: "why", content: "because" });
});

test("titles are the first line, and words are found in titles and texts", () => {
  assert.equal(titleOf("  first\nsecond"), "first");
  assert.equal(titleOf("x".repeat(100)).length, 60);
  const { chat } = begun();
  assert.equal(chat.title, "one?");
  assert.ok(matches(chat, "ONE.") && matches(chat, "") && !matches(chat, "three"));
});

const { exportMany, exportOne, fromExport } = await bundled("chat/exchange.ts");

test("exports come back whole, also from `hearth chat`, and anything else is refused", () => {
  const { chat } = begun({ model: "m", system: "Be brief." });
  const branched = withMessages(chat, [newMessage(null, "user", "two?")]);
  assert.deepEqual(fromExport(exportOne(branched)), [branched]);
  assert.deepEqual(fromExport(exportMany([branched, chat])), [branched, chat]);
  const { tree, ...linear } = JSON.parse(exportOne(chat));
  const [taken] = fromExport(JSON.stringify(linear));
  assert.deepEqual(texts(taken), texts(chat));
  assert.deepEqual([taken.title, taken.settings.model, taken.settings.system], ["one?", "m", "Be brief."]);
  for (const text of ["", "{}", "[]", '{"format": "hearth.conversation"}', '{"format": "other", "messages": []}'])
    assert.throws(() => fromExport(text));
  assert.deepEqual(fromExport('{"format": "hearth.conversations", "conversations": [{"id": 1}, null]}'), []);
});
