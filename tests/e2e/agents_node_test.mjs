// What the openai client for Node has for agents: zod objects, parsed and streamed, zod functions as tools, and runTools, which runs them. As in
// agents_python_test.py only what the server guarantees is asserted. The daemon is started and stopped by agents_node_test.py, which passes its address.
import { run } from './checks.mjs';
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';

const require = createRequire(new URL('../../build/node/package.json', import.meta.url));
const { default: OpenAI } = require('openai');
const { zodResponseFormat, zodFunction } = require('openai/helpers/zod');
const { z } = require('zod');
const [url, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });

const Report = z.object({ city: z.enum(['Oslo', 'Rome']), degrees: z.int().min(-40).max(50), words: z.array(z.enum(['warm', 'cold'])).min(1).max(3) });
const Weather = z.object({ city: z.enum(['Oslo', 'Rome']), days: z.int().min(1).max(5) });
const weather = (run) => zodFunction({ name: 'weather', description: 'The weather of a city', parameters: Weather, function: run });
const named = { type: 'function', function: { name: 'weather' } };
const asked = (options) => ({ model, messages: [{ role: 'user', content: 'How warm is it in Oslo?' }], max_tokens: 200, temperature: 0, ...options });
const format = zodResponseFormat(Report, 'report');

const checks = {
  async 'parse gives an object of the format'() {
    const { choices } = await client.chat.completions.parse(asked({ response_format: format }));
    assert.equal(choices[0].finish_reason, 'stop');
    assert.deepEqual(choices[0].message.parsed, Report.parse(JSON.parse(choices[0].message.content)));
  },
  async 'a stream gives it piece by piece'() {
    const stream = client.chat.completions.stream(asked({ response_format: format }));
    const pieces = [];
    stream.on('content.delta', ({ delta }) => pieces.push(delta));
    const { message } = (await stream.finalChatCompletion()).choices[0];
    assert.ok(pieces.length > 5);
    assert.equal(pieces.join(''), message.content);
    assert.deepEqual(message.parsed, Report.parse(message.parsed));
    assert.equal(await stream.finalFunctionToolCall(), undefined);
  },
  async 'a named tool is called with arguments of its schema'() {
    const { choices } = await client.chat.completions.parse(asked({ tools: [weather()], tool_choice: named }));
    const [call, ...more] = choices[0].message.tool_calls;
    assert.equal(choices[0].finish_reason, 'tool_calls');
    assert.deepEqual(more, []);
    assert.equal(call.function.name, 'weather');
    assert.deepEqual(call.function.parsed_arguments, Weather.parse(JSON.parse(call.function.arguments)));
  },
  async 'a stream ends in the same call'() {
    const stream = client.chat.completions.stream(asked({ tools: [weather()], tool_choice: named }));
    const pieces = [];
    stream.on('tool_calls.function.arguments.delta', ({ arguments_delta }) => pieces.push(arguments_delta));
    const { choices } = await stream.finalChatCompletion();
    const [call] = choices[0].message.tool_calls;
    assert.equal(pieces.join(''), call.function.arguments);
    assert.deepEqual(call.function.parsed_arguments, Weather.parse(call.function.parsed_arguments));
    const last = await stream.finalFunctionToolCall();
    assert.equal(last.name, 'weather');
    assert.equal(last.arguments, call.function.arguments);
  },
  async 'runTools runs the function that was named'() {
    for (const stream of [false, true]) {
      const cities = [];
      const run = ({ city }) => cities.push(city) && `${city}: 4 degrees`;
      const runner = client.chat.completions.runTools(asked({ stream, tools: [weather(run)], tool_choice: named }));
      const calls = [];
      runner.on('functionToolCall', (call) => calls.push(call));
      const result = await runner.finalFunctionToolCallResult();
      assert.equal(result, `${cities[0]}: 4 degrees`);
      assert.equal(cities.length, 1);
      assert.deepEqual(calls.map((call) => call.name), ['weather']);
    }
  },
  async 'a result that is sent back is answered'() {
    const first = await client.chat.completions.parse(asked({ tools: [weather()], tool_choice: named }));
    const { role, content, tool_calls } = first.choices[0].message;
    const sent = tool_calls.map(({ id, type, function: { name, arguments: text } }) => ({ id, type, function: { name, arguments: text } }));
    const messages = [
      { role: 'user', content: 'How warm is it in Oslo?' },
      { role, content, tool_calls: sent },
      { role: 'tool', tool_call_id: tool_calls[0].id, content: '4 degrees' },
    ];
    const answer = await client.chat.completions.parse(asked({ messages, tools: [weather()], tool_choice: 'none', response_format: format }));
    assert.ok(Report.parse(answer.choices[0].message.parsed));
  },
};

await run(checks);
