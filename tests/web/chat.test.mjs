// Chatting with the default model, as a person does it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import {
  answered,
  ask,
  assertAccessible,
  closeBrowser,
  lastAnswer,
  limitAnswers,
  model,
  onPage,
  scripted,
  shot,
  url,
} from "./browser.mjs";

after(closeBrowser);

/** The conversations in the browser's store, once what was being written is written. */
const stored = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open("hearth");
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const all = opening.result.transaction("conversations").objectStore("conversations").getAll();
          all.onsuccess = () => resolve(all.result);
        };
      }),
  );

/** Blocks that are not known to be in view yet (content-visibility) have no text for a frame. */
async function shows(locator, text) {
  for (let i = 0; i < 100 && (await locator.innerText()) !== text; ++i)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(await locator.innerText(), text);
}

const button = (where, name) => where.getByRole("button", { name, exact: true });

test("the first paint takes less than 300 ms and 500 kB", async () => {
  const paints = [];
  for (let i = 0; i < 3; ++i) {
    await onPage(async (page) => {
      await page.getByRole("heading", { name: "What shall we talk about?" }).waitFor();
      const { paint, bytes, names } = await page.evaluate(() => {
        const resources = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
        const files = resources.filter(({ name }) => !name.includes("/v1/"));
        return {
          paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
          bytes: files.reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0),
          names: resources.map(({ name }) => name),
        };
      });
      paints.push(paint);
      assert.ok(bytes > 50_000 && bytes < 500_000, `${bytes} bytes uncompressed`);
      assert.deepEqual(
        names.filter((name) => !name.startsWith(url)),
        [],
      );
      if (i === 0) console.log(`assets: ${bytes} bytes uncompressed`);
    });
  }
  console.log(`first contentful paint: ${paints.map((ms) => ms.toFixed(0)).join(", ")} ms`);
  assert.ok(paints.sort((a, b) => a - b)[1] < 300, "the median of three");
});

test("an answer streams, is stopped, asked for again, and outlives a reload", () =>
  onPage(async (page) => {
    await shot(page, "chat-empty");
    await assertAccessible(page, "empty chat");
    await ask(page, "Tell me a long story about a lighthouse.");
    const text = lastAnswer(page).locator(".markdown");
    const lengths = new Set();
    for (let i = 0; i < 500 && lengths.size < 4; ++i) {
      const length = (await text.innerText()).length;
      if (length > 0) lengths.add(length);
      await page.waitForTimeout(20);
    }
    assert.ok(lengths.size >= 4, "the text grows while it is watched");
    await button(page, "Stop").click();
    await answered(page);
    assert.ok(await lastAnswer(page).getByText("Stopped").isVisible());
    const stopped = await text.innerText();
    await page.waitForTimeout(500);
    assert.equal(await text.innerText(), stopped, "nothing comes after it was stopped");

    await button(lastAnswer(page), "Ask again").click();
    await page.keyboard.press("Escape");
    await answered(page);
    assert.ok(await lastAnswer(page).getByText("2 of 2").isVisible());
    await button(lastAnswer(page), "Earlier version").click();
    await shows(text, stopped);

    const [{ messages, chosen }] = await stored(page);
    const kept = messages.find(({ content }) => content === stopped);
    assert.ok(kept && Object.values(chosen).includes(kept.id), "the version that is shown is the one that is stored");
    await page.reload();
    await lastAnswer(page).waitFor();
    await shows(text, stopped);
    assert.ok(await page.getByRole("link", { name: "Tell me a long story about a lighthouse." }).isVisible());
    await button(lastAnswer(page), "Later version").click();
    assert.ok(await lastAnswer(page).getByText("2 of 2").isVisible());
  }));

test("an edited question begins a branch, and the model is sent what is shown", () =>
  onPage(async (page) => {
    const sent = [];
    page.on("request", (request) => request.url().endsWith("/chat/completions") && sent.push(request.postDataJSON()));
    await button(page, "Settings of this chat").click();
    await page.getByLabel("System prompt").fill("Answer in one word.");
    await page.getByLabel("max_tokens").fill("8");
    await page.getByLabel("temperature").fill("0");
    await page.getByLabel("seed").fill("7");
    await ask(page, "Which city is the capital of France?");
    await answered(page);
    assert.match(
      await lastAnswer(page).locator(".stats").innerText(),
      /^\d+ tokens · [\d.]+ tokens\/s · first after [\d.]+ s$/,
    );
    await page.getByRole("textbox", { name: "Message", exact: true }).press("ArrowUp");
    await page.getByRole("textbox", { name: "Edit the message" }).fill("Which city is the capital of Italy?");
    await button(page, "Send").first().click();
    await answered(page);
    assert.match(await page.locator("article.question").innerText(), /Italy/);
    await ask(page, "And of Spain?");
    await answered(page);
    assert.deepEqual(
      sent.at(-1).messages.map(({ role }) => role),
      ["system", "user", "assistant", "user"],
    );
    assert.equal(sent.at(-1).messages[1].content, "Which city is the capital of Italy?");
    assert.deepEqual(
      [sent.at(-1).temperature, sent.at(-1).max_tokens, sent.at(-1).seed, sent.at(-1).top_p],
      [0, 8, 7, undefined],
    );
    await button(page.locator("article.question").first(), "Earlier version").click();
    assert.match(await page.locator("article.question").innerText(), /France/);
    assert.equal(await page.locator("article.question").count(), 1);
    await shot(page, "chat-settings");
    await assertAccessible(page, "chat with settings");
  }));

test("two models answer side by side, and one goes on", () =>
  onPage(async (page) => {
    await limitAnswers(page, 24);
    await button(page, "Compare two models").click();
    await ask(page, "Name a colour.");
    await answered(page);
    assert.equal(await page.locator(".side-by-side article.answer").count(), 2);
    await button(page, "Go on with this answer").click();
    assert.equal(await page.getByText("The chat goes on with this answer").count(), 1);
    await shot(page, "chat-compare");
    await assertAccessible(page, "comparison");
  }));

test("conversations are found, renamed, exported, deleted and imported", () =>
  onPage(async (page) => {
    for (const text of ["The weather in Lisbon", "Sorting algorithms"]) {
      await page.keyboard.press("Alt+n");
      await limitAnswers(page, 8);
      await ask(page, text);
      await answered(page);
    }
    const list = page.getByRole("list", { name: "Conversations" });
    assert.equal(await list.getByRole("link").count(), 2);
    await page.locator("main").focus();
    await page.keyboard.press("/");
    await page.keyboard.type("lisbon");
    assert.deepEqual(await list.getByRole("link").allInnerTexts(), ["The weather in Lisbon"]);
    await list.getByRole("link").hover();
    await button(list, "Rename").click();
    await page.getByLabel("Title").fill("Portugal");
    await button(page, "Save").click();
    await page.getByRole("searchbox").fill("");
    assert.deepEqual((await list.getByRole("link").allInnerTexts()).sort(), ["Portugal", "Sorting algorithms"]);
    const downloading = page.waitForEvent("download");
    await button(page, "Export all").click();
    const exported = await (await downloading).path();
    assert.equal(JSON.parse(await readFile(exported, "utf8")).conversations.length, 2);
    page.on("dialog", (dialog) => dialog.accept());
    for (let left = 2; left > 0; --left) {
      await list.getByRole("link").first().hover();
      await button(list, "Delete").first().click();
      assert.equal(await list.getByRole("link").count(), left - 1);
    }
    const choosing = page.waitForEvent("filechooser");
    await button(page, "Import").click();
    await (await choosing).setFiles(exported);
    await list.getByRole("link", { name: "Portugal" }).click();
    assert.match(await page.locator("article.question").innerText(), /Lisbon/);
  }));

test("what goes wrong is said as a person would", () =>
  onPage(async (page) => {
    await ask(page, "word ".repeat(12_000));
    const failure = page.getByRole("alert");
    await failure.waitFor();
    assert.match(await failure.innerText(), /longer than the model can read/);
    assert.match(await failure.innerText(), /8192/);
    await shot(page, "chat-error");
    await assertAccessible(page, "error");
    await page.keyboard.press("Alt+n");
    await limitAnswers(page, 8);
    await page.route("**/chat/completions", (route) => route.abort());
    await ask(page, "Are you there?");
    assert.match(await failure.innerText(), /hearth does not answer/);
    await page.unroute("**/chat/completions");
    await button(failure, "Try again").click();
    await answered(page);
    assert.equal(await failure.count(), 0);
  }));

test("an answer that breaks off keeps what came", async () => {
  const server = await scripted(["Once upon ", "a time"]);
  await onPage(
    async (page) => {
      await page.route("**/chat/completions", async (route) => {
        const reply = await route.fetch();
        await route.fulfill({
          response: reply,
          body: (await reply.text()).replace(/data: [^\n]*"finish_reason":"stop"[^\n]*\n\ndata: \[DONE\]\n\n/, ""),
        });
      });
      await ask(page, "A story?");
      await page.getByRole("alert").waitFor();
      assert.match(await lastAnswer(page).innerText(), /Once upon a time/);
      assert.match(await page.getByRole("alert").innerText(), /connection to hearth was lost/);
    },
    { address: server.address },
  );
  server.close();
});

test("reasoning is folded and not sent back", async () => {
  const server = await scripted(["<think>", "They greet", " me.</think>\n\n", "Hello!"]);
  await onPage(
    async (page) => {
      const sent = [];
      page.on("request", (request) => request.url().endsWith("/chat/completions") && sent.push(request.postDataJSON()));
      await ask(page, "Hi");
      await answered(page);
      assert.equal(await lastAnswer(page).locator(":scope > .markdown").innerText(), "Hello!");
      assert.equal(await page.getByText("They greet me.").isVisible(), false);
      await page.getByText("Reasoning").click();
      assert.equal(await page.getByText("They greet me.").isVisible(), true);
      await ask(page, "Again");
      await answered(page);
      assert.equal(sent.at(-1).messages[1].content, "Hello!");
    },
    { address: server.address },
  );
  server.close();
});

test("a key is asked for once", () =>
  onPage(
    async (page) => {
      await page.getByLabel("Key", { exact: true }).fill("wrong");
      await button(page, "Continue").click();
      await page.getByLabel("Key", { exact: true }).fill(process.env.HEARTH_KEY);
      await shot(page, "key");
      await assertAccessible(page, "key");
      await button(page, "Continue").click();
      await limitAnswers(page, 8);
      await ask(page, "Hello");
      await answered(page);
      await page.reload();
      await lastAnswer(page).waitFor();
      assert.equal(await page.getByRole("dialog").count(), 0);
      assert.equal(await page.getByRole("alert").count(), 0);
    },
    { address: process.env.HEARTH_LOCKED_URL },
  ));

test("dark, on a phone, in Chinese", () =>
  onPage(
    async (page) => {
      await page.getByRole("heading", { name: "聊点什么？" }).waitFor();
      await page.getByRole("textbox", { name: "消息", exact: true }).fill("你好");
      await page.keyboard.press("Enter");
      await page.waitForTimeout(1500);
      await page.keyboard.press("Escape");
      await answered(page);
      await shot(page, "chat-phone-dark-zh");
      await assertAccessible(page, "phone");
      assert.equal(
        await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
        true,
        "nothing is wider than the phone",
      );
      await button(page, "菜单").click();
      await page.getByRole("link", { name: "模型" }).waitFor();
      await page.waitForTimeout(300);
      await shot(page, "menu-phone-dark-zh");
      await assertAccessible(page, "phone menu");
    },
    { viewport: { width: 390, height: 844 }, colorScheme: "dark", locale: "zh-CN", hasTouch: true, isMobile: true },
  ));

test("the keyboard reaches everything", () =>
  onPage(async (page) => {
    await limitAnswers(page, 8);
    await ask(page, "Hello");
    await answered(page);
    await page.keyboard.press("?");
    assert.equal(
      await page.getByRole("dialog", { name: "Keyboard shortcuts" }).count(),
      0,
      "a question mark in the box is text",
    );
    await page.locator("main").focus();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    const reached = new Set();
    await page.locator("body").focus();
    for (let i = 0; i < 40; ++i) {
      await page.keyboard.press("Tab");
      reached.add(
        await page.evaluate(
          () => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent,
        ),
      );
    }
    for (const name of [
      "Skip to content",
      "Chat",
      "Train",
      "Models",
      "New chat",
      "Model",
      "Copy",
      "Ask again",
      "Edit",
      "Message",
    ])
      assert.ok(reached.has(name), `${name} is reached with Tab; these were: ${[...reached]}`);
    assert.equal(await page.getByRole("combobox", { name: "Model", exact: true }).inputValue(), model);
  }));
