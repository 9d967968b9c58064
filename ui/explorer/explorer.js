// A small explorer for builds without npm: write a query, run it, look things up in the schema. Loads nothing from elsewhere.
"use strict";

const examples = {
  "Server to tape to machines to sessions": `query TapeWalk {
  backupServers(first: 10) { nodes {
    name
    tapeLinkedJobs(first: 50) { complete nodes {
      job { name health }
      linkedJob { name kind health
        ... on AgentJob { objects(first: 50) { totalCount nodes { computer health lastRun
          lastSession { startedAt result durationSeconds matchedBy } } } } } } } } }
}`,
  "What failed, worst first": `query Failed {
  jobs(filter: { health: [FAILED, WARNING] }, orderBy: { field: HEALTH }, first: 20) {
    totalCount complete
    nodes { name kind health failureSummary lastEndTime company { name } backupServer { name } }
  }
}`,
  "How the upstreams are doing": `{
  upstreams { name kind state version lastOkAt lastErrorCode }
}`,
};

const $ = (id) => document.getElementById(id);
const endpoint = new URL("graphql", new URL(".", document.baseURI)).pathname;

async function ask(query, variables) {
  const headers = { "content-type": "application/json", accept: "application/json" };
  // stays in this page: it is stored nowhere
  if ($("key").value) headers.authorization = `Bearer ${$("key").value}`;
  const response = await fetch(endpoint, {
    method: "POST",
    headers,
    body: JSON.stringify({ query, variables }),
  });
  return response.json();
}

async function run() {
  const started = performance.now();
  let variables;
  try {
    variables = $("variables").value.trim() ? JSON.parse($("variables").value) : undefined;
  } catch {
    $("answer").textContent = "The variables are not JSON.";
    return;
  }
  $("cost").textContent = "…";
  try {
    const answer = await ask($("query").value, variables);
    $("answer").textContent = JSON.stringify(answer, null, 2);
    const calls = answer.extensions?.upstream?.requests;
    $("cost").textContent = `${Math.round(performance.now() - started)} ms` + (calls === undefined ? "" : `, ${calls} upstream requests`);
  } catch (error) {
    $("answer").textContent = `The gateway did not answer: ${error.message}`;
    $("cost").textContent = "";
  }
}

function typeName(type) {
  if (type.kind === "NON_NULL") return typeName(type.ofType) + "!";
  if (type.kind === "LIST") return "[" + typeName(type.ofType) + "]";
  return type.name;
}

function show(types, wanted) {
  const list = $("schema");
  list.replaceChildren();
  const word = wanted.toLowerCase();
  const matches = (text) => (text ?? "").toLowerCase().includes(word);
  for (const type of types) {
    const members = [...(type.fields ?? []), ...(type.inputFields ?? []), ...(type.enumValues ?? [])];
    if (word && !matches(type.name) && !members.some((member) => matches(member.name))) continue;
    const details = document.createElement("details");
    const summary = details.appendChild(document.createElement("summary"));
    summary.textContent = type.name;
    if (type.description) details.appendChild(document.createElement("p")).textContent = type.description;
    for (const member of members) {
      const line = details.appendChild(document.createElement("p"));
      line.appendChild(document.createElement("code")).textContent = member.name + (member.type ? ": " + typeName(member.type) : "");
      if (member.description) line.append(" " + member.description);
    }
    list.append(details);
  }
}

const typeRef = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
const introspection = `{ __schema { types { name description
  fields { name description type { ${typeRef} } }
  inputFields { name description type { ${typeRef} } }
  enumValues { name description } } } }`;

for (const name of Object.keys(examples)) $("example").append(new Option(name));
$("example").addEventListener("change", () => { $("query").value = examples[$("example").value]; });
$("query").value = Object.values(examples)[0];
$("run").addEventListener("click", run);
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") run();
});
let types = [];
function readSchema() {
  ask(introspection).then(({ data, errors }) => {
    if (!data) throw new Error(errors?.[0]?.message);
    types = data.__schema.types.filter((type) => !type.name.startsWith("__")).sort((a, b) => a.name.localeCompare(b.name));
    show(types, $("search").value);
  }).catch((error) => { $("schema").textContent = `The schema could not be read. ${error.message ?? ""}`; });
}
$("search").addEventListener("input", () => show(types, $("search").value));
$("key").addEventListener("change", readSchema);
readSchema();
