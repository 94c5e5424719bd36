/** `part`: done, of 1; undefined: it is not known how far it is. */
export function ProgressBar({ part, label }: { part: number | undefined; label: string }) {
  return <progress aria-label={label} max={1} {...(part === undefined ? {} : { value: part })} />;
}
