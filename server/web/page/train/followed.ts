// A job that is looked at: what it is, what it has told, what it tells while it runs.
import { signal, type Signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { ApiError, isAbort } from "../api/client";
import { follow, getJob, isEvent, isFinal, type Job, type JobDetails, type JobEvent } from "../api/jobs";
import { noteJob } from "./jobs";
import { withEvents, type Rows } from "./series";

const SHOWN_EVERY_MS = 150;
const AGAIN_AFTER_MS = 2000;
const NO_ROWS: Rows = new Map();

class Followed {
  readonly job: Signal<JobDetails | undefined> = signal(undefined);
  readonly events: Signal<JobEvent[]> = signal([]);
  readonly rows: Signal<Rows> = signal(NO_ROWS);
  readonly trouble: Signal<unknown> = signal(null);
  private readonly stop = new AbortController();
  private arrived: JobEvent[] = [];
  private newest: Job | undefined;
  private last = "";
  private timer = 0;

  constructor(readonly id: string) {}

  async run(): Promise<void> {
    while (!this.stop.signal.aborted) {
      try {
        this.job.value = await getJob(this.id);
        this.trouble.value = null;
        await follow(this.id, this.last, (news) => this.take(news), this.stop.signal);
        this.show();
        const ended = await getJob(this.id); // with its result and how it is served
        this.job.value = ended;
        noteJob(ended);
        if (isFinal(ended)) return;
      } catch (error) {
        if (isAbort(error) || this.stop.signal.aborted) return;
        this.trouble.value = error;
        if (error instanceof ApiError && error.status >= 400 && error.status < 500) return;
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS));
    }
  }

  end() {
    this.stop.abort();
    clearTimeout(this.timer);
  }

  /** What an action of the reader has made of it. */
  changed(job: Job) {
    this.job.value = { ...this.job.value, ...job };
    noteJob(job);
  }

  private take(news: JobEvent | Job) {
    if (isEvent(news)) {
      this.last = news.id;
      this.arrived.push(news);
    } else {
      this.newest = news;
    }
    this.timer ||= window.setTimeout(() => this.show(), SHOWN_EVERY_MS);
  }

  private show() {
    clearTimeout(this.timer);
    this.timer = 0;
    if (this.arrived.length > 0) {
      this.events.value = [...this.events.value, ...this.arrived.filter(({ type }) => type === "message")];
      this.rows.value = withEvents(this.rows.value, this.arrived);
      this.arrived = [];
    }
    if (this.newest) this.changed(this.newest);
    this.newest = undefined;
  }
}

export function useFollowed(id: string): Followed {
  const followed = useMemo(() => new Followed(id), [id]);
  useEffect(() => {
    void followed.run();
    return () => followed.end();
  }, [followed]);
  return followed;
}

export type { Followed };
