// The frame around every view: where one can go, the view's own list, and what belongs to the page as a whole. Views other than the chat are fetched
// when they are first looked at.
import { signal, useSignalEffect } from "@preact/signals";
import type { ComponentType } from "preact";
import { type IconNode, Flame, Keyboard, KeyRound, Menu, MessageSquare, Boxes, Dumbbell, X } from "lucide";
import { Icon } from "../parts/icon";
import { apiKey, setApiKey } from "../api/client";
import { ChatList, ChatView } from "../chat/chat_view";
import { IconButton } from "../parts/button";
import { language, type Language } from "../text";
import { KeyDialog } from "./key_dialog";
import { Notices } from "./notices";
import { address, place, type View } from "./route";
import { theme, type Theme } from "./settings";
import { Shortcuts, shortcutsShown } from "./shortcuts";
import { t } from "./text";

interface Parts {
  List: ComponentType;
  Main: ComponentType;
}

const loaded = signal<Partial<Record<View, Parts | "failed">>>({ chat: { List: ChatList, Main: ChatView } });
const LOADERS: Record<Exclude<View, "chat">, () => Promise<Parts>> = {
  train: () => import("../train/train_view").then(({ TrainList, TrainView }) => ({ List: TrainList, Main: TrainView })),
  models: () =>
    import("../models/models_view").then(({ ModelsList, ModelsView }) => ({ List: ModelsList, Main: ModelsView })),
};

function load(view: View) {
  if (view === "chat" || loaded.value[view]) return;
  LOADERS[view]()
    .then((parts) => (loaded.value = { ...loaded.value, [view]: parts }))
    .catch(() => (loaded.value = { ...loaded.value, [view]: "failed" }));
}

/** The drawer of narrow windows. */
export const menuOpen = signal(false);

function Navigation() {
  const links: [View, string, IconNode][] = [
    ["chat", t("chat"), MessageSquare],
    ["train", t("train"), Dumbbell],
    ["models", t("models"), Boxes],
  ];
  return (
    <nav class="navigation" aria-label={t("sections")}>
      {links.map(([view, name, icon]) => (
        <a key={view} href={address(view)} aria-current={place.value.view === view ? "page" : undefined}>
          <Icon of={icon} />
          {name}
        </a>
      ))}
    </nav>
  );
}

function Preferences() {
  return (
    <footer class="preferences">
      <label>
        <span class="hidden">{t("theme")}</span>
        <select value={theme.value} onChange={(event) => (theme.value = event.currentTarget.value as Theme)}>
          <option value="system">{t("system")}</option>
          <option value="light">{t("light")}</option>
          <option value="dark">{t("dark")}</option>
        </select>
      </label>
      <label>
        <span class="hidden">{t("language")}</span>
        <select value={language.value} onChange={(event) => (language.value = event.currentTarget.value as Language)}>
          <option value="en" lang="en">
            English
          </option>
          <option value="zh" lang="zh-Hans">
            中文
          </option>
        </select>
      </label>
      <IconButton icon={Keyboard} label={t("shortcuts")} onClick={() => (shortcutsShown.value = true)} />
      {apiKey.value && <IconButton icon={KeyRound} label={t("keyForget")} onClick={() => setApiKey("")} />}
    </footer>
  );
}

function Current({ part }: { part: keyof Parts }) {
  const parts = loaded.value[place.value.view];
  if (parts === "failed") {
    return part === "List" ? null : (
      <div class="centered" role="alert">
        <p>{t("failedView")}</p>
        <button onClick={() => location.reload()}>{t("reload")}</button>
      </div>
    );
  }
  if (!parts) return part === "List" ? null : <p class="centered quiet">{t("loadingView")}</p>;
  const Part = parts[part];
  return <Part />;
}

export function Frame() {
  useSignalEffect(() => {
    load(place.value.view);
    menuOpen.value = false;
    document.title = place.value.view === "chat" ? "hearth" : `${t(place.value.view)} · hearth`;
  });
  return (
    <div class={`frame ${menuOpen.value ? "menu-open" : ""}`}>
      <button class="skip" onClick={() => document.getElementById("main")?.focus()}>
        {t("skip")}
      </button>
      <header class="topbar">
        <IconButton icon={Menu} label={t("menu")} onClick={() => (menuOpen.value = true)} expanded={menuOpen.value} />
        <strong>hearth</strong>
      </header>
      <div class="scrim" onClick={() => (menuOpen.value = false)} />
      <aside class="sidebar" aria-label={t("sidebar")}>
        <div class="brand">
          <Icon of={Flame} size={20} />
          <strong>hearth</strong>
          <span class="only-narrow">
            <IconButton icon={X} label={t("closeMenu")} onClick={() => (menuOpen.value = false)} />
          </span>
        </div>
        <Navigation />
        <div class="list">
          <Current part="List" />
        </div>
        <Preferences />
      </aside>
      <main id="main" tabIndex={-1}>
        <Current part="Main" />
      </main>
      <KeyDialog />
      <Shortcuts />
      <Notices />
    </div>
  );
}
