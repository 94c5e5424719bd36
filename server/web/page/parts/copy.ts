import { notify, notifyError } from "../shell/notices";
import { translator } from "../text";

const t = translator({ copied: "Copied" }, { copied: "已复制" });

export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    notify(t("copied"));
  } catch (error) {
    notifyError(error);
  }
}
