// Several jobs beside each other: one value of all of them in a chart, and what they were asked for that differs.
import { useSignal } from "@preact/signals";
import { useId, useMemo } from "preact/hooks";
import type { JobDetails } from "../api/jobs";
import { significant } from "../parts/numbers";
import { Trouble } from "../parts/trouble";
import { address } from "../shell/route";
import { freeName } from "./new_specs";
import { Chart } from "./chart";
import { differences } from "./differences";
import { useFollowed } from "./followed";
import { Smoothing, smoothing } from "./job_charts";
import { nameOf } from "./jobs";
import { namesIn, overlay, type Rows } from "./series";
import { t } from "./text";
import { readSpec } from "./yaml_spec";

const RESULTS = ["train_loss", "eval_loss", "eval_rewards/accuracies", "eval_accuracy", "train_runtime"];
const MOST = 6;

interface Run {
  job: JobDetails;
  name: string;
  rows: Rows;
}

function ValueChart({ runs }: { runs: Run[] }) {
  const id = useId();
  const names = [...new Set(runs.flatMap(({ rows }) => namesIn(rows)))];
  const wanted = useSignal("loss");
  const value = names.includes(wanted.value) ? wanted.value : (names[0] ?? "");
  const { steps, series } = useMemo(() => overlay(runs, value), [value, ...runs.map(({ rows }) => rows)]);
  if (names.length === 0) return <p class="quiet">{t("compareNone")}</p>;
  return (
    <section>
      <div class="section-head">
        <div class="sorting">
          <label for={id}>{t("compareWhat")}</label>
          <select id={id} value={value} onChange={(event) => (wanted.value = event.currentTarget.value)}>
            {names.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </div>
        <Smoothing />
      </div>
      <Chart title={value} steps={steps} series={series} smoothing={smoothing.value} />
    </section>
  );
}

function Table({ runs }: { runs: Run[] }) {
  const rows = differences(runs.map(({ job }) => readSpec(job.spec ?? "").values));
  const results = RESULTS.filter((name) => runs.some(({ job }) => job.result?.metrics?.[name] !== undefined));
  return (
    <section>
      <h2>{t("compareDiffers")}</h2>
      {rows.length === 0 && <p class="quiet">{t("compareSame")}</p>}
      <div class="wide-table" tabIndex={0} role="region" aria-label={t("compareDiffers")}>
        <table>
          <thead>
            <tr>
              <td />
              {runs.map(({ job, name }) => (
                <th key={job.id} scope="col">
                  <a href={address("train", job.id)}>{name}</a>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ key, values }) => (
              <tr key={key}>
                <th scope="row" class="code">
                  {key}
                </th>
                {values.map((value, i) => (
                  <td key={i}>{value || "–"}</td>
                ))}
              </tr>
            ))}
            {results.map((name) => (
              <tr key={name} class="result">
                <th scope="row">{name}</th>
                {runs.map(({ job }) => {
                  const value = job.result?.metrics?.[name];
                  return <td key={job.id}>{value === undefined ? "–" : significant(value, 4)}</td>;
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** `ids` stays the same while this is shown. */
export function Compare({ ids }: { ids: string[] }) {
  const all = ids.slice(0, MOST).map((id) => useFollowed(id));
  const names: string[] = [];
  const runs: Run[] = all.flatMap((followed) => {
    const job = followed.job.value;
    if (!job) return [];
    const name = freeName(nameOf(job), names);
    names.push(name);
    return [{ job, name, rows: followed.rows.value }];
  });
  const trouble = all.find((followed) => followed.trouble.value !== null)?.trouble.value ?? null;
  return (
    <>
      <h1>{t("compareTitle")}</h1>
      {trouble !== null && <Trouble error={trouble} />}
      {runs.length > 0 && (
        <>
          <ValueChart runs={runs} />
          <Table runs={runs} />
        </>
      )}
    </>
  );
}
