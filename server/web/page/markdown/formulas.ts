import katex from "katex";

/** What is no TeX stays as it was written. */
export function typeset(node: HTMLElement) {
  const tex = node.textContent ?? "";
  try {
    katex.render(tex, node, {
      displayMode: node.tagName === "DIV",
      throwOnError: true,
      trust: false,
      maxExpand: 200,
      maxSize: 20,
    });
  } catch {
    node.textContent = tex;
  }
}
