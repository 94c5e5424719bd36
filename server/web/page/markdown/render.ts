// Markdown that a model wrote, as nodes that can do nothing: HTML in it stays text, pictures become links (the page fetches nothing from elsewhere), and
// what marked makes is sanitised all the same.
import DOMPurify from "dompurify";
import { Marked, type Token, type TokenizerAndRendererExtension, type Tokens } from "marked";
import { createElement, render as draw } from "preact";
import { Copy } from "lucide";
import { IconButton } from "../parts/button";
import { copyText } from "../parts/copy";
import { translator } from "../text";

const t = translator({ copyCode: "Copy the code", text: "text" }, { copyCode: "复制代码", text: "文本" });

const SLICE_MS = 8;
const MOST_TO_HIGHLIGHT = 20_000; // characters of a block; beyond, colours would make the page wait
const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

interface Math extends Tokens.Generic {
  tex: string;
  isBlock: boolean;
}

// TeX between \[ \], $$ $$, \( \) and $ $. A dollar that begins a formula has no space behind it, one that ends it none before it and no digit behind it, so
// that "$5 and $6" stays as it is.
function math(name: string, level: "block" | "inline", start: RegExp, whole: RegExp): TokenizerAndRendererExtension {
  return {
    name,
    level,
    start: (source) => start.exec(source)?.index,
    tokenizer: (source) => {
      const found = whole.exec(source);
      if (!found) return undefined;
      const isBlock = level === "block" || found[0].startsWith("$$");
      return {
        type: name,
        raw: found[0],
        tex: found
          .slice(1)
          .find((group) => group !== undefined)!
          .trim(),
        isBlock,
      };
    },
    renderer: (token) => {
      const { tex, isBlock } = token as Math;
      return isBlock ? `<div class="math">${escaped(tex)}</div>` : `<span class="math">${escaped(tex)}</span>`;
    },
  };
}

const marked = new Marked({
  gfm: true,
  breaks: true,
  extensions: [
    math("blockMath", "block", /\$\$|\\\[/, /^(?:\$\$([^$]+?)\$\$|\\\[([\s\S]+?)\\\])(?:\n|$)/),
    math(
      "inlineMath",
      "inline",
      /\$|\\\(/,
      /^(?:\\\((.+?)\\\)|\$\$([^$]+?)\$\$|\$(?![\s$])((?:\\.|[^$\\\n])+?)(?<!\s)\$(?!\d))/,
    ),
  ],
  renderer: {
    html: ({ text, block }) => (block ? `<p>${escaped(text.trim()).replaceAll("\n", "<br>")}</p>` : escaped(text)),
    image: ({ href, text }) => `<a href="${escaped(href)}">${escaped(text || href)}</a>`,
    code: ({ text, lang }) => {
      const language = /^[\w+#-]+/.exec(lang ?? "")?.[0] ?? "";
      return `<pre><code data-language="${escaped(language)}">${escaped(text)}</code></pre>`;
    },
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  },
} as ConstructorParameters<typeof Marked>[0]);

const purify = DOMPurify(window);
purify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
});
const ALLOWED = {
  ALLOWED_TAGS: [
    ...[
      "p",
      "br",
      "hr",
      "h1",
      "h2",
      "h3",
      "h4",
      "h5",
      "h6",
      "strong",
      "em",
      "del",
      "a",
      "code",
      "pre",
      "blockquote",
      "ul",
      "ol",
      "li",
    ],
    ...["table", "thead", "tbody", "tr", "th", "td", "span", "div"],
  ],
  ALLOWED_ATTR: ["href", "title", "start", "align", "class", "data-language"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
};

export function tokens(source: string): Token[] {
  return marked.lexer(source);
}

export function render(blocks: Token[]): DocumentFragment {
  const html = marked.parser(blocks) as string;
  const fragment = purify.sanitize(html, { ...ALLOWED, RETURN_DOM_FRAGMENT: true }) as DocumentFragment;
  for (const table of fragment.querySelectorAll<HTMLTableElement>("table")) {
    const box = document.createElement("div");
    box.className = "scrolled";
    box.tabIndex = 0;
    table.replaceWith(box);
    box.append(table);
  }
  for (const pre of fragment.querySelectorAll<HTMLPreElement>("pre")) pre.before(codeHeader(pre));
  return fragment;
}

function codeHeader(pre: HTMLPreElement): HTMLElement {
  const header = document.createElement("div");
  header.className = "code-header";
  pre.tabIndex = 0;
  const language = pre.querySelector("code")?.dataset.language || t("text");
  const copy = createElement(IconButton, {
    icon: Copy,
    label: t("copyCode"),
    onClick: () => copyText(pre.textContent ?? ""),
  });
  draw([createElement("span", null, language), copy], header);
  return header;
}

/** Colours and formulas of a block that is complete; their libraries are fetched when there is the first of them. */
export async function embellish(codes: HTMLElement[], formulas: HTMLElement[]): Promise<void> {
  const coloured = codes.filter((code) => code.dataset.language && code.textContent!.length < MOST_TO_HIGHLIGHT);
  if (coloured.length > 0) await inSlices(coloured, (await import("./highlight")).highlight);
  if (formulas.length > 0) await inSlices(formulas, (await import("./formulas")).typeset);
}

// The page answers to its reader in between.
async function inSlices(nodes: HTMLElement[], work: (node: HTMLElement) => void): Promise<void> {
  let began = performance.now();
  for (const node of nodes) {
    work(node);
    if (performance.now() - began < SLICE_MS) continue;
    await new Promise((resolve) => setTimeout(resolve));
    began = performance.now();
  }
}
