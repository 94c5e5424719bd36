// GET /metrics, Prometheus' text format (version 0.0.4): a sample a line, NAME{LABEL="VALUE",...} NUMBER [TIME].
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?$/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPES: Record<string, string> = { "\\n": "\n", '\\"': '"', "\\\\": "\\" };
const SPECIAL: Record<string, number> = { "+Inf": Infinity, "-Inf": -Infinity, Inf: Infinity, NaN };

/** Lines that are not samples are passed over. */
export function parseMetrics(text: string): Sample[] {
  return text.split("\n").flatMap((line) => {
    const [, name, labels = "", number] = LINE.exec(line.trim()) ?? [];
    if (name === undefined || number === undefined) return [];
    const read = [...labels.matchAll(LABEL)].map(([, key, value]) => [
      key!,
      value!.replace(/\\[n"\\]/g, (escape) => ESCAPES[escape]!),
    ]);
    return [{ name, labels: Object.fromEntries(read), value: SPECIAL[number] ?? Number(number) }];
  });
}

export interface Scrape {
  /** Milliseconds of a clock that does not jump. */
  at: number;
  samples: Sample[];
}

function named({ samples }: Scrape, name: string, labels: Record<string, string>): Sample[] {
  const wanted = Object.entries(labels);
  return samples.filter((one) => one.name === name && wanted.every(([key, value]) => one.labels[key] === value));
}

/** Over all that have these labels; undefined where there is none. */
export function sum(now: Scrape, name: string, labels: Record<string, string> = {}): number | undefined {
  const found = named(now, name, labels);
  return found.length > 0 ? found.reduce((total, { value }) => total + value, 0) : undefined;
}

/** What counters grew by in a second. One that is new has not grown yet; one that has become smaller was begun anew, from nothing. */
export function rate(before: Scrape | undefined, now: Scrape, name: string): number {
  const seconds = before ? (now.at - before.at) / 1000 : 0;
  if (!before || seconds <= 0) return 0;
  const grown = named(now, name, {}).reduce((total, { labels, value }) => {
    const last = sum(before, name, labels) ?? value;
    return total + (value >= last ? value - last : value);
  }, 0);
  return grown / seconds;
}
