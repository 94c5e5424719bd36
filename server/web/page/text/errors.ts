// What went wrong, as a person would say it: what to do first, then the daemon's own words.
import { ApiError } from "../api/client";
import { translator } from ".";

const t = translator(
  {
    unreachable: "hearth does not answer. Is `hearth serve` still running?",
    connectionLost: "The connection to hearth was lost in the middle of the answer.",
    key: "This hearth asks for an API key.",
    permission: "Your API key does not allow this.",
    context: "This conversation is longer than the model can read. Start a new chat, or shorten it.",
    model: "This model is not here any more. Choose another one.",
    loading: "The model is still being loaded. Try again in a moment.",
    busy: "hearth is busy with other requests. Try again in a moment.",
    shuttingDown: "hearth is shutting down.",
    rate: "Too many requests with this key. Try again in a moment.",
    refused: "hearth did not accept this.",
    failed: "Something went wrong.",
  },
  {
    unreachable: "hearth 没有响应。`hearth serve` 还在运行吗？",
    connectionLost: "回答途中与 hearth 的连接中断了。",
    key: "此 hearth 需要 API 密钥。",
    permission: "你的 API 密钥没有此权限。",
    context: "对话超出了模型的上下文长度。请新建对话或缩短内容。",
    model: "该模型已不存在，请选择其他模型。",
    loading: "模型仍在加载，请稍后重试。",
    busy: "hearth 正忙于处理其他请求，请稍后重试。",
    shuttingDown: "hearth 正在关闭。",
    rate: "该密钥的请求过多，请稍后重试。",
    refused: "hearth 未接受此请求。",
    failed: "出错了。",
  },
);

const BY_CODE: Record<string, Parameters<typeof t>[0]> = {
  unreachable: "unreachable",
  connection_lost: "connectionLost",
  invalid_api_key: "key",
  permission_denied: "permission",
  context_length_exceeded: "context",
  model_not_found: "model",
  model_loading: "loading",
  server_overloaded: "busy",
  shutting_down: "shuttingDown",
  rate_limit_exceeded: "rate",
};

export interface Explained {
  headline: string;
  /** The daemon's words; empty where it said none. */
  details: string;
}

export function explain(error: unknown): Explained {
  const details = error instanceof Error ? error.message : String(error);
  if (!(error instanceof ApiError)) return { headline: t("failed"), details };
  const known = BY_CODE[error.code];
  if (known) return { headline: t(known), details: error.status === 0 ? "" : details };
  return { headline: t(error.status >= 400 && error.status < 500 ? "refused" : "failed"), details };
}
