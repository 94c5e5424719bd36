// Asks for the API key, once: when the daemon first refuses for want of one.
import { useSignal } from "@preact/signals";
import { apiKey, keyWanted, setApiKey } from "../api/client";
import { Dialog } from "../parts/dialog";
import { t } from "./text";

export function KeyDialog() {
  const typed = useSignal("");
  return (
    <Dialog open={keyWanted.value} title={t("keyTitle")} onClose={() => (keyWanted.value = false)}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          setApiKey(typed.value.trim());
          location.reload();
        }}
      >
        <p>{t("keyAsked")}</p>
        <label class="field">
          <span>{t("keyLabel")}</span>
          <input
            type="password"
            autocomplete="off"
            required
            value={typed.value || apiKey.value}
            onInput={(event) => (typed.value = event.currentTarget.value)}
          />
        </label>
        <div class="buttons">
          <button class="primary" type="submit">
            {t("keySave")}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
