// Which model answers, and which one beside it.
import { useSignalEffect } from "@preact/signals";
import { chatModels, families, modelsKnown, refreshModels } from "../api/models";
import { notifyError } from "../shell/notices";
import { changeSettings, current } from "./chats";
import { t } from "./text";

function Picker({
  label,
  value,
  onPick,
  none,
}: {
  label: string;
  value: string;
  onPick: (id: string) => void;
  none?: string;
}) {
  const members = families(chatModels());
  const isKnown = members.some(({ model }) => model.id === value);
  return (
    <select class="picker" aria-label={label} value={value} onChange={(event) => onPick(event.currentTarget.value)}>
      {none !== undefined && <option value="">{none}</option>}
      {!isKnown && value && <option value={value}>{value}</option>}
      {members.map(({ model: { id }, isAdapter }) => (
        <option key={id} value={id}>
          {isAdapter ? `↳ ${id}` : id}
        </option>
      ))}
    </select>
  );
}

export function ModelPicker() {
  const chat = current.value;
  useSignalEffect(() => {
    if (!modelsKnown.value) void refreshModels().catch(notifyError);
  });
  // The chosen model may be gone: of another daemon, or a deleted adapter.
  useSignalEffect(() => {
    const { settings, messages } = current.value;
    const first = chatModels()[0]?.id ?? "";
    const isGone = !chatModels().some(({ id }) => id === settings.model);
    if (modelsKnown.value && isGone && (messages.length === 0 || !settings.model) && first !== settings.model)
      changeSettings(current.value, { model: first });
  });
  const { model, compare } = chat.settings;
  return (
    <div class="pickers">
      <Picker label={t("model")} value={model} onPick={(id) => changeSettings(chat, { model: id })} />
      {compare && (
        <Picker
          label={t("compareWith")}
          value={compare}
          none={t("none")}
          onPick={(id) => changeSettings(chat, { compare: id })}
        />
      )}
    </div>
  );
}
