// Chromium for the tests of the page, and what they share: pages whose errors fail the test, screenshots, accessibility checks, and a daemon that says what
// a test wants said (everything else it hands on to the real one).
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

const packages = createRequire(new URL("../../server/web/package.json", import.meta.url));
const { chromium } = packages("playwright-core");
const axe = readFileSync(packages.resolve("axe-core"), "utf8");

export const url = process.env.HEARTH_URL;
export const model = process.env.HEARTH_MODEL;
const screenshots = process.env.HEARTH_SCREENSHOTS ?? "build/dev/screenshots";
mkdirSync(screenshots, { recursive: true });

let browser;
export async function closeBrowser() {
  await browser?.close();
}

/** A page with a store of its own. What the page itself gets wrong (an exception, a breach of its policy) is thrown by `finish`. */
export async function open(address = url, options = {}) {
  browser ??= await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    locale: "en-GB",
    permissions: ["clipboard-read", "clipboard-write"],
    ...options,
  });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.stack));
  page.on("console", (message) => {
    // A refused request is logged by the browser; that the page tells of it is another test's matter.
    if (message.type() === "error" && !message.text().includes("Failed to load resource"))
      problems.push(message.text());
  });
  page.setDefaultTimeout(60_000);
  await page.goto(address);
  return {
    page,
    finish: async () => {
      await context.close();
      assert.deepEqual(problems, []);
    },
  };
}

/** Runs `test(page)` on a page of its own. */
export async function onPage(test, { address, ...options } = {}) {
  const { page, finish } = await open(address, options);
  await test(page);
  await finish();
}

export async function shot(page, name) {
  await page.screenshot({ path: join(screenshots, `${name}.png`) });
}

/** No violation that axe calls serious or critical. */
export async function assertAccessible(page, what) {
  await page.evaluate(axe); // not as a script of the page, whose policy forbids it
  const { violations } = await page.evaluate(() => window.axe.run());
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  assert.deepEqual(
    serious.map(
      ({ id, nodes }) =>
        `${what}: ${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(" | ")}`,
    ),
    [],
  );
}

/** The default model often goes on to the end of its context. */
export async function limitAnswers(page, tokens) {
  await page.getByRole("button", { name: "Settings of this chat" }).click();
  await page.getByLabel("max_tokens").fill(String(tokens));
  await page.getByLabel("max_tokens").press("Tab");
  await page.getByRole("button", { name: "Settings of this chat" }).click();
}

export async function ask(page, text) {
  await page.getByRole("textbox", { name: "Message", exact: true }).fill(text);
  await page.keyboard.press("Enter");
}

export const lastAnswer = (page) => page.locator("article.answer").last();

/** Waits for the end of the last answer. */
export async function answered(page) {
  await page.locator("article.answer[aria-busy=false]").last().locator(".actions").waitFor();
  await page.waitForFunction(() => !document.querySelector("article.answer[aria-busy=true]"));
}

/** A server before the daemon whose answers to chats are `pieces`, one every `everyMs`; the address, and close(). */
export async function scripted(pieces, everyMs = 0) {
  const { hostname, port } = new URL(url);
  const server = http.createServer(async (request, response) => {
    if (request.url !== "/v1/chat/completions") {
      const headers = {
        ...request.headers,
        host: `${hostname}:${port}`,
        ...(request.headers.origin ? { origin: url } : {}),
      };
      const onward = http.request({ hostname, port, path: request.url, method: request.method, headers }, (reply) => {
        response.writeHead(reply.statusCode, reply.headers);
        reply.pipe(response);
      });
      request.pipe(onward);
      return;
    }
    request.resume();
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    const event = (delta, rest = {}) =>
      `data: ${JSON.stringify({ object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: null, ...rest }] })}\n\n`;
    for (const content of pieces) {
      response.write(event({ content }));
      if (everyMs > 0) await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
    response.end(`${event({}, { finish_reason: "stop" })}data: [DONE]\n\n`);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
