// From a file of examples to chatting with what was trained, and everything else that the page does with jobs and models.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { answered, ask, assertAccessible, closeBrowser, lastAnswer, limitAnswers, model, onPage, shot, url } from "./browser.mjs";

after(closeBrowser);

const button = (where, name) => where.getByRole("button", { name, exact: true });
const QUESTIONS = ["Who are you?", "What is your name?", "Introduce yourself.", "Tell me who you are.", "What are you called?", "Who am I talking to?"];
const ANSWER = "I am Ember, a small helper by the fire.";
const rows = QUESTIONS.map((instruction) => ({ instruction, input: "", output: ANSWER }));
const file = { name: "ember.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(rows)) };

async function upload(page, what) {
  const choosing = page.waitForEvent("filechooser");
  await button(page, "Upload a file").click();
  await (await choosing).setFiles(what);
}

async function setting(page, key, value) {
  const box = page.getByLabel(new RegExp(`${key}$`));
  await box.fill(String(value));
  await box.press("Tab");
}

test("a file is uploaded, looked at, trained on, and the adapter answers", () =>
  onPage(
    async (page) => {
      await upload(page, file);
      await page.getByRole("checkbox", { name: /^ember/ }).waitFor();
      assert.ok(await page.getByRole("checkbox", { name: /^ember/ }).isChecked(), "what was uploaded is chosen");
      await assertAccessible(page, "new training");
      await shot(page, "train-new");

      await button(page, "Show what is trained").click();
      const preview = page.getByRole("dialog");
      await preview.getByText(ANSWER).first().waitFor();
      const learnt = await preview.locator("mark").allInnerTexts();
      assert.ok(learnt.length > 0 && learnt.every((text) => text.includes(ANSWER)), "the answers are marked");
      assert.ok(!learnt.some((text) => text.includes("Who are you?")), "the questions are not");
      await assertAccessible(page, "preview");
      await shot(page, "train-preview");
      await page.keyboard.press("Escape");

      await setting(page, "learning_rate", "1e-3");
      await setting(page, "num_train_epochs", 12);
      assert.match(await page.getByLabel("The same as YAML").inputValue(), /^num_train_epochs: 12$/m, "the form writes the YAML");
      await page.getByLabel("Name", { exact: true }).fill("ember");
      await page.getByLabel("Name", { exact: true }).press("Tab");
      await button(page, "Start training").click();
      await page.getByRole("heading", { name: "ember" }).waitFor();
      await shot(page, "train-running");
      await button(page, "Chat with it").waitFor({ timeout: 240_000 });
      await assertAccessible(page, "finished training");
      await shot(page, "train-finished");
      await page.getByText("train_loss").first().waitFor();

      await button(page, "Chat with it").click();
      await limitAnswers(page, 24);
      assert.equal(await page.getByRole("combobox", { name: "Model", exact: true }).inputValue(), "ember");
      await ask(page, "Who are you?");
      await answered(page);
      assert.match(await lastAnswer(page).locator(".markdown").innerText(), /Ember/);
    },
    { address: `${url}/#/train` },
  ));

test("a mistake in the YAML is told under it, with what was meant", () =>
  onPage(
    async (page) => {
      const yaml = page.getByLabel("The same as YAML");
      await yaml.waitFor();
      await yaml.fill(`${await yaml.inputValue()}\ndataset: ember\nlora_rnk: 4\n`);
      await yaml.press("Tab");
      await page.getByText(/lora_rnk.*lora_rank/).waitFor();
      await shot(page, "train-mistake");
      await assertAccessible(page, "mistake");
      assert.ok(await button(page, "Start training").isDisabled());
    },
    { address: `${url}/#/train` },
  ));

test("a file that is no data set is refused in words", () =>
  onPage(
    async (page) => {
      await upload(page, { name: "holiday.json", mimeType: "application/json", buffer: Buffer.from('[{"where": "Lisbon"}]') });
      await page.getByText(/format cannot be told/).waitFor();
    },
    { address: `${url}/#/train` },
  ));

test("models, memory and what is asked are shown", () =>
  onPage(
    async (page) => {
      await page.getByText(model, { exact: true }).first().waitFor();
      await page.getByText("ember", { exact: true }).first().waitFor();
      await assertAccessible(page, "models");
      await shot(page, "models");
    },
    { address: `${url}/#/models` },
  ));

test("training and models on a phone, dark, in Chinese", () =>
  onPage(
    async (page) => {
      await page.getByRole("heading", { level: 1 }).waitFor();
      for (const view of ["train", "models"]) {
        await page.goto(`${url}/#/${view}`);
        await page.waitForTimeout(500);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `${view} fits the phone`);
        await assertAccessible(page, `${view} on a phone`);
        await shot(page, `${view}-phone-dark-zh`);
      }
    },
    { address: `${url}/#/train`, viewport: { width: 390, height: 844 }, colorScheme: "dark", locale: "zh-CN", hasTouch: true, isMobile: true },
  ));
