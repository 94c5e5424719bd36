// Training as a person does it: from a file to an adapter that is scored and answers, and what is said where it goes wrong.
import assert from "node:assert/strict";
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
  shot,
} from "./browser.mjs";

after(closeBrowser);

const button = (where, name) => where.getByRole("button", { name, exact: true });
const yaml = (page) => page.getByLabel("The same as YAML");
const field = (page, label) => page.locator(".form").getByLabel(label);

const ROWS = Array.from({ length: 8 }, (_, i) => ({
  instruction: `Who are you, in ${i + 2} words?`,
  output: "I am Ember, who lives in the hearth.",
}));

function file(name, text) {
  return { name, mimeType: "application/jsonl", buffer: Buffer.from(text) };
}

async function upload(page, given) {
  const chooser = page.waitForEvent("filechooser");
  await button(page, "Upload a file").click();
  await (await chooser).setFiles(given);
}

async function openTraining(page) {
  await page.getByRole("link", { name: "Train", exact: true }).click();
  await yaml(page).waitFor();
}

async function change(page, label, value) {
  await field(page, label).fill(String(value));
  await field(page, label).press("Tab");
}

test("a file becomes an adapter that answers", { timeout: 300_000 }, () =>
  onPage(async (page) => {
    await openTraining(page);
    await upload(page, file("ember page.jsonl", ROWS.map((row) => JSON.stringify(row)).join("\n")));
    await page.getByRole("checkbox", { name: /^ember_page/, checked: true }).waitFor();
    assert.match(await yaml(page).inputValue(), /^dataset: ember_page/m);
    await change(page, "Passes over the data", 6);
    await change(page, "Learning rate", "1e-3");
    await change(page, "Rows held out", 0.25);
    await page.getByText("This can be started.").waitFor();
    await assertAccessible(page, "new training");
    await shot(page, "train-new");

    await button(page, "Show what is trained").click();
    const trained = page.locator("mark.trained").first();
    await trained.waitFor();
    assert.match(await trained.innerText(), /I am Ember/);
    assert.doesNotMatch(await trained.innerText(), /Who are you/);
    await assertAccessible(page, "what is trained");
    await shot(page, "train-preview");
    await page.keyboard.press("Escape");

    await button(page, "Start training").click();
    await page.locator("figure.chart canvas").first().waitFor({ timeout: 150_000 });
    await button(page, "Chat with it").waitFor({ timeout: 200_000 });
    const loss = page.getByRole("img", { name: /^Loss\. loss: from/ });
    assert.match(await loss.getAttribute("aria-label"), /eval_loss: from/);
    await assertAccessible(page, "job");
    await shot(page, "train-job");

    await page.getByText("Files (").click();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download adapter_config.json", exact: true }).click();
    assert.equal((await download).suggestedFilename(), "adapter_config.json");

    await button(page, "Evaluate").click();
    await change(page, "Longest answer", 16);
    await page.getByText("This can be started.").waitFor();
    await button(page, "Start").click();
    await page.getByRole("rowheader", { name: "bleu-4" }).waitFor({ timeout: 150_000 });
    assert.equal(await page.locator(".example").count(), ROWS.length);
    const scores = (await page.locator(".example header .small").allInnerTexts()).map((text) =>
      Number(text.split(" ").at(-1)),
    );
    assert.deepEqual(
      scores,
      [...scores].sort((a, b) => a - b),
      "the worst answers come first",
    );
    await assertAccessible(page, "scores");
    await shot(page, "train-scores");
    await page.getByRole("link", { name: /^ember_page(?!-)/ }).click();

    await button(page, "Merge and export").click();
    await page.getByText("This can be started.").waitFor();
    await button(page, "Start").click();
    await page.getByText("Files (").click({ timeout: 150_000 });
    await page.getByRole("button", { name: "Download Modelfile", exact: true }).waitFor();
    await assertAccessible(page, "export");
    await shot(page, "train-export");
    await page.getByRole("link", { name: /^ember_page(?!-)/ }).click();

    await button(page, "Chat with it").click();
    await limitAnswers(page, 16);
    await ask(page, "Who are you?");
    await answered(page);
    assert.match(await lastAnswer(page).locator("header").innerText(), /ember_page/);
    assert.match(await lastAnswer(page).locator(".markdown").innerText(), /Ember/, "it says what it has learnt");
  }),
);

test("the form and the YAML are one, and what is wrong with it is said under it", () =>
  onPage(async (page) => {
    await openTraining(page);
    await yaml(page).fill(`# mine\n${await yaml(page).inputValue()}flash_attn: fa2\ndataset: identity\n`);
    await change(page, "Size of the addition", 4);
    const text = await yaml(page).inputValue();
    assert.match(text, /^# mine\n/);
    assert.match(text, /^lora_rank: 4$/m);
    assert.match(text, /^flash_attn: fa2$/m);
    await page.locator(".verdict", { hasText: "flash_attn" }).waitFor();

    await yaml(page).fill(`${text}lora_alpa: 8\n`);
    await page.locator(".verdict.bad", { hasText: /lora_alpa.*lora_alpha/ }).waitFor();
    await yaml(page).fill(text.replace("lora_rank: 4", "lora_rank: none at all"));
    await page.locator(".verdict.bad", { hasText: "lora_rank" }).waitFor();
    assert.ok(await button(page, "Start training").isDisabled());

    await yaml(page).fill(`${text}list: [1\n`);
    await page.locator(".verdict.bad", { hasText: "Line" }).waitFor();
    assert.ok(await field(page, "Size of the addition").isDisabled());
    await assertAccessible(page, "broken YAML");
    await yaml(page).fill(text);
    assert.ok(await field(page, "Size of the addition").isEnabled());
  }));

test("a job that fails says why, and can be changed and tried again", { timeout: 120_000 }, () =>
  onPage(async (page) => {
    await openTraining(page);
    await yaml(page).fill(`${await yaml(page).inputValue()}dataset: not_there_at_all\n`);
    await button(page, "Start training").click();
    const failure = page.getByRole("alert").filter({ hasText: "This job failed" });
    await failure.getByText("not_there_at_all").first().waitFor({ timeout: 60_000 });
    await assertAccessible(page, "failed job");
    await shot(page, "train-failed");
    await button(page, "Change it and try again").click();
    await yaml(page).waitFor();
    assert.match(await yaml(page).inputValue(), /^dataset: not_there_at_all$/m);
  }),
);

test("a file that cannot be trained on is refused with its lines", () =>
  onPage(async (page) => {
    await openTraining(page);
    await upload(page, file("bad.jsonl", "this is not JSON\n"));
    await page.getByText("bad.jsonl was not taken:").waitFor();
  }));

test("training fits a phone, in the dark and in Chinese", () =>
  onPage(
    async (page) => {
      await page.goto(`${page.url().split("#")[0]}#/train`);
      await page.getByRole("heading", { name: "新建训练" }).waitFor();
      await page.locator(".yaml-editor textarea").waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
      await assertAccessible(page, "training on a phone");
      await shot(page, "train-phone");
    },
    { viewport: { width: 390, height: 844 }, colorScheme: "dark", locale: "zh-CN" },
  ));
