import { number } from "../text";

/** Three digits that say something: "1.23", "0.00012", "1.2e-6", "12,345". */
export function significant(value: number, digits = 3): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-4) return value.toExponential(digits - 2);
  return number(value, Math.max(0, digits - 1 - Math.floor(Math.log10(size))));
}
