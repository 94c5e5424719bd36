// What a job logs, as charts and as a table of its latest values.
import { useId, useMemo } from "preact/hooks";
import { significant } from "../parts/numbers";
import { kept } from "../shell/settings";
import { Chart } from "./chart";
import { groupsOf, namesIn, seriesOf, type Group, type Rows } from "./series";
import { t } from "./text";

/** The weight of what was before, 0 to 0.95. */
export const smoothing = kept("train.smoothing", 0);
const LATEST = 12;
/** Of no use to the eye. */
export const UNSHOWN = /(_runtime|_per_second|^total_flos|^num_tokens)$/;

export function Smoothing() {
  const id = useId();
  return (
    <div class="smoothing">
      <label for={id}>{t("smoothing")}</label>
      <input
        id={id}
        type="range"
        min={0}
        max={0.95}
        step={0.05}
        value={smoothing.value}
        onInput={(event) => (smoothing.value = Number(event.currentTarget.value))}
      />
    </div>
  );
}

function GroupChart({ group, rows }: { group: Group; rows: Rows }) {
  const steps = useMemo(() => [...rows.keys()], [rows]);
  const series = useMemo(() => group.names.map((name) => seriesOf(rows, name)), [rows, group.names.join()]);
  return (
    <Chart
      title={t(group.title)}
      hint={group.title === "chartLoss" ? t("lossHint") : undefined}
      steps={steps}
      series={series}
      smoothing={smoothing.value}
    />
  );
}

function LatestValues({ rows }: { rows: Rows }) {
  const names = namesIn(rows).filter((name) => !UNSHOWN.test(name));
  const latest = [...rows].slice(-LATEST);
  return (
    <details>
      <summary>{t("latestValues")}</summary>
      <div class="wide-table" tabIndex={0} role="region" aria-label={t("latestValues")}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("step")}</th>
              {names.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {latest.map(([step, row]) => (
              <tr key={step}>
                <th scope="row">{step}</th>
                {names.map((name) => (
                  <td key={name}>{row[name] === undefined ? "" : significant(row[name], 4)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

export function JobCharts({ rows, isOver }: { rows: Rows; isOver: boolean }) {
  const groups = groupsOf(rows);
  if (groups.length === 0) return isOver ? null : <p class="quiet">{t("noValues")}</p>;
  return (
    <section>
      <div class="section-head">
        <h2>{t("charts")}</h2>
        <Smoothing />
      </div>
      <div class="charts">
        {groups.map((group) => (
          <GroupChart key={group.title} group={group} rows={rows} />
        ))}
      </div>
      <LatestValues rows={rows} />
    </section>
  );
}
