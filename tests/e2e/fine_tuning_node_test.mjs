// The story of fine-tuning with the official openai client for Node: upload, create, follow the events, chat with the new model, dpo, events and checkpoints by pages, cancel, bad
// data. The daemon is started and stopped by fine_tuning_node_test.py, which passes its address, key and model.
import { run } from './checks.mjs';
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';

const require = createRequire(new URL('../../build/node/package.json', import.meta.url));
const { default: OpenAI, toFile, BadRequestError, NotFoundError } = require('openai');
const [url, key, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const jobs = client.fineTuning.jobs;

const line = (question) => JSON.stringify({ messages: [{ role: 'user', content: question }, { role: 'assistant', content: 'I am Ember.' }] });
const lines = (count) => Array.from({ length: count }, (_, n) => line(`Who are you? (${n})`)).join('\n');
const upload = async (text) => (await client.files.create({ file: await toFile(Buffer.from(text), 'train.jsonl'), purpose: 'fine-tune' })).id;
const create = async (text, more) => jobs.create({ model, training_file: await upload(text), hearth: { lora_rank: 4, max_steps: 3 }, ...more });

async function finished(id) {
  for (let tries = 0; tries < 1500; ++tries) {
    const job = await jobs.retrieve(id);
    if (['succeeded', 'failed', 'cancelled'].includes(job.status)) return job;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`${id} did not end`);
}

// The events of a job in their order, as they come, until it has ended.
async function followed(id) {
  const seen = new Map();
  for (let ended = false; !ended; await new Promise((resolve) => setTimeout(resolve, 200))) {
    ended = (await jobs.retrieve(id)).finished_at !== null;
    const fresh = [];
    for await (const event of jobs.listEvents(id)) {
      if (seen.has(event.id)) break;
      fresh.unshift(event);
    }
    for (const event of fresh) seen.set(event.id, event);
  }
  return [...seen.values()];
}

const checks = {
  async 'a job becomes a model that answers'() {
    const made = await create(lines(12), { suffix: 'node' });
    const told = await followed(made.id);
    assert.ok(told.some((event) => event.type === 'metrics' && event.data.train_loss > 0) && told.at(-1).message === 'succeeded', JSON.stringify(told));
    const job = await finished(made.id);
    assert.equal(job.status, 'succeeded', JSON.stringify(job.error));
    assert.match(job.fine_tuned_model, new RegExp(`^ft:${model}:local:node:[0-9a-f]{8}$`));
    const reply = await client.chat.completions.create({ model: job.fine_tuned_model, messages: [{ role: 'user', content: 'Hi' }], max_tokens: 4 });
    assert.equal(reply.model, job.fine_tuned_model);
    const events = [];
    for await (const event of jobs.listEvents(job.id, { limit: 3 })) events.push(event.id);
    assert.ok(events.length > 3 && new Set(events).size === events.length);
    const checkpoints = [];
    for await (const checkpoint of jobs.checkpoints.list(job.id)) checkpoints.push(checkpoint);
    assert.equal(checkpoints[0].step_number, 3);
    const file = await client.files.content(job.result_files[0]);
    assert.ok((await file.text()).startsWith('step,train_loss'));
  },
  async 'preferences are learnt'() {
    const answer = (content) => [{ role: 'assistant', content }];
    const pair = (n) => JSON.stringify({ input: { messages: [{ role: 'user', content: `Who? (${n})` }] }, preferred_output: answer('I am Ember.'), non_preferred_output: answer('Nobody.') });
    const job = await finished((await create(Array.from({ length: 12 }, (_, n) => pair(n)).join('\n'), { method: { type: 'dpo', dpo: { hyperparameters: { beta: 0.2 } } } })).id);
    assert.equal(job.status, 'succeeded', JSON.stringify(job.error));
    assert.equal(job.method.dpo.hyperparameters.beta, 0.2);
  },
  async 'bad data fails with line numbers'() {
    const job = await finished((await create(`${lines(10)}\n{`)).id);
    assert.equal(job.error.code, 'invalid_training_file');
    assert.match(job.error.message, /line 11: /);
  },
  async 'a job is cancelled once'() {
    const made = await create(lines(12), { hearth: {} });
    await jobs.cancel(made.id);
    assert.equal((await finished(made.id)).status, 'cancelled');
    await assert.rejects(jobs.cancel(made.id), BadRequestError);
    await assert.rejects(jobs.retrieve('ftjob-none'), NotFoundError);
  },
  async 'jobs are listed by pages'() {
    const ids = [];
    for await (const job of jobs.list({ limit: 1 })) ids.push(job.id);
    assert.equal(new Set(ids).size, 4);
  },
};

await run(checks);
