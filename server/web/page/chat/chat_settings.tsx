// The system prompt, how tokens are drawn, tools: of this conversation. What is left empty is the daemon's default.
import { useSignal } from "@preact/signals";
import { findModel } from "../api/models";
import { changeSettings, current } from "./chats";
import { NO_SETTINGS, SAMPLING, type SamplingKey } from "./conversation";
import { t } from "./text";

const RANGES: Record<SamplingKey, { min?: number; max?: number; step: number }> = {
  temperature: { min: 0, max: 2, step: 0.05 },
  top_p: { min: 0, max: 1, step: 0.01 },
  top_k: { min: 0, step: 1 },
  min_p: { min: 0, max: 1, step: 0.01 },
  max_tokens: { min: 1, step: 1 },
  seed: { min: 0, step: 1 },
  repetition_penalty: { min: 0, max: 2, step: 0.01 },
  frequency_penalty: { min: -2, max: 2, step: 0.05 },
  presence_penalty: { min: -2, max: 2, step: 0.05 },
};

/** What is wrong with a list of tools; empty when nothing is. */
function problemOf(tools: string): string {
  if (!tools.trim()) return "";
  try {
    return Array.isArray(JSON.parse(tools)) ? "" : "[…]";
  } catch (error) {
    return (error as Error).message;
  }
}

function Tools() {
  const chat = current.value;
  const typed = useSignal(chat.settings.tools);
  const problem = problemOf(typed.value);
  return (
    <label class="field">
      <span>{t("tools")}</span>
      <textarea
        class="code"
        rows={5}
        spellcheck={false}
        placeholder={t("toolsHint")}
        value={typed.value}
        aria-invalid={problem !== ""}
        onInput={(event) => {
          typed.value = event.currentTarget.value;
          if (!problemOf(typed.value)) changeSettings(chat, { tools: typed.value });
        }}
      />
      {problem && <span class="failure-text">{t("toolsBad", { problem })}</span>}
    </label>
  );
}

export function ChatSettings() {
  const chat = current.value;
  const { sampling, system, stop } = chat.settings;
  const defaults: Partial<Record<SamplingKey, number>> = findModel(chat.settings.model)?.chat_sampling ?? {};
  const set = (key: SamplingKey, text: string) => {
    const { [key]: _, ...rest } = sampling;
    const value = Number(text);
    changeSettings(chat, { sampling: text.trim() && Number.isFinite(value) ? { ...rest, [key]: value } : rest });
  };
  return (
    <aside class="panel" aria-label={t("settings")} key={chat.id}>
      <label class="field">
        <span>{t("system")}</span>
        <textarea
          rows={5}
          placeholder={t("systemHint")}
          value={system}
          onInput={(event) => changeSettings(chat, { system: event.currentTarget.value })}
        />
      </label>
      <fieldset>
        <legend>{t("sampling")}</legend>
        <div class="pairs">
          {SAMPLING.map((key) => (
            <label key={key} class="field">
              <span class="code">{key}</span>
              <input
                type="number"
                {...RANGES[key]}
                placeholder={String(defaults[key] ?? t("default"))}
                value={sampling[key] ?? ""}
                onChange={(event) => set(key, event.currentTarget.value)}
              />
            </label>
          ))}
        </div>
        <label class="field">
          <span>{t("stopWords")}</span>
          <textarea
            class="code"
            rows={2}
            value={stop.join("\n")}
            onChange={(event) =>
              changeSettings(chat, { stop: event.currentTarget.value.split("\n").filter((word) => word) })
            }
          />
        </label>
      </fieldset>
      <Tools />
      <button
        onClick={() =>
          changeSettings(chat, { ...NO_SETTINGS, model: chat.settings.model, compare: chat.settings.compare })
        }
      >
        {t("reset")}
      </button>
    </aside>
  );
}
