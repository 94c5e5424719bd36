// The models and what the daemon does.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertAccessible, closeBrowser, model, onPage, shot } from "./browser.mjs";

after(closeBrowser);

test("models are shown with their state, the daemon with its memory, a pull with its end", { timeout: 120_000 }, () =>
  onPage(async (page) => {
    await page.getByRole("link", { name: "Models", exact: true }).click();
    const row = page.locator("main .model", { hasText: model }).first();
    await row.getByText("tokens of context").waitFor();
    assert.ok(await row.getByText("in memory").isVisible());
    await page.getByRole("progressbar", { name: "Memory of models" }).waitFor();
    await page.getByLabel("Name of the model").fill("not a name");
    await page.getByRole("button", { name: "Pull", exact: true }).click();
    await page.getByText("not a name").first().waitFor();
    await assertAccessible(page, "models");
    await shot(page, "models");
    await row.getByRole("button", { name: `Chat with ${model}` }).click();
    assert.equal(await page.getByRole("combobox", { name: "Model", exact: true }).inputValue(), model);
  }),
);
