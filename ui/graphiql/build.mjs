// Bundles GraphiQL, compressed, into the folder that OUT names (else dist/), for build.rs to embed. Needs no network.
import { build } from "esbuild";
import { basename } from "node:path";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { format } from "prettier";

const out = process.env.OUT || "dist";
const queries = "../../examples/queries";

// Every example with the question that its first line asks.
const examples = {
  name: "examples",
  setup(build) {
    build.onResolve({ filter: /^examples$/ }, () => ({ path: "examples", namespace: "examples" }));
    build.onLoad({ filter: /.*/, namespace: "examples" }, async () => {
      const files = (await readdir(queries)).filter((file) => file.endsWith(".graphql")).sort();
      const list = await Promise.all(
        files.map(async (file) => {
          const query = await readFile(`${queries}/${file}`, "utf8");
          const comment = query.match(/^(#.*\n)+/)?.[0].replace(/^# ?/gm, "").replace(/\s+/g, " ");
          const operation = query.match(/query (\w+)/)?.[1] ?? basename(file, ".graphql");
          const title = comment?.match(/^.*?[.?](?= |$)/)?.[0] ?? operation;
          return { name: basename(file, ".graphql"), title, query: await format(query, { parser: "graphql" }) };
        }),
      );
      return { contents: `export const examples = ${JSON.stringify(list)};`, loader: "js" };
    });
  },
};
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const shared = {
  bundle: true,
  minify: true,
  legalComments: "linked",
  target: "es2022",
  define: { "process.env.NODE_ENV": '"production"' },
  loader: { ".ttf": "dataurl" },
  outdir: out,
  logLevel: "warning",
};
await build({ ...shared, entryPoints: { app: "main.jsx" }, format: "esm", jsx: "automatic", plugins: [examples] });
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
