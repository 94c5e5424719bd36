// "compare:ID,ID" as the last part of an address.
const BEGIN = "compare:";

export function compareAddress(ids: string[]): string {
  return BEGIN + ids.join(",");
}

/** Undefined where the address is not of a comparison. */
export function comparedIds(address: string): string[] | undefined {
  return address.startsWith(BEGIN) ? address.slice(BEGIN.length).split(",").filter(Boolean) : undefined;
}
