import common from "highlight.js/lib/common";

/** What is not a known language stays as it is. */
export function highlight(code: HTMLElement) {
  const language = code.dataset.language!.toLowerCase();
  if (!common.getLanguage(language)) return;
  const { value } = common.highlight(code.textContent ?? "", { language, ignoreIllegals: true });
  code.innerHTML = value;
}
