// One field of the form: its label, LLaMA-Factory's name, and what the YAML says. What is left empty is not in the YAML.
import { useId } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { read, set } from "./draft";
import type { Field } from "./fields";
import { hintOf, labelOf } from "./field_text";
import { t } from "./text";
import { listOf } from "./yaml_spec";

interface FrameProps {
  name: string;
  hint?: string;
  children: (ids: { id: string; "aria-describedby": string | undefined }) => ComponentChildren;
}

export function FieldFrame({ name, hint = hintOf(name), children }: FrameProps) {
  const id = useId();
  return (
    <div class="field setting">
      <label for={id}>
        {labelOf(name)} <code>{name}</code>
      </label>
      {children({ id, "aria-describedby": hint ? `${id}-hint` : undefined })}
      {hint && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
    </div>
  );
}

function fallbackText({ fallback }: Field): string {
  if (fallback === undefined) return "";
  if (typeof fallback === "boolean") return t(fallback ? "on" : "off");
  return String(fallback);
}

function shown(value: unknown): string {
  return value === undefined || value === null ? "" : listOf(value).join(", ");
}

/** What a person typed as the value of a key; undefined: nothing. */
function typedValue({ kind }: Field, text: string): unknown {
  const trimmed = text.trim();
  if (!trimmed) return undefined;
  if (kind === "number") return Number.isFinite(Number(trimmed)) ? Number(trimmed) : undefined;
  if (kind === "switch") return trimmed === "true";
  return trimmed;
}

export function FieldView({ field }: { field: Field }) {
  const { key, kind, options, min, max, step } = field;
  const value = shown(read.value.values[key]);
  const take = (text: string) => set(key, typedValue(field, text));
  const byDefault = field.fallback === undefined ? t("default") : t("byDefault", { value: fallbackText(field) });
  const choices = kind === "switch" ? ["true", "false"] : (options ?? []);
  return (
    <FieldFrame name={key}>
      {(ids) =>
        kind === "choice" || kind === "switch" ? (
          <select {...ids} value={value} onChange={(event) => take(event.currentTarget.value)}>
            <option value="">{byDefault}</option>
            {value && !choices.includes(value) && <option value={value}>{value}</option>}
            {choices.map((choice) => (
              <option key={choice} value={choice}>
                {kind === "switch" ? t(choice === "true" ? "on" : "off") : choice}
              </option>
            ))}
          </select>
        ) : (
          <input
            {...ids}
            {...(kind === "number" ? { type: "number", min, max, step: step ?? "any" } : { type: "text" })}
            placeholder={field.fallback === undefined ? "" : fallbackText(field)}
            spellcheck={false}
            value={value}
            onChange={(event) => take(event.currentTarget.value)}
          />
        )
      }
    </FieldFrame>
  );
}
