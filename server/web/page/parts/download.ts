import { apiKey, request } from "../api/client";

function click(href: string, name: string) {
  const link = document.createElement("a");
  link.href = href;
  link.download = name;
  link.click();
}

/** Lets the browser save `content` as a file. */
export function download(name: string, content: Blob) {
  const url = URL.createObjectURL(content);
  click(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** Lets the browser save what the daemon has at `path`: by itself, or, where a key must go along, through the memory of this page. */
export async function downloadFrom(path: string, name: string): Promise<void> {
  if (apiKey.value) download(name, await (await request(path)).blob());
  else click(path, name);
}

/** The files that a person chooses; none when the dialog is left. */
export function chooseFiles(accept: string, several = false): Promise<File[]> {
  return new Promise((resolve) => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = accept;
    input.multiple = several;
    input.addEventListener("change", () => resolve([...(input.files ?? [])]));
    input.addEventListener("cancel", () => resolve([]));
    input.click();
  });
}
