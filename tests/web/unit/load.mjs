// A module of the page without the page: bundled by esbuild, imported from memory.
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const web = new URL("../../../server/web/", import.meta.url);
const { build } = createRequire(new URL("package.json", web))("esbuild");

/** `name`: below server/web/page, such as "train/series.ts". What a browser has and node has not must not be needed to load it. */
export async function load(name) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`page/${name}`, web))],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    logLevel: "error",
    banner: { js: "globalThis.localStorage ??= { getItem: () => null, setItem() {}, removeItem() {} };" },
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
