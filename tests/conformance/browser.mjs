// GraphiQL as a person meets it: runs the first query, completes field names, opens every example, takes a key and forgets
// it, and asks nobody but the gateway. Then the small explorer, from its files, at the width of a phone.
import { readFile, readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [origin, screenshot] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");
const root = new URL("../../", import.meta.url);
const exampleNames = (await readdir(new URL("examples/queries", root))).filter((name) => name.endsWith(".graphql"));

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const fail = async (message) => {
  console.error(message);
  await browser.close();
  process.exit(1);
};
const expect = async (holds, message) => holds || (await fail(message));

/** A page that notes what it asks of others, and what the browser complains of. */
const open = async (viewport) => {
  const page = await browser.newPage({ viewport });
  const foreign = [];
  const complaints = [];
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith("data:") && !url.startsWith("blob:")) foreign.push(url);
  });
  page.on("console", (message) => message.type() === "error" && !message.text().includes("401") && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { page, foreign, complaints };
};

/** Kinds of axe violations on what `within` selects. */
const violations = async (page, within) => {
  await page.evaluate(axe); // not as a script of the page: its policy allows none but its own
  return page.evaluate((selector) => globalThis.axe.run(selector).then((result) => result.violations.map(({ id, nodes }) => `${id} (${nodes[0].html.slice(0, 80)})`)), within);
};

const runAnd = async (page, words) => {
  await page.click("button.graphiql-execute-button");
  await page.waitForFunction((text) => document.querySelector(".graphiql-response")?.innerText.includes(text), words, { timeout: 30_000 });
};

// --- GraphiQL
const { page, foreign, complaints } = await open({ width: 1400, height: 900 });
await page.goto(`${origin}/`);
await page.waitForSelector(".graphiql-query-editor .monaco-editor", { timeout: 30_000 });
await runAnd(page, "backupServers");
await page.waitForFunction(() => /cost [\d,]+ · \d+ upstream request/.test(document.querySelector(".last")?.innerText ?? ""));
if (screenshot) await page.screenshot({ path: screenshot });

// every example is in the picker, and opens in a tab of its own
const titles = await page.locator(".examples option:not([disabled])").count();
await expect(titles === exampleNames.length, `the picker has ${titles} of ${exampleNames.length} examples`);
await page.selectOption(".examples", "15-handover");
await page.waitForFunction(() => document.querySelector(".graphiql-query-editor")?.innerText.includes("Handover"));

// a key that nobody knows is refused, asked for again, and kept nowhere
await page.fill(".key input", "a-key-that-is-kept-nowhere");
await page.keyboard.press("Enter");
await runAnd(page, "UNAUTHENTICATED");
await page.waitForSelector(".key.needed");
await page.evaluate(() => [...document.querySelectorAll("button")].find((button) => button.textContent === "Headers")?.click());
await page.click(".graphiql-editor-tool .monaco-editor >> nth=-1");
await page.keyboard.insertText('{"x-secret": "a-header-that-is-kept-nowhere"}');
await page.fill(".key input", "");
await page.keyboard.press("Enter");
await runAnd(page, '"data"');
const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
await expect(kept.includes("TapeWalk"), "history and tabs are not kept");
await expect(!kept.includes("kept-nowhere"), `a secret is in the browser's storage: ${kept}`);

// the schema reached the editor: a field name is offered
await page.click(".graphiql-query-editor .monaco-editor");
await page.keyboard.press("Control+A");
await page.keyboard.type("{ backupS");
await page.keyboard.press("Control+Space");
await page.waitForFunction(() => document.querySelector(".suggest-widget")?.innerText.includes("backupServers"), null, { timeout: 30_000 });
const ofOurs = [...(await violations(page, ".graphiql-logo")), ...(await violations(page, ".last"))];
await expect(ofOurs.length === 0, `axe: ${ofOurs.join(", ")}`);
const ofGraphiql = await violations(page, "body"); // its tabs nest controls, some texts have too little contrast

// a link to a query opens it
const wanted = new URLSearchParams({ query: "query FromALink($first: Int) { jobs(first: $first) { totalCount } }", variables: '{"first": 1}' });
const link = await open({ width: 1400, height: 900 });
await link.page.goto(`${origin}/graphql?${wanted}`);
await link.page.waitForFunction(() => document.querySelector(".graphiql-query-editor")?.innerText.includes("FromALink"), null, { timeout: 30_000 });
await runAnd(link.page, "totalCount");

// --- the small explorer, served from its files
const phone = await open({ width: 420, height: 800 });
const files = { "explorer.css": "text/css", "explorer.js": "text/javascript", "favicon.svg": "image/svg+xml" };
await phone.page.route(`${origin}/graphiql`, async (route) =>
  route.fulfill({ contentType: "text/html", body: await readFile(new URL("ui/explorer/index.html", root), "utf8") }));
for (const [name, contentType] of Object.entries(files)) {
  await phone.page.route(`${origin}/graphiql/${name}`, async (route) =>
    route.fulfill({ contentType, body: await readFile(new URL(`ui/explorer/${name}`, root), "utf8") }));
}
const queries = await Promise.all(exampleNames.map(async (name) =>
  [name.replace(/\.graphql$/, ""), await readFile(new URL(`examples/queries/${name}`, root), "utf8")]));
await phone.page.route(`${origin}/graphiql/examples.js`, (route) =>
  route.fulfill({ contentType: "text/javascript", body: `globalThis.examples = ${JSON.stringify(queries)};` }));
await phone.page.goto(`${origin}/graphiql`);
for (const [index] of queries.entries()) {
  await phone.page.selectOption("#example", String(index));
  await phone.page.click("#run");
  await phone.page.waitForFunction(() => document.querySelector("#cost").innerText.includes("200"), null, { timeout: 30_000 });
  const answer = JSON.parse(await phone.page.innerText("#answer"));
  await expect(!answer.errors, `${queries[index][0]}: ${JSON.stringify(answer.errors)}`);
}
// arguments are shown, and a type leads to another
await phone.page.fill("#search", "Query");
await phone.page.waitForFunction(() => document.querySelector("#type-Query")?.innerText.includes("first: Int"));
await phone.page.click('#type-Query a[href="#type-JobConnection"]');
await phone.page.waitForFunction(() => document.querySelector("#type-JobConnection")?.open);
const overflow = await phone.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
await expect(overflow <= 0, `the explorer is ${overflow} px too wide at 420 px`);
for (const colorScheme of ["light", "dark"]) {
  await phone.page.emulateMedia({ colorScheme });
  const found = await violations(phone.page, "body");
  await expect(found.length === 0, `axe on the explorer, ${colorScheme}: ${found.join(", ")}`);
}

for (const seen of [{ foreign, complaints }, link, phone]) {
  await expect(seen.foreign.length === 0, `the page asked elsewhere: ${seen.foreign.join(", ")}`);
  await expect(seen.complaints.length === 0, `the browser complained: ${seen.complaints.join("\n")}`);
}
console.log(
  `GraphiQL and the explorer in Chromium: query, completion, ${titles} examples, links, secrets kept nowhere; ` +
    `axe: 0 violations of ours, ${ofGraphiql.length} kinds of GraphiQL's own; no request to elsewhere, no complaint`,
);
await browser.close();
