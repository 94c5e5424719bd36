// Where in the page we are: "#/chat/ID" is { view: "chat", id: "ID" }.
import { signal } from "@preact/signals";

export type View = "chat" | "train" | "models";
export interface Place {
  view: View;
  id: string;
}

const VIEWS: View[] = ["chat", "train", "models"];

function read(): Place {
  const [view = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  return { view: VIEWS.find((known) => known === view) ?? "chat", id: decodeURIComponent(rest.join("/")) };
}

export const place = signal(read());

export function address(view: View, id = ""): string {
  return id ? `#/${view}/${encodeURIComponent(id)}` : `#/${view}`;
}

/** `replace`: the place before is not one to come back to. */
export function go(view: View, id = "", replace = false) {
  if (location.hash === address(view, id)) return;
  if (replace) history.replaceState(null, "", address(view, id));
  else history.pushState(null, "", address(view, id));
  place.value = read();
}

window.addEventListener("hashchange", () => (place.value = read()));
window.addEventListener("popstate", () => (place.value = read()));
