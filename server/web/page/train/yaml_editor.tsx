// The YAML itself, and what is wrong with it.
import { useEffect, useId } from "preact/hooks";
import { CircleAlert, CircleCheck } from "lucide";
import { chooseFiles } from "../parts/download";
import { Icon } from "../parts/icon";
import { notifyError } from "../shell/notices";
import { check, keepChecked } from "./checked";
import { begin, change, draft, read, startAnew, unusedName } from "./draft";
import { t } from "./text";
import type { Problem } from "./yaml_spec";

function problemText({ message, line }: Problem): string {
  if (message === "key: value") return t("mustBeMap");
  return line === null ? t("notYaml", { message }) : t("syntax", { line, message });
}

function Bad({ text }: { text: string }) {
  return (
    <p class="verdict bad">
      <Icon of={CircleAlert} />
      <span>{text}</span>
    </p>
  );
}

function Verdict() {
  const { problem } = read.value;
  const now = check.value;
  if (problem) return <Bad text={problemText(problem)} />;
  if (now.state === "bad") return <Bad text={now.message} />;
  if (now.state === "incomplete")
    return <p class="verdict quiet">{t(now.lacks === "model" ? "chooseModel" : "chooseData")}</p>;
  if (now.state === "checking") return <p class="verdict quiet">{t("checking")}</p>;
  if (now.state === "none") return null;
  return (
    <>
      <p class="verdict good">
        <Icon of={CircleCheck} />
        <span>{t("good")}</span>
      </p>
      {now.warnings.map((warning) => (
        <p key={warning} class="verdict quiet">
          {warning}
        </p>
      ))}
    </>
  );
}

async function open() {
  const [file] = await chooseFiles(".yaml,.yml");
  if (!file) return;
  try {
    begin(await file.text(), unusedName(file.name.replace(/\.ya?ml$/, "")), draft.value.directory);
  } catch (error) {
    notifyError(error);
  }
}

export function YamlEditor() {
  const id = useId();
  const { spec } = draft.value;
  useEffect(keepChecked, []);
  return (
    <section class="yaml-editor">
      <label class="label" for={id}>
        {t("yamlLabel")}
      </label>
      <p class="hint" id={`${id}-hint`}>
        {t("yamlHint")}
      </p>
      <textarea
        id={id}
        class="code"
        aria-describedby={`${id}-hint ${id}-verdict`}
        aria-invalid={read.value.problem !== null || check.value.state === "bad"}
        spellcheck={false}
        autocapitalize="off"
        rows={Math.min(40, Math.max(12, spec.split("\n").length + 1))}
        value={spec}
        onInput={(event) => change({ spec: event.currentTarget.value })}
      />
      <div id={`${id}-verdict`} role="status">
        <Verdict />
      </div>
      <div class="yaml-actions">
        <button class="plain" onClick={open}>
          {t("openYaml")}
        </button>
        <button class="plain" onClick={() => confirm(t("freshSure")) && startAnew()}>
          {t("fresh")}
        </button>
      </div>
    </section>
  );
}
