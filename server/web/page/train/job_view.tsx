// The page of a job: where it stands, how it goes, what it made, what it says.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { isFinal, jobFiles, type JobDetails, type JobFile } from "../api/jobs";
import { significant } from "../parts/numbers";
import { Trouble } from "../parts/trouble";
import { useFollowed } from "./followed";
import { JobCharts, UNSHOWN } from "./job_charts";
import { JobFailure } from "./job_failure";
import { JobFiles } from "./job_files";
import { JobHead } from "./job_head";
import { JobLog } from "./job_log";
import { JobScores } from "./job_scores";
import { PREDICTIONS } from "./scores";
import { t } from "./text";

function Result({ job }: { job: JobDetails }) {
  const metrics = Object.entries(job.result?.metrics ?? {}).filter(([name]) => !UNSHOWN.test(name));
  const notServed = job.result?.not_served;
  if (metrics.length === 0 && !notServed) return null;
  return (
    <section>
      <h2>{t("resultTitle")}</h2>
      {notServed && <p class="quiet">{t("notServed", { reason: notServed })}</p>}
      {metrics.length > 0 && (
        <dl class="facts">
          {metrics.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{significant(value, 4)}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}

/** Asked for when the job has ended; before, they come and go. */
function useFiles(job: JobDetails | undefined): JobFile[] {
  const files = useSignal<JobFile[]>([]);
  const isOver = job !== undefined && isFinal(job);
  useEffect(() => {
    if (isOver)
      jobFiles(job.id)
        .then((found) => (files.value = found))
        .catch(() => {}); // there are none
  }, [job?.id, isOver]);
  return files.value;
}

function Warnings({ warnings }: { warnings: string[] }) {
  if (warnings.length === 0) return null;
  return (
    <details>
      <summary>
        {t("warnings")} <span class="quiet small">({warnings.length})</span>
      </summary>
      <ul class="small">
        {warnings.map((warning) => (
          <li key={warning}>{warning}</li>
        ))}
      </ul>
    </details>
  );
}

export function JobView({ id }: { id: string }) {
  const followed = useFollowed(id);
  const job = followed.job.value;
  const files = useFiles(job);
  const trouble = followed.trouble.value;
  if (!job) return trouble === null ? <p class="quiet">{t("loading")}</p> : <Trouble error={trouble} />;
  const paths = files.map(({ path }) => path);
  const isOver = isFinal(job);
  return (
    <>
      <JobHead followed={followed} job={job} />
      {trouble !== null && <Trouble error={trouble} />}
      {job.status === "failed" && <JobFailure job={job} />}
      {paths.some((path) => path.endsWith(PREDICTIONS)) && <JobScores job={job} paths={paths} />}
      <JobCharts rows={followed.rows.value} isOver={isOver} />
      <Result job={job} />
      <JobLog job={job} events={followed.events.value} />
      {files.length > 0 && <JobFiles job={job} files={files} />}
      <Warnings warnings={job.warnings ?? []} />
      {job.spec && (
        <details>
          <summary>{t("yaml")}</summary>
          <pre class="output" tabIndex={0}>
            {job.spec}
          </pre>
        </details>
      )}
    </>
  );
}
