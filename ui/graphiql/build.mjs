// Bundles GraphiQL into dist/, compressed, for build.rs to embed. Run by `npm run build`; needs no network once installed.
import { build } from "esbuild";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const out = "dist";
await rm(out, { recursive: true, force: true });
await mkdir(out);

const shared = {
  bundle: true,
  minify: true,
  legalComments: "linked",
  target: "es2022",
  define: { "process.env.NODE_ENV": '"production"' },
  loader: { ".ttf": "dataurl", ".graphql": "text" },
  outdir: out,
  logLevel: "warning",
};
await build({ ...shared, entryPoints: { app: "main.jsx" }, format: "esm", jsx: "automatic" });
await build({
  ...shared,
  format: "iife",
  entryPoints: {
    "editor.worker": "monaco-editor/esm/vs/editor/editor.worker.js",
    "json.worker": "monaco-editor/esm/vs/language/json/json.worker.js",
    "graphql.worker": "monaco-graphql/esm/graphql.worker.js",
  },
});

await cp("index.html", `${out}/index.html`);
await cp("../explorer/favicon.svg", `${out}/favicon.svg`);
for (const name of await readdir(out)) {
  if (!/\.(js|css)$/.test(name)) continue;
  await writeFile(`${out}/${name}.gz`, gzipSync(await readFile(`${out}/${name}`), { level: 9 }));
  await rm(`${out}/${name}`);
}
