// GraphiQL as a person meets it: runs the first query, completes field names, and asks nobody but the gateway.
import { chromium } from "playwright-core";

const [origin, screenshot] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const fail = async (message) => {
  console.error(message);
  await browser.close();
  process.exit(1);
};
const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
const foreign = [];
const complaints = [];
page.on("request", (request) => {
  const url = request.url();
  if (!url.startsWith(origin) && !url.startsWith("data:") && !url.startsWith("blob:")) foreign.push(url);
});
page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
page.on("pageerror", (error) => complaints.push(String(error)));

await page.goto(`${origin}/`);
await page.waitForSelector(".graphiql-query-editor .monaco-editor", { timeout: 30_000 });
await page.click("button.graphiql-execute-button");
await page.waitForFunction(() => document.querySelector(".graphiql-response")?.innerText.includes("backupServers"), null, { timeout: 30_000 });

// the schema reached the editor: a field name is offered
await page.click(".graphiql-query-editor .monaco-editor");
await page.keyboard.press("Control+A");
await page.keyboard.type("{ backupS");
await page.keyboard.press("Control+Space");
await page.waitForFunction(() => document.querySelector(".suggest-widget")?.innerText.includes("backupServers"), null, { timeout: 30_000 });
if (screenshot) await page.screenshot({ path: screenshot });
if (foreign.length > 0) await fail(`the page asked elsewhere: ${foreign.join(", ")}`);
if (complaints.length > 0) await fail(`the browser complained: ${complaints.join("\n")}`);
console.log("GraphiQL in Chromium: query, completion, no foreign request, no complaint");
await browser.close();
