// Asks again and again while a part of the page is shown, and not while the page is in the background.
import { useEffect } from "preact/hooks";

/** `ask` deals with its own errors. Nothing is asked a second time while `wanted` says no. */
export function usePolling(ask: () => Promise<void>, everyMs: number, wanted: () => boolean = () => true) {
  useEffect(() => {
    let isGone = false;
    let timer = 0;
    const again = () => {
      timer = window.setTimeout(async () => {
        if (!document.hidden && wanted()) await ask();
        if (!isGone) again();
      }, everyMs);
    };
    void ask().finally(() => !isGone && again());
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, []);
}
