// How what a model answered was scored: on the whole, and answer by answer, the worst first.
import { useSignal } from "@preact/signals";
import { useEffect, useId, useMemo } from "preact/hooks";
import { fileText, type JobDetails } from "../api/jobs";
import { significant } from "../parts/numbers";
import { Pager } from "../parts/pager";
import { Trouble } from "../parts/trouble";
import { number } from "../text";
import {
  PREDICTIONS,
  readPredictions,
  readResults,
  RESULTS,
  SCORES,
  scoreNames,
  sortedBy,
  type Predicted,
} from "./scores";
import { t } from "./text";

const PAGE = 10;

interface Loaded {
  rows: Predicted[];
  results: Record<string, number>;
}

function useLoaded(id: string, paths: string[]) {
  const loaded = useSignal<Loaded | null>(null);
  const trouble = useSignal<unknown>(null);
  useEffect(() => {
    const read = (name: string) => {
      const path = paths.find((one) => one === name || one.endsWith(`/${name}`));
      return path ? fileText(id, path) : Promise.resolve("");
    };
    Promise.all([read(PREDICTIONS), read(SCORES), read(RESULTS)])
      .then(([predictions, scores, results]) => {
        loaded.value = { rows: readPredictions(predictions, scores), results: readResults(results) };
      })
      .catch((error) => (trouble.value = error));
  }, [id, paths.join("\n")]);
  return { loaded: loaded.value, trouble: trouble.value };
}

function MeanScores({ results }: { results: Record<string, number> }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{t("metric")}</th>
          <th scope="col">{t("value")}</th>
        </tr>
      </thead>
      <tbody>
        {Object.entries(results).map(([name, value]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{significant(value, 4)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Example({ row, score }: { row: Predicted; score: string }) {
  const texts = [
    { name: t("asked"), text: row.prompt, place: "asked" },
    { name: t("answered"), text: row.predict, place: "" },
    { name: t("expected"), text: row.label, place: "" },
  ];
  const value = row.scores[score];
  return (
    <article class="example">
      <header>
        <b>{t("example", { row: number(row.index + 1) })}</b>
        {value !== undefined && (
          <span class="quiet small">
            {score} {significant(value, 3)}
          </span>
        )}
      </header>
      <dl>
        {texts.map(({ name, text, place }) => (
          <div key={name} class={place}>
            <dt class="small quiet">{name}</dt>
            <dd>
              <pre>{text}</pre>
            </dd>
          </div>
        ))}
      </dl>
    </article>
  );
}

function Examples({ rows }: { rows: Predicted[] }) {
  const id = useId();
  const names = scoreNames(rows);
  const score = useSignal(names[0] ?? "");
  const bestFirst = useSignal(false);
  const from = useSignal(0);
  const sorted = useMemo(() => sortedBy(rows, score.value, bestFirst.value), [rows, score.value, bestFirst.value]);
  const to = Math.min(sorted.length, from.value + PAGE);
  return (
    <>
      <div class="section-head">
        <h3>{t("examples")}</h3>
        {names.length > 0 && (
          <div class="sorting">
            <label for={id}>{t("sortBy")}</label>
            <select
              id={id}
              value={score.value}
              onChange={(event) => {
                score.value = event.currentTarget.value;
                from.value = 0;
              }}
            >
              {names.map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
            <button
              onClick={() => {
                bestFirst.value = !bestFirst.value;
                from.value = 0;
              }}
            >
              {t(bestFirst.value ? "bestFirst" : "worstFirst")}
            </button>
          </div>
        )}
      </div>
      {sorted.slice(from.value, to).map((row) => (
        <Example key={row.index} row={row} score={score.value} />
      ))}
      <Pager
        text={t("pageOf", { from: number(from.value + 1), to: number(to), total: number(sorted.length) })}
        earlier={t("earlier")}
        later={t("later")}
        onEarlier={from.value > 0 ? () => (from.value -= PAGE) : undefined}
        onLater={to < sorted.length ? () => (from.value += PAGE) : undefined}
      />
    </>
  );
}

/** `paths`: the files of the job. */
export function JobScores({ job, paths }: { job: JobDetails; paths: string[] }) {
  const { loaded, trouble } = useLoaded(job.id, paths);
  if (trouble !== null) return <Trouble error={trouble} />;
  if (!loaded) return <p class="quiet">{t("loading")}</p>;
  return (
    <section>
      <h2>{t("scores")}</h2>
      {Object.keys(loaded.results).length > 0 && <MeanScores results={loaded.results} />}
      {loaded.rows.length > 0 ? <Examples rows={loaded.rows} /> : <p class="quiet">{t("noExamples")}</p>}
    </section>
  );
}
