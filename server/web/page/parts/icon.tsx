import { createElement } from "preact";
import type { IconNode } from "lucide";

/** A picture of lucide's; it says nothing to those who do not see it. */
export function Icon({ of, size = 16 }: { of: IconNode; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="2"
      stroke-linecap="round"
      stroke-linejoin="round"
    >
      {of.map(([tag, attributes], i) => createElement(tag, { key: i, ...attributes } as object))}
    </svg>
  );
}
