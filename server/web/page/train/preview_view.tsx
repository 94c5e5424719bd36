// Examples as the model will see them: what it learns to write is underlined.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { isAbort } from "../api/client";
import { previewExamples, type Preview, type PreviewExample, type PreviewSegment } from "../api/datasets";
import { Dialog } from "../parts/dialog";
import { Pager } from "../parts/pager";
import { Trouble } from "../parts/trouble";
import { number } from "../text";
import { workingDirectory } from "./datasets";
import { draft } from "./draft";
import { pieces } from "./segments";
import { t } from "./text";

const ROWS = 5;

function Text({ text }: { text: string }) {
  return (
    <>
      {pieces(text).map((piece, i) =>
        piece.isControl ? (
          <span key={i} class="control" title={t("special")}>
            {piece.text}
          </span>
        ) : (
          piece.text
        ),
      )}
    </>
  );
}

function Segment({ text, trained }: PreviewSegment) {
  if (!trained) return <Text text={text} />;
  return (
    <mark class="trained">
      <span class="hidden">{t("trainedBegin")}</span>
      <Text text={text} />
      <span class="hidden">{t("trainedEnd")}</span>
    </mark>
  );
}

function roleText(role: string): string {
  if (role === "chosen") return t("partChosen");
  if (role === "rejected") return t("partRejected");
  if (role === "kto_tag: true") return t("partGood");
  if (role === "kto_tag: false") return t("partBad");
  return role;
}

function Example({ example }: { example: PreviewExample }) {
  const { index, tokens, trained_tokens: trained, truncated, parts } = example;
  return (
    <article class="example">
      <header>
        <b>{t("example", { row: number(index + 1) })}</b>
        <span class="quiet small">
          {t("tokens", { tokens: number(tokens), trained: number(trained) })}
          {truncated && ` · ${t("truncated")}`}
        </span>
      </header>
      {parts.map(({ role, segments }, i) => (
        <div key={i}>
          {role !== "text" && <p class="small quiet">{roleText(role)}</p>}
          <pre>
            {segments.map((segment, at) => (
              <Segment key={at} {...segment} />
            ))}
          </pre>
        </div>
      ))}
    </article>
  );
}

function Page({ preview }: { preview: Preview }) {
  return (
    <>
      {preview.template && <p class="quiet small">{t("template", { template: preview.template })}</p>}
      {preview.data.map((example) => (
        <Example key={example.index} example={example} />
      ))}
      {preview.data.length === 0 && preview.dropped.length === 0 && <p class="quiet">{t("noRows")}</p>}
      {preview.dropped.length > 0 && (
        <div class="small">
          <p>{t("dropped")}</p>
          <ul>
            {preview.dropped.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        </div>
      )}
    </>
  );
}

function Pages() {
  const offset = useSignal(0);
  const preview = useSignal<Preview | null>(null);
  const trouble = useSignal<unknown>(null);
  const { spec } = draft.value;
  const directory = workingDirectory();
  useEffect(() => {
    const stop = new AbortController();
    const request = { spec, offset: offset.value, limit: ROWS, ...(directory ? { directory } : {}) };
    previewExamples(request, stop.signal)
      .then((answer) => {
        preview.value = answer;
        trouble.value = null;
      })
      .catch((error) => {
        if (!isAbort(error)) trouble.value = error;
      });
    return () => stop.abort();
  }, [spec, directory, offset.value]);
  if (trouble.value !== null) return <Trouble error={trouble.value} />;
  if (!preview.value) return <p class="quiet">{t("loading")}</p>;
  const { has_more: hasMore, offset: from } = preview.value;
  return (
    <>
      <Page preview={preview.value} />
      <Pager
        text={`${number(from + 1)}–${number(from + ROWS)}`}
        earlier={t("earlier")}
        later={t("later")}
        onEarlier={from > 0 ? () => (offset.value = Math.max(0, from - ROWS)) : undefined}
        onLater={hasMore ? () => (offset.value = from + ROWS) : undefined}
      />
    </>
  );
}

export function PreviewDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} wide title={t("showTitle")} onClose={onClose}>
      <p class="quiet small">{t("showHint")}</p>
      <Pages />
    </Dialog>
  );
}
