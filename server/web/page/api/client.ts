// Requests to the daemon that served this page: the key, errors as OpenAI's object, server-sent events. Nothing else of the page calls fetch.
import { signal } from "@preact/signals";
import { createParser } from "eventsource-parser";

const KEY_NAME = "hearth.key";

/** Kept in the browser, asked for when the daemon wants one. */
export const apiKey = signal(localStorage.getItem(KEY_NAME) ?? "");
/** Set while the daemon refuses for want of a (right) key; the frame shows the dialog. */
export const keyWanted = signal(false);

export function setApiKey(key: string) {
  apiKey.value = key;
  if (key) localStorage.setItem(KEY_NAME, key);
  else localStorage.removeItem(KEY_NAME);
  keyWanted.value = false;
}

/** What the daemon refused, or that it did not answer (status 0, code "unreachable"). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly param: string | null = null,
  ) {
    super(message);
  }
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** What an answer says that is none; its text is OpenAI's error object or not ours. */
function refusal(status: number, statusText: string, text: string): ApiError {
  if (status === 401) keyWanted.value = true;
  try {
    const { error } = JSON.parse(text);
    return new ApiError(status, error.code ?? error.type, error.message, error.param);
  } catch {
    return new ApiError(status, "http_error", `${status} ${statusText}`);
  }
}

function unreachable(): ApiError {
  return new ApiError(0, "unreachable", "the daemon does not answer");
}

/** The response of a request that went well; throws ApiError, or AbortError. */
export async function request(path: string, init: RequestInit & { json?: unknown } = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (apiKey.value) headers.set("Authorization", `Bearer ${apiKey.value}`);
  if (init.json !== undefined) {
    headers.set("Content-Type", "application/json");
    init = { method: "POST", ...init, body: JSON.stringify(init.json) };
  }
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, cache: "no-store" });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw unreachable();
  }
  if (response.ok) return response;
  throw refusal(response.status, response.statusText, await response.text());
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await request(path, { signal })).json();
}

export async function post<T>(path: string, json: unknown = {}, signal?: AbortSignal): Promise<T> {
  return (await request(path, { json, signal })).json();
}

export async function getText(path: string, signal?: AbortSignal): Promise<string> {
  return (await request(path, { signal })).text();
}

/** Sends a form with files. `progress` gets the part that is sent, 0 to 1: fetch cannot tell it, the older interface can. */
export function upload<T>(path: string, form: FormData, progress: (part: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const sender = new XMLHttpRequest();
    sender.open("POST", path);
    if (apiKey.value) sender.setRequestHeader("Authorization", `Bearer ${apiKey.value}`);
    sender.upload.onprogress = ({ loaded, total }) => progress(total > 0 ? loaded / total : 0);
    sender.onerror = () => reject(unreachable());
    sender.onload = () => {
      if (sender.status >= 200 && sender.status < 300) resolve(JSON.parse(sender.responseText));
      else reject(refusal(sender.status, sender.statusText, sender.responseText));
    };
    sender.send(form);
  });
}

export async function remove(path: string): Promise<void> {
  await request(path, { method: "DELETE" });
}

/** Calls `take` with each event's data until the stream ends; an error inside it is thrown as ApiError. */
export async function stream(
  path: string,
  init: RequestInit & { json?: unknown },
  take: (data: any) => void,
): Promise<void> {
  const response = await request(path, { ...init, headers: { Accept: "text/event-stream" } });
  const parser = createParser({
    onEvent: ({ data }) => {
      if (data === "[DONE]") return;
      const event = JSON.parse(data);
      if (event.error && event.object === undefined)
        throw new ApiError(200, event.error.code ?? event.error.type, event.error.message, event.error.param);
      take(event);
    },
  });
  const decoder = new TextDecoder();
  const reader = response.body!.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
    }
  } catch (error) {
    if (isAbort(error) || error instanceof ApiError) throw error;
    throw new ApiError(0, "connection_lost", "the connection to the daemon was lost");
  } finally {
    reader.cancel().catch(() => {});
  }
}
