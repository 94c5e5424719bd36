// A chart of lines over steps (uPlot, fetched with the first chart). Lines differ in colour and in dashes; what the chart shows stands beside it as words
// and numbers too.
import { signal, useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type uPlot from "uplot";
import { theme } from "../shell/settings";
import { smoothed, spanOf, type Series } from "./series";
import { translator } from "../text";
import { significant } from "../parts/numbers";

const t = translator(
  {
    says: "{name}: from {first} to {last} at step {step}; lowest {least}, highest {most}.",
    atStep: "at step {step}",
    failed: "The chart could not be drawn; the values are in the table.",
  },
  {
    says: "{name}：从 {first} 到第 {step} 步的 {last}；最低 {least}，最高 {most}。",
    atStep: "第 {step} 步",
    failed: "图表无法绘制，数值见表格。",
  },
);

const HEIGHT = 200;
const COLOURS = 6;
const DASHES = [[], [6, 4], [2, 3], [10, 3, 2, 3]];

const darkness = matchMedia("(prefers-color-scheme: dark)");
const isDark = signal(darkness.matches);
darkness.addEventListener("change", ({ matches }) => (isDark.value = matches));

/** A colour variable as the canvas needs it. */
function colour(beside: HTMLElement, name: string): string {
  const probe = beside.appendChild(document.createElement("i"));
  probe.style.color = `var(--${name})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

interface Props {
  title: string;
  hint?: string;
  steps: number[];
  series: Series[];
  /** 0 to 1: the weight of what was before. */
  smoothing: number;
}

function options(box: HTMLElement, names: string[], isSmooth: boolean, onCursor: (index: number | null) => void) {
  const quiet = colour(box, "quiet");
  const axis = {
    stroke: quiet,
    grid: { stroke: colour(box, "line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui",
  };
  const line = (i: number, isFaint: boolean): uPlot.Series => ({
    stroke: colour(box, `series-${(i % COLOURS) + 1}`),
    width: isFaint ? 1 : 2,
    alpha: isFaint ? 0.3 : 1,
    dash: DASHES[i % DASHES.length],
    spanGaps: true,
    points: isFaint ? { show: false } : { fill: colour(box, "back") },
  });
  return {
    width: box.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false } },
    scales: { x: { time: false } },
    axes: [
      {
        ...axis,
        size: 30,
        values: (_: uPlot, ticks: number[]) => ticks.map((step) => (Number.isInteger(step) ? String(step) : "")),
      },
      { ...axis, size: 60, values: (_: uPlot, ticks: number[]) => ticks.map((value) => significant(value)) },
    ],
    series: [{}, ...names.map((_, i) => line(i, isSmooth)), ...(isSmooth ? names.map((_, i) => line(i, false)) : [])],
    hooks: { setCursor: [(plot: uPlot) => onCursor(plot.cursor.idx ?? null)] },
  } satisfies uPlot.Options;
}

function Legend({ steps, series, at }: { steps: number[]; series: Series[]; at: number | null }) {
  return (
    <ul class="legend">
      {series.map(({ name, values }, i) => {
        const value = at === null ? spanOf(values)?.last : values[at];
        return (
          <li key={name}>
            <svg aria-hidden="true" width="26" height="8">
              <line
                class={`line-${(i % COLOURS) + 1}`}
                x1="0"
                x2="26"
                y1="4"
                y2="4"
                stroke-width="2"
                stroke-dasharray={DASHES[i % DASHES.length]!.join(" ")}
              />
            </svg>
            <span>{name}</span>
            <b>{value === undefined || value === null ? "–" : significant(value, 4)}</b>
          </li>
        );
      })}
      {at !== null && steps[at] !== undefined && <li class="quiet">{t("atStep", { step: steps[at] })}</li>}
    </ul>
  );
}

/** For those who do not see it. */
function words(steps: number[], series: Series[]): string {
  return series
    .map(({ name, values }) => {
      const span = spanOf(values);
      if (!span) return "";
      const [first, last, least, most] = [span.first, span.last, span.least, span.most].map((value) =>
        significant(value),
      );
      return t("says", { name, first: first!, last: last!, least: least!, most: most!, step: steps.at(-1) ?? 0 });
    })
    .join(" ");
}

export function Chart({ title, hint, steps, series, smoothing }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const at = useSignal<number | null>(null);
  const hasFailed = useSignal(false);
  const isSmooth = smoothing > 0;
  const data = useMemo(() => {
    const raw = series.map(({ values }) => values);
    const lines = isSmooth ? [...raw, ...raw.map((values) => smoothed(values, smoothing))] : raw;
    return [steps, ...lines] as uPlot.AlignedData;
  }, [steps, series, smoothing]);
  const shown = useRef(data);
  shown.current = data;

  const names = series.map(({ name }) => name);
  useEffect(() => {
    let isGone = false;
    let observer: ResizeObserver | undefined;
    import("uplot")
      .then(({ default: Plot }) => {
        const place = box.current;
        if (isGone || !place) return;
        const onCursor = (index: number | null) => (at.value = index);
        plot.current = new Plot(options(place, names, isSmooth, onCursor), shown.current, place);
        observer = new ResizeObserver(() => plot.current?.setSize({ width: place.clientWidth, height: HEIGHT }));
        observer.observe(place);
      })
      .catch(() => (hasFailed.value = true));
    return () => {
      isGone = true;
      observer?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [names.join("\n"), isSmooth, theme.value, isDark.value]);
  useEffect(() => plot.current?.setData(data), [data]);

  return (
    <figure class="chart">
      <figcaption>
        <b>{title}</b>
        {hint && <span class="quiet small">{hint}</span>}
      </figcaption>
      <Legend steps={steps} series={series} at={at.value} />
      {hasFailed.value ? (
        <p class="quiet">{t("failed")}</p>
      ) : (
        <div ref={box} class="plot" role="img" aria-label={`${title}. ${words(steps, series)}`} />
      )}
    </figure>
  );
}
