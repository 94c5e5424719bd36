// Which model is trained, in which template, and what it is to learn.
import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { models } from "../api/models";
import { templateNames } from "../api/datasets";
import { read, set } from "./draft";
import { FieldFrame } from "./field_view";
import { stageText } from "./field_text";
import { STAGES } from "./fields";
import { t } from "./text";

const templates = signal<string[]>([]);
const OTHER = "\n"; // no name

export function ModelField() {
  const value = String(read.value.values.model_name_or_path ?? "");
  const isServed = models.value.some(({ id }) => id === value);
  const wantsOther = useSignal(false);
  const isOther = wantsOther.value || (value !== "" && !isServed);
  return (
    <FieldFrame name="model_name_or_path">
      {(ids) => (
        <>
          <select
            {...ids}
            value={isOther ? OTHER : value}
            onChange={(event) => {
              wantsOther.value = event.currentTarget.value === OTHER;
              if (!wantsOther.value) set("model_name_or_path", event.currentTarget.value);
            }}
          >
            {!value && !isOther && <option value="">{t("chooseModel")}</option>}
            {models.value.map(({ id }) => (
              <option key={id} value={id}>
                {id}
              </option>
            ))}
            <option value={OTHER}>{t("other")}</option>
          </select>
          {isOther && (
            <input
              type="text"
              aria-label={t("otherModel")}
              placeholder={t("otherModel")}
              spellcheck={false}
              value={value}
              onChange={(event) => set("model_name_or_path", event.currentTarget.value.trim() || undefined)}
            />
          )}
        </>
      )}
    </FieldFrame>
  );
}

export function TemplateField() {
  const value = String(read.value.values.template ?? "");
  useEffect(() => {
    if (templates.value.length === 0)
      templateNames()
        .then((names) => (templates.value = names))
        .catch(() => {}); // the name can be written in the YAML
  }, []);
  return (
    <FieldFrame name="template">
      {(ids) => (
        <select {...ids} value={value} onChange={(event) => set("template", event.currentTarget.value || undefined)}>
          <option value="">{t("automatic")}</option>
          {value && !templates.value.includes(value) && <option value={value}>{value}</option>}
          {templates.value.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      )}
    </FieldFrame>
  );
}

export function StageField() {
  const value = String(read.value.values.stage ?? "sft");
  return (
    <FieldFrame name="stage" hint={stageText(value)[1]}>
      {(ids) => (
        <select {...ids} value={value} onChange={(event) => set("stage", event.currentTarget.value)}>
          {!STAGES.includes(value) && <option value={value}>{value}</option>}
          {STAGES.map((stage) => (
            <option key={stage} value={stage}>
              {stageText(stage)[0]} ({stage})
            </option>
          ))}
        </select>
      )}
    </FieldFrame>
  );
}
