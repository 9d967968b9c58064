// A small explorer for builds without Node: write a query, run it, look things up in the schema. It loads nothing from
// elsewhere, and keeps the query in the address of the page; the key is kept nowhere.
"use strict";

const examples = globalThis.examples ?? [];
const $ = (id) => document.getElementById(id);
const endpoint = new URL("graphql", new URL(".", document.baseURI)).pathname;

/** Sends a query and gives the response with its JSON. */
async function ask(query, variables) {
  const headers = { "content-type": "application/json", accept: "application/json" };
  if ($("key").value) headers.authorization = `Bearer ${$("key").value}`;
  const body = JSON.stringify({ query, variables });
  const response = await fetch(endpoint, { method: "POST", headers, body });
  return { response, answer: await response.json() };
}

const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

/** What an answer cost, in a line. */
function summary({ response, answer }, milliseconds) {
  const facts = [`${response.status}`, `${milliseconds} ms`];
  const { cost, upstream } = answer.extensions ?? {};
  if (cost?.estimated !== undefined) facts.push(`cost ${cost.estimated.toLocaleString("en")}`);
  if (upstream?.requests !== undefined) facts.push(plural(upstream.requests, "upstream request"));
  if (answer.errors?.length > 0) facts.push(plural(answer.errors.length, "error"));
  return facts.join(" · ");
}

async function run() {
  let variables;
  try {
    variables = $("variables").value.trim() ? JSON.parse($("variables").value) : undefined;
  } catch (error) {
    $("answer").textContent = `The variables are not JSON: ${error.message}`;
    return;
  }
  remember();
  $("cost").textContent = "…";
  const started = performance.now();
  try {
    const result = await ask($("query").value, variables);
    $("answer").textContent = JSON.stringify(result.answer, null, 2);
    $("cost").textContent = summary(result, Math.round(performance.now() - started));
    if (result.response.status === 401) $("key").focus();
  } catch (error) {
    $("answer").textContent = `The gateway did not answer: ${error.message}`;
    $("cost").textContent = "";
  }
}

/** Puts query and variables into the address, so that a reload or a link has them. */
function remember() {
  const wanted = new URLSearchParams({ query: $("query").value });
  if ($("variables").value.trim()) wanted.set("variables", $("variables").value);
  // an address that is too long for some server or proxy helps nobody
  const address = wanted.toString().length < 6_000 ? `?${wanted}` : location.pathname;
  history.replaceState(null, "", address);
}

// --- the schema

const element = (name, text, properties = {}) => Object.assign(document.createElement(name), { textContent: text, ...properties });

const named = (type) => (type.ofType ? named(type.ofType) : type);

/** A type as it is written, with a link to what it is of. */
function typeLink(type) {
  if (type.kind === "NON_NULL") return [...typeLink(type.ofType), "!"];
  if (type.kind === "LIST") return ["[", ...typeLink(type.ofType), "]"];
  return [element("a", type.name, { href: `#type-${type.name}` })];
}

/** A field, argument or enum value: name, type, default, and what is deprecated. */
function signature(member) {
  const line = element("code", member.name);
  if (member.type) line.append(": ", ...typeLink(member.type));
  if (member.defaultValue !== null && member.defaultValue !== undefined) line.append(` = ${member.defaultValue}`);
  return line;
}

function describe(member, className) {
  const line = element("div", "", { className });
  line.append(signature(member));
  if (member.isDeprecated) line.append(element("em", ` Deprecated: ${member.deprecationReason}`));
  if (member.description) line.append(` ${member.description}`);
  for (const argument of member.args ?? []) line.append(describe(argument, "argument"));
  return line;
}

function show(types, wanted) {
  const list = $("schema");
  list.replaceChildren();
  const word = wanted.trim().toLowerCase();
  const matches = (text) => (text ?? "").toLowerCase().includes(word);
  const best = ({ name }) => (name.toLowerCase() === word ? 0 : matches(name) ? 1 : 2);
  const found = types.filter((type) => !word || matches(type.name) || type.members.some(({ name }) => matches(name)));
  for (const type of found.sort((a, b) => best(a) - best(b) || a.name.localeCompare(b.name))) {
    const details = element("details", "", { id: `type-${type.name}`, open: word !== "" && best(type) === 0 });
    details.append(element("summary", type.name));
    if (type.description) details.append(element("p", type.description));
    const related = [
      ["Implements", type.interfaces],
      ["One of", type.kind === "UNION" || type.kind === "INTERFACE" ? type.possibleTypes : undefined],
    ];
    for (const [label, others] of related) {
      if (!others?.length) continue;
      const line = element("p", `${label} `);
      others.forEach((other, index) => line.append(index > 0 ? ", " : "", ...typeLink(other)));
      details.append(line);
    }
    for (const member of type.members) details.append(describe(member, "member"));
    list.append(details);
  }
}

// a link to a type opens it, whatever was searched for
$("schema").addEventListener("click", (event) => {
  const target = event.target.closest("a")?.getAttribute("href");
  if (!target) return;
  event.preventDefault();
  $("search").value = "";
  show(types, "");
  const details = document.querySelector(target);
  if (!details) return;
  details.open = true;
  details.scrollIntoView();
  details.querySelector("summary").focus();
});

const typeRef = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
const input = `name description defaultValue isDeprecated deprecationReason type { ${typeRef} }`;
const introspection = `{ __schema { types { name kind description
  fields(includeDeprecated: true) { name description isDeprecated deprecationReason type { ${typeRef} }
    args(includeDeprecated: true) { ${input} } }
  inputFields(includeDeprecated: true) { ${input} }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
  interfaces { kind name } possibleTypes { kind name } } } }`;

let types = [];

async function readSchema() {
  try {
    const { answer } = await ask(introspection);
    if (!answer.data) throw new Error(answer.errors?.[0]?.message ?? "");
    types = answer.data.__schema.types
      .filter(({ name }) => !name.startsWith("_"))
      .map((type) => ({ ...type, members: [...(type.fields ?? []), ...(type.inputFields ?? []), ...(type.enumValues ?? [])] }));
    show(types, $("search").value);
  } catch (error) {
    $("schema").textContent = `The schema could not be read. ${error.message}`;
  }
}

// --- start

examples.forEach(([name, query], index) => {
  const comment = query.match(/^(#.*\n)+/)?.[0].replace(/^# ?/gm, "").replace(/\s+/g, " ");
  $("example").append(new Option(comment?.match(/^.*?[.?](?= |$)/)?.[0] ?? query.match(/query (\w+)/)?.[1] ?? name, index));
});
$("example").addEventListener("change", () => {
  $("query").value = examples[$("example").value]?.[1] ?? "";
  $("variables").value = "";
  $("example").value = "";
});
const link = new URLSearchParams(location.search);
const first = examples.find(([name]) => name === "04-tape-walk") ?? examples[0];
$("query").value = link.get("query") ?? first?.[1] ?? "{ __typename }";
$("variables").value = link.get("variables") ?? "";
$("run").addEventListener("click", run);
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") run();
});
$("search").addEventListener("input", () => show(types, $("search").value));
$("key").addEventListener("change", readSchema);
readSchema();
