// What the keyboard does.
import { signal } from "@preact/signals";
import { Dialog } from "../parts/dialog";
import { t } from "./text";

export const shortcutsShown = signal(false);

export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

window.addEventListener("keydown", (event) => {
  if (event.key === "?" && !isTyping(event.target)) shortcutsShown.value = true;
});

export function Shortcuts() {
  const rows: [string[], string][] = [
    [["Enter"], t("send")],
    [["Shift", "Enter"], t("newLine")],
    [["Esc"], t("stop")],
    [["Alt", "N"], t("newChat")],
    [["/"], t("search")],
    [["↑"], t("editLast")],
    [["?"], t("help")],
  ];
  return (
    <Dialog open={shortcutsShown.value} title={t("shortcuts")} onClose={() => (shortcutsShown.value = false)}>
      <dl class="shortcuts">
        {rows.map(([keys, does]) => (
          <div key={does}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
