// Markdown that grows: blocks that are complete are rendered once and never touched again, so the work of a frame is that of what is new, not of all that
// was written. What is not complete yet is the last block, and of a long list its last items; an open block of code only grows its text.
import type { Token, Tokens } from "marked";
import { embellish, render, tokens } from "./render";

const MOST_OPEN_ITEMS = 4;

export class MarkdownStream {
  private text = "";
  private settled = 0; // characters of complete blocks
  private readonly open = document.createElement("div");
  private openCode: Text | undefined; // of a fence that has not ended

  constructor(private readonly root: HTMLElement) {
    this.open.className = "open";
    root.replaceChildren(this.open);
  }

  /** The text so far; `complete`: there will be no more. */
  update(written: string, complete: boolean) {
    const text = written.replaceAll("\r", "");
    if (!text.startsWith(this.text)) this.reset();
    const added = text.slice(this.text.length);
    this.text = text;
    if (this.openCode && !complete && !/[`~]/.test(added)) {
      this.openCode.appendData(added);
      return;
    }
    const blocks = tokens(text.slice(this.settled));
    const last = complete
      ? blocks.length
      : Math.max(
          0,
          blocks.findLastIndex(({ type }) => type !== "space"),
        );
    this.settle(blocks.slice(0, last));
    const open = this.withoutSettledItems(blocks.slice(last));
    this.open.replaceChildren(open.length > 0 ? render(open) : "");
    this.openCode = this.openCodeOf(open);
  }

  private reset() {
    this.text = "";
    this.settled = 0;
    this.openCode = undefined;
    this.root.replaceChildren(this.open);
  }

  private settle(blocks: Token[]) {
    if (blocks.length === 0) return;
    for (const { raw } of blocks) this.settled += raw.length;
    const fragment = render(blocks);
    const codes = [...fragment.querySelectorAll<HTMLElement>("pre code")];
    const formulas = [...fragment.querySelectorAll<HTMLElement>(".math")];
    this.open.before(fragment);
    void embellish(codes, formulas);
  }

  private withoutSettledItems(open: Token[]): Token[] {
    const list = open[0];
    if (list?.type !== "list" || (list as Tokens.List).items.length <= MOST_OPEN_ITEMS) return open;
    const { items, start } = list as Tokens.List;
    const complete = items.slice(0, -2);
    this.settle([{ ...list, items: complete, raw: complete.map(({ raw }) => raw).join("") } as Token]);
    const next = typeof start === "number" ? start + complete.length : start;
    return [{ ...list, items: items.slice(-2), start: next } as Token, ...open.slice(1)];
  }

  // What has arrived of a fence without an end, as one text.
  private openCodeOf(open: Token[]): Text | undefined {
    const last = open.at(-1);
    if (last?.type !== "code" || (last as Tokens.Code).codeBlockStyle === "indented") return undefined;
    if (!last.raw.includes("\n") || /\n {0,3}(`{3,}|~{3,})\s*$/.test(last.raw)) return undefined;
    const text = document.createTextNode(last.raw.slice(last.raw.indexOf("\n") + 1));
    this.open.querySelector("pre code")?.replaceChildren(text);
    return text;
  }
}
