// What a job says, line by line, and what its process wrote besides. The end stays in view while the reader is there.
import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { jobLog, type JobDetails, type JobEvent } from "../api/jobs";
import { when } from "../text";
import { t } from "./text";

const MOST_SHOWN = 500;
const NEAR_END = 40; // pixels

function Line({ event }: { event: JobEvent }) {
  const [first = "", ...rest] = event.message.trimEnd().split("\n");
  return (
    <li class={event.level}>
      <time dateTime={new Date(event.created_at * 1000).toISOString()}>{when(event.created_at * 1000)}</time>
      <div>
        {first}
        {rest.length > 0 && (
          <details>
            <summary>{t("more")}</summary>
            <pre>{rest.join("\n")}</pre>
          </details>
        )}
      </div>
    </li>
  );
}

/** Its last lines; empty while it has written none. */
export function useProcessLog({ id, status }: JobDetails): string {
  const text = useSignal("");
  useEffect(() => {
    if (status === "queued" || status === "validating") return;
    jobLog(id)
      .then((log) => (text.value = log.trim()))
      .catch(() => {}); // what it says is in the events
  }, [id, status]);
  return text.value;
}

export function JobLog({ job, events }: { job: JobDetails; events: JobEvent[] }) {
  const scroller = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const written = useProcessLog(job);
  useLayoutEffect(() => {
    if (follows.current && scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
  }, [events]);
  return (
    <section>
      <h2>{t("log")}</h2>
      {events.length === 0 ? (
        <p class="quiet">{t("noLog")}</p>
      ) : (
        <div
          class="log"
          ref={scroller}
          tabIndex={0}
          role="log"
          aria-live="off"
          aria-label={t("log")}
          onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) =>
            (follows.current = scrollHeight - scrollTop - clientHeight < NEAR_END)
          }
        >
          <ol>
            {events.slice(-MOST_SHOWN).map((event) => (
              <Line key={event.id} event={event} />
            ))}
          </ol>
        </div>
      )}
      {written && (
        <details>
          <summary>{t("processLog")}</summary>
          <pre class="output">{written}</pre>
        </details>
      )}
    </section>
  );
}
