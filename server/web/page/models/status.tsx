// What the daemon does now: memory, answers, jobs.
import { signal } from "@preact/signals";
import { getText } from "../api/client";
import { parseMetrics, rate, sum, type Scrape } from "../api/metrics";
import { ProgressBar } from "../parts/progress";
import { isForbidden, Trouble } from "../parts/trouble";
import { bytes, number } from "../text";
import { t } from "./text";

const latest = signal<{ before: Scrape | undefined; now: Scrape } | null>(null);
const trouble = signal<unknown>(null);

export async function refreshStatus(): Promise<void> {
  try {
    const samples = parseMetrics(await getText("/metrics"));
    latest.value = { before: latest.value?.now, now: { at: performance.now(), samples } };
    trouble.value = null;
  } catch (error) {
    trouble.value = error;
  }
}

const JOB_STATES = ["validating", "queued", "running", "paused"] as const;

function jobsText(now: Scrape): string {
  const counted = JOB_STATES.map((status) => ({ status, count: sum(now, "hearth_jobs", { status }) ?? 0 }));
  const there = counted.filter(({ count }) => count > 0).map(({ status, count }) => `${number(count)} ${t(status)}`);
  return there.join(", ") || t("noJobs");
}

function Memory({ now }: { now: Scrape }) {
  const used = sum(now, "hearth_model_memory_bytes");
  const limit = sum(now, "hearth_model_memory_limit_bytes");
  const all = sum(now, "hearth_process_resident_bytes");
  if (used === undefined || !limit) return null;
  return (
    <div class="memory" title={t("memoryHint")}>
      <p>
        {t("memory")}: <b>{t("memoryOf", { used: bytes(used), limit: bytes(limit) })}</b>
        {all !== undefined && <span class="quiet small"> · {t("memoryAll", { bytes: bytes(all) })}</span>}
      </p>
      <ProgressBar part={Math.min(1, used / limit)} label={t("memory")} />
    </div>
  );
}

export function Status() {
  if (trouble.value !== null) return isForbidden(trouble.value) ? null : <Trouble error={trouble.value} />;
  if (!latest.value) return null;
  const { before, now } = latest.value;
  const facts: [string, string][] = [
    [t("requestsRunning"), number(sum(now, "hearth_sequences_running") ?? 0)],
    [t("requestsWaiting"), number(sum(now, "hearth_sequences_queued") ?? 0)],
    [t("writing"), t("rate", { rate: number(rate(before, now, "hearth_generated_tokens_total")) })],
    [t("reading"), t("rate", { rate: number(rate(before, now, "hearth_prompt_tokens_total")) })],
    [t("jobs"), jobsText(now)],
  ];
  return (
    <section>
      <h2>{t("status")}</h2>
      <Memory now={now} />
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
