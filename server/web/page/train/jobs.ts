// The jobs of the daemon's queue as this view knows them.
import { signal } from "@preact/signals";
import { isFinal, listJobs, type Job } from "../api/jobs";

export const jobs = signal<Job[]>([]);
export const jobsKnown = signal(false);
/** Why they could not be asked for, last time. */
export const jobsTrouble = signal<unknown>(null);

export async function refreshJobs(): Promise<void> {
  try {
    jobs.value = await listJobs();
    jobsKnown.value = true;
    jobsTrouble.value = null;
  } catch (error) {
    jobsTrouble.value = error;
  }
}

export function isSomethingRunning(): boolean {
  return jobsTrouble.value !== null || jobs.value.some((job) => !isFinal(job));
}

/** A job that was changed from here, or a new one: shown before the next question. */
export function noteJob(job: Job) {
  const others = jobs.value.filter(({ id }) => id !== job.id);
  jobs.value = [...others, job].sort((a, b) => b.created_at - a.created_at);
}

export function nameOf({ name, id }: Pick<Job, "name" | "id">): string {
  return name || id;
}
