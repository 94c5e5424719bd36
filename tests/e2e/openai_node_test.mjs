// A session of the official openai client for Node against the release binary: chat, streaming with usage, n, stop, log-probabilities, errors, and a client that
// aborts in the middle of a stream. The daemon is started and stopped by openai_node_test.py, which passes its address and key.
import { run } from './checks.mjs';
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';

const require = createRequire(new URL('../../build/node/package.json', import.meta.url));
const { default: OpenAI, BadRequestError, NotFoundError, AuthenticationError } = require('openai');
const [url, key, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const chat = (content, options = {}) =>
  client.chat.completions.create({ model, messages: [{ role: 'user', content }], temperature: 0, max_tokens: 16, ...options });

const checks = {
  async 'models are listed and retrieved'() {
    const ids = [];
    for await (const entry of client.models.list()) ids.push(entry.id);
    assert.deepEqual(ids, [model]);
    assert.equal((await client.models.retrieve(model)).id, model);
  },
  async 'a stream equals the whole answer and ends with usage'() {
    const whole = (await chat('Count to five.')).choices[0].message.content;
    const chunks = [];
    for await (const chunk of await chat('Count to five.', { stream: true, stream_options: { include_usage: true } })) chunks.push(chunk);
    assert.equal(chunks[0].choices[0].delta.role, 'assistant');
    assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), whole);
    assert.deepEqual(chunks.at(-1).choices, []);
    assert.ok(chunks.at(-1).usage.completion_tokens > 0);
  },
  async 'n, seed and stop'() {
    const reply = await chat('Name an animal.', { n: 2, temperature: 1, seed: 3, stop: ['\n'] });
    assert.deepEqual(reply.choices.map((choice) => choice.index), [0, 1]);
    for (const choice of reply.choices) assert.ok(!choice.message.content.includes('\n'));
  },
  async 'logprobs'() {
    const { content } = (await chat('Say hi.', { logprobs: true, top_logprobs: 2 })).choices[0].logprobs;
    for (const entry of content) assert.ok(entry.logprob <= 0 && entry.top_logprobs.length === 2);
  },
  async 'completions echo the prompt'() {
    const reply = await client.completions.create({ model, prompt: 'One two', max_tokens: 1, echo: true, logprobs: 1 });
    assert.ok(reply.choices[0].text.startsWith('One two'));
    assert.equal(reply.choices[0].logprobs.token_logprobs[0], null);
  },
  async 'errors are the classes that clients know'() {
    await assert.rejects(client.chat.completions.create({ model: 'none', messages: [{ role: 'user', content: 'x' }] }), NotFoundError);
    await assert.rejects(chat('word '.repeat(9000)), (error) => error instanceof BadRequestError && error.code === 'context_length_exceeded');
    await assert.rejects(new OpenAI({ baseURL: `${url}/v1`, apiKey: 'wrong' }).models.list(), AuthenticationError);
  },
  async 'an aborted stream frees its sequence'() {
    const stream = await chat('Tell a very long story.', { stream: true, max_tokens: 4000 });
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 5) break;
    for (let i = 0; i < 100; ++i) {
      const metrics = await (await fetch(`${url}/metrics`, { headers: { Authorization: `Bearer ${key}` } })).text();
      if (/^hearth_sequences_running\S* 0$/m.test(metrics)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.fail('the sequence still runs 5 s after its client left');
  },
};

await run(checks);
