// What a prediction wrote: an answer a line beside the label, and a line of scores for each.

export const PREDICTIONS = "generated_predictions.jsonl";
export const SCORES = "predict_scores.jsonl";
export const RESULTS = "predict_results.json";

export interface Predicted {
  index: number;
  prompt: string;
  predict: string;
  label: string;
  scores: Record<string, number>;
}

/** Lines that are not JSON objects (the last one of a job that runs) are passed over. */
function jsonLines(text: string): Record<string, unknown>[] {
  return text.split("\n").flatMap((line) => {
    try {
      const read = JSON.parse(line);
      return read !== null && typeof read === "object" ? [read] : [];
    } catch {
      return [];
    }
  });
}

function numbersOf(row: Record<string, unknown> | undefined): Record<string, number> {
  const entries = Object.entries(row ?? {}).filter(([key, value]) => key !== "index" && typeof value === "number");
  return Object.fromEntries(entries) as Record<string, number>;
}

/** `scores` may be empty or in another order: its lines name the line of the prediction, from 0. */
export function readPredictions(predictions: string, scores: string): Predicted[] {
  const scored = jsonLines(scores);
  const byIndex = new Map(scored.map((row, i) => [typeof row.index === "number" ? row.index : i, row]));
  return jsonLines(predictions).map(({ prompt, predict, label }, index) => ({
    index,
    prompt: String(prompt ?? ""),
    predict: String(predict ?? ""),
    label: String(label ?? ""),
    scores: numbersOf(byIndex.get(index)),
  }));
}

export function scoreNames(rows: Predicted[]): string[] {
  return [...new Set(rows.flatMap(({ scores }) => Object.keys(scores)))];
}

/** The worst first, or the best; those without the score come last. */
export function sortedBy(rows: Predicted[], score: string, bestFirst = false): Predicted[] {
  const sign = bestFirst ? -1 : 1;
  const rank = ({ scores }: Predicted) => (score in scores ? sign * scores[score]! : Infinity);
  const compare = (a: number, b: number) => (a === b ? 0 : a < b ? -1 : 1);
  return rows.toSorted((a, b) => compare(rank(a), rank(b)) || a.index - b.index);
}

/** predict_results.json: {"predict_bleu-4": 12.3, ...} without the word before. */
export function readResults(text: string): Record<string, number> {
  const entries = Object.entries(numbersOf(jsonLines(text.replace(/\s*\n\s*/g, " "))[0]));
  return Object.fromEntries(entries.map(([key, value]) => [key.replace(/^predict_/, ""), value]));
}
