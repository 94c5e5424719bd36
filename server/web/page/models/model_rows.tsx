// The models that the daemon knows, adapters below their base.
import { useEffect, useRef } from "preact/hooks";
import { MessageSquare, Trash2 } from "lucide";
import { remove } from "../api/client";
import { families, models, refreshModels, type Member, type Model } from "../api/models";
import { newChat } from "../chat/chats";
import { IconButton } from "../parts/button";
import { notify, notifyError } from "../shell/notices";
import { place } from "../shell/route";
import { jobs } from "../train/jobs";
import { bytes, number } from "../text";
import { t } from "./text";

function about({
  max_model_len: context,
  capabilities,
  input_modalities: inputs,
  memory_bytes: memory,
  template,
}: Model) {
  const parts = [
    memory ? bytes(memory) : "",
    context ? t("context", { tokens: number(context) }) : "",
    capabilities?.chat ? t("chats") : capabilities?.completions ? t("completes") : "",
    capabilities?.score ? t("scores") : "",
    inputs?.includes("image") ? t("sees") : "",
    template ? t("template", { name: template }) : "",
  ];
  return parts.filter((part) => part).join(" · ");
}

/** Made by a job here: those alone can be deleted. An adapter may be; the daemon refuses those that it was given. */
function isTrained({ parent, id }: Model): boolean {
  return Boolean(parent) || id.startsWith("ft:") || jobs.value.some(({ result }) => result?.served_as === id);
}

async function discard(name: string): Promise<void> {
  await remove(`/v1/models/${name.split("/").map(encodeURIComponent).join("/")}`);
  notify(t("removed", { name }));
  await refreshModels();
}

function Row({ model, isAdapter }: Member) {
  const { id, state, parent, capabilities } = model;
  const row = useRef<HTMLLIElement>(null);
  const isLookedAt = place.value.id === id;
  useEffect(() => {
    if (isLookedAt) row.current?.scrollIntoView({ block: "nearest" });
  }, [isLookedAt]);
  return (
    <li ref={row} class={`model ${isAdapter ? "adapter" : ""} ${isLookedAt ? "looked-at" : ""}`}>
      <div>
        <p>
          <b>{id}</b> <span class={`model-state ${state}`}>{t(state)}</span>
        </p>
        <p class="quiet small">
          {[isAdapter ? t("adapter", { parent: parent ?? "" }) : "", about(model)].filter((part) => part).join(" · ")}
        </p>
      </div>
      <div class="model-actions">
        {(capabilities?.chat ?? true) && (
          <IconButton icon={MessageSquare} label={t("chatWith", { name: id })} onClick={() => newChat({ model: id })} />
        )}
        {isTrained(model) && (
          <IconButton
            icon={Trash2}
            label={t("remove", { name: id })}
            onClick={() => confirm(t("removeSure", { name: id })) && discard(id).catch(notifyError)}
          />
        )}
      </div>
    </li>
  );
}

export function ModelRows() {
  if (models.value.length === 0) return <p class="quiet">{t("none")}</p>;
  return (
    <ul class="models">
      {families(models.value).map((member) => (
        <Row key={member.model.id} {...member} />
      ))}
    </ul>
  );
}
