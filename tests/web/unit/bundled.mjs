// Modules of the page for node: those that need no browser.
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const { build } = createRequire(new URL("../../../server/web/package.json", import.meta.url))("esbuild");
const page = fileURLToPath(new URL("../../../server/web/page/", import.meta.url));

/** What page/PATH exports. */
export async function bundled(path) {
  const { outputFiles } = await build({
    entryPoints: [page + path],
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "warning",
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
