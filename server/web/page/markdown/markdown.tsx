import { useLayoutEffect, useRef } from "preact/hooks";
import { MarkdownStream } from "./stream";

/** Text that grows while it is not `complete`. */
export function Markdown({ text, complete }: { text: string; complete: boolean }) {
  const root = useRef<HTMLDivElement>(null);
  const stream = useRef<MarkdownStream | undefined>(undefined);
  useLayoutEffect(() => {
    stream.current ??= new MarkdownStream(root.current!);
    stream.current.update(text, complete);
  }, [text, complete]);
  return <div class="markdown" ref={root} />;
}
