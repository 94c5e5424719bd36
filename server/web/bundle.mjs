// node bundle.mjs DIRECTORY OUTPUT.cpp: bundles page/ into DIRECTORY, a name with a hash for each file but index.html, compresses it, and writes the C++
// file that holds it. What the page needs at once is one script and one style sheet; what it needs later (formulas, charts, languages to highlight) is
// fetched from the daemon when it is.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const [directory, output] = process.argv.slice(2);
const page = fileURLToPath(new URL("page/", import.meta.url));
const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".woff2": "font/woff2",
  ".svg": "image/svg+xml",
};

// KaTeX names each font in three formats; every browser that runs this page reads the first.
const only_woff2 = {
  name: "only-woff2",
  setup: (context) =>
    context.onLoad({ filter: /katex(\.min)?\.css$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace(/,\s*url\([^)]*\.(woff|ttf)\) format\("[a-z]+"\)/g, ""),
      loader: "css",
    })),
};

rmSync(directory, { recursive: true, force: true });
mkdirSync(directory, { recursive: true });
const { metafile } = await build({
  entryPoints: { main: join(page, "main.tsx"), style: join(page, "style/style.css"), icon: join(page, "icon.svg") },
  outdir: directory,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  minify: true,
  legalComments: "eof",
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "file", ".svg": "copy" },
  publicPath: "/web/",
  metafile: true,
  logLevel: "warning",
  plugins: [only_woff2],
});

// { main.tsx: "main-HASH.js", ... } and what main imports at once.
const outputs = Object.entries(metafile.outputs).map(([path, about]) => ({ name: path.split("/").at(-1), ...about }));
const named = (source) =>
  outputs.find(({ entryPoint }) => entryPoint?.endsWith(source)) ?? outputs.find(({ name }) => name.startsWith(source));
const script = named("page/main.tsx");
const preloads = script.imports
  .filter(({ kind }) => kind === "import-statement")
  .map(({ path }) => path.split("/").at(-1));
const index = readFileSync(join(page, "index.html"), "utf8")
  .replace("SCRIPT", `/web/${script.name}`)
  .replace("STYLE", `/web/${named("style/style.css").name}`)
  .replace("ICON", `/web/${named("icon-").name}`)
  .replace(
    "<!-- PRELOADS -->",
    preloads.map((name) => `<link rel="modulepreload" href="/web/${name}" />`).join("\n    "),
  );
writeFileSync(join(directory, "index.html"), index);

const files = readdirSync(directory)
  .sort()
  .map((name, number) => {
    const content = readFileSync(join(directory, name));
    const packed = join(directory, `${name}.gz`);
    writeFileSync(packed, gzipSync(content, { level: 9 }));
    return {
      name,
      number,
      packed,
      type: types[extname(name)],
      etag: createHash("sha256").update(content).digest("hex").slice(0, 16),
    };
  });
const unknown = files.find(({ type }) => type === undefined);
if (unknown) throw new Error(`${unknown.name}: no content type is known for it`);

// .incbin: a compiler takes seconds for a megabyte of literals.
writeFileSync(
  output,
  `#include "server/web/web_files.h"

${files
  .map(
    ({ number, packed }) => `asm(".section .rodata\\n.global hearth_web_${number}\\n.global hearth_web_end_${number}\\n"
    "hearth_web_${number}:\\n.incbin ${JSON.stringify(packed).replaceAll('"', '\\"')}\\nhearth_web_end_${number}:\\n.byte 0\\n.text\\n");
extern "C" const char hearth_web_${number}[], hearth_web_end_${number}[];`,
  )
  .join("\n")}

namespace hearth {

std::span<const WebFile> web_files() {
  static const WebFile files[] = {
${files
  .map(
    ({ name, number, type, etag }) =>
      `      {"${name}", "${type}", {hearth_web_${number}, static_cast<size_t>(hearth_web_end_${number} - hearth_web_${number})}, "\\"${etag}\\""},`,
  )
  .join("\n")}
  };
  return files;
}

}  // namespace hearth
`,
);
