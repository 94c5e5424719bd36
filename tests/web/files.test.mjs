// The page as HTTP: who gets it, how it is packed, kept and confined.
import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";

const url = process.env.HEARTH_URL;
const BROWSER = { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

function get(path, headers = {}, address = url) {
  return new Promise((resolve, reject) =>
    http
      .get(address + path, { headers }, async (response) => {
        const pieces = [];
        for await (const piece of response) pieces.push(piece);
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces) });
      })
      .on("error", reject),
  );
}

test("a browser gets the page, everything else the routes", async () => {
  const page = await get("/", BROWSER);
  assert.equal(page.headers["content-type"], "text/html; charset=utf-8");
  assert.match(page.body.toString(), /^<!doctype html>/);
  assert.ok(JSON.parse((await get("/")).body).routes.includes("GET /web/{file}"));
  assert.ok(JSON.parse((await get("/", { Accept: "*/*" })).body).routes.length > 10);
});

test("the page needs no key, and shows none", async () => {
  assert.equal((await get("/", BROWSER, process.env.HEARTH_LOCKED_URL)).status, 200);
  assert.equal((await get("/v1/models", {}, process.env.HEARTH_LOCKED_URL)).status, 401);
});

test("every file that is named is there, the same packed and plain, and kept", async () => {
  const page = (await get("/", BROWSER)).body.toString();
  const names = [...page.matchAll(/(?:src|href)="(\/web\/[^"]+)"/g)].map(([, name]) => name);
  assert.ok(names.length >= 3);
  for (const name of names) {
    const plain = await get(name);
    const packed = await get(name, { "Accept-Encoding": "gzip, br" });
    assert.equal(plain.headers["content-encoding"], undefined);
    assert.equal(packed.headers["content-encoding"], "gzip");
    assert.deepEqual(gunzipSync(packed.body), plain.body);
    assert.match(plain.headers["cache-control"], /immutable/);
    assert.equal(plain.headers["x-content-type-options"], "nosniff");
  }
});

test("an unchanged page is not sent again", async () => {
  const { headers } = await get("/", BROWSER);
  assert.equal(headers["cache-control"], "no-cache");
  const again = await get("/", { ...BROWSER, "If-None-Match": headers.etag });
  assert.deepEqual([again.status, again.body.length], [304, 0]);
});

test("the policy lets nothing in from elsewhere", async () => {
  const policy = (await get("/", BROWSER)).headers["content-security-policy"];
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
});

test("an unknown file is a 404 that says what to do", async () => {
  const { status, body } = await get("/web/main-OLD.js");
  assert.equal(status, 404);
  assert.match(JSON.parse(body).error.message, /reload/);
  assert.equal((await get("/web/..%2Findex.html")).status, 404);
});
