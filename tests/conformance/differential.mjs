// Random operations, valid and broken, answered by the gateway and by graphql-js over the same schema and the same data:
// data, the order of its members, nulls, errors and their paths must be the same.
//
// The data comes from the gateway itself, in one answer per root field: what it says is checked elsewhere. Here it is how
// it executes: aliases, merged and repeated fields, fragments, directives, variables, errors in the middle, nulls that
// travel up. `node differential.mjs http://host:port/graphql 10000 [seed]`

import assert from 'node:assert/strict';
import { buildClientSchema, execute, getIntrospectionQuery, getNamedType, getNullableType, isCompositeType, isLeafType, isListType, isNonNullType, parse, print, validate } from 'graphql';
import { getArgumentValues } from 'graphql/execution/values.js';

const [url, count = '10000', seed = '1'] = process.argv.slice(2);
let state = BigInt(seed);
const roll = (below) => {
  state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  return Number(state >> 33n) % Math.max(below, 1);
};
const oneOf = (list) => list[roll(list.length)];
const chance = (percent) => roll(100) < percent;

async function ask(request) {
  const headers = { 'content-type': 'application/json', accept: 'application/graphql-response+json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(request) });
  return response.json();
}

const schema = buildClientSchema((await ask({ query: getIntrospectionQuery() })).data);

// Everything that is asked about, each field with its arguments once. An alias tells the same field with other arguments.
const SESSION = 'uid name jobName state result health startedAt endedAt durationSeconds failureMessage matchedBy computer';
const JOB = `__typename id uid name kind type health status isEnabled lastRun lastEndTime transferredBytes failureSummary destination
  company { __typename id uid name } backupServer { __typename id uid name version } tape { status reason tapeJobs { __typename id name } }
  lastSession { __typename ${SESSION} } sessions(first: 2) { __typename complete totalCount nodes { __typename ${SESSION} } }
  ... on AgentJob { osType jobMode objects(first: 2) { __typename complete totalCount nodes { __typename id computer health restorePointsCount lastSession { __typename ${SESSION} } job { __typename id name } } } }
  ... on BackupCopyJob { rpoSeconds isRpoOptionsEnabled retentionPolicyType } ... on TapeJob { waitingForTape }`;
const PAGE = 'pageInfo { hasNextPage hasPreviousPage startCursor endCursor }';
const UNIVERSE = parse(`{
  jobs(first: 12) { __typename complete totalCount ${PAGE} edges { __typename cursor node { ${JOB} } } nodes { ${JOB} } }
  failed: jobs(first: 3, filter: { health: [FAILED, WARNING] }, orderBy: [{ field: LAST_RUN, direction: DESC }]) { __typename totalCount nodes { ${JOB} } }
  backupServers(first: 3) { __typename totalCount nodes { __typename id uid name status company { __typename id name }
    tapeLinkedJobs(first: 4) { __typename complete nodes { __typename jobUid resolved job { ${JOB} } linkedJob { ${JOB} } } } jobs(first: 3) { __typename totalCount nodes { ${JOB} } } } }
  companies(first: 3) { __typename totalCount nodes { __typename id uid name jobs(first: 2) { __typename totalCount nodes { ${JOB} } } } }
  agentSessions(first: 4) { __typename complete totalCount nodes { __typename ${SESSION} job { ${JOB} } children(first: 2) { __typename totalCount nodes { __typename ${SESSION} } } } }
  fleetHealth(groupBy: UPSTREAM) { __typename key worst complete jobs { __typename total failed } }
  upstreams { __typename id name kind version }
  nobody: backupServer(name: "nobody") { __typename id name }
  somebody: backupServer(name: "vbr002") { __typename id name }
}`);
// What always fails: in fields that may be null, and in fields that may not, so that the null travels up.
const POISONED = parse(`{
  jobs(first: 501) { totalCount } agentSessions(after: "x") { totalCount } backupServer { name } nodes(ids: [${'"x",'.repeat(501)}]) { id }
  job(uid: "11112222-3333-4444-5555-666677778888") { sessions(first: 501) { totalCount } backupServer { jobs(first: -1) { totalCount } } }
}`);

const keyOf = (name, args) => `${name}(${JSON.stringify(args, (_, value) => (value && typeof value === 'object' && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value))})`;
const TYPENAME = Symbol('type');

/** Files an answer under field and arguments in place of aliases, and its errors in their places. */
function file(type, selections, data, errors, path) {
  if (data === null || data === undefined || isLeafType(type)) return data;
  if (Array.isArray(data)) return data.map((item, at) => file(type, selections, item, errors, [...path, at]));
  const filed = { [TYPENAME]: data.__typename ?? type.name };
  const concrete = schema.getType(filed[TYPENAME]);
  for (const selection of selections) {
    if (selection.kind === 'InlineFragment') {
      if (selection.typeCondition.name.value === concrete.name) Object.assign(filed, file(concrete, selection.selectionSet.selections, data, errors, path));
      continue;
    }
    const name = selection.name.value;
    if (name === '__typename') continue;
    const field = concrete.getFields()[name];
    const answer = selection.alias?.value ?? name;
    const below = [...path, answer];
    const value = file(getNamedType(field.type), selection.selectionSet?.selections ?? [], data[answer], errors, below);
    const wrong = errors.filter((error) => JSON.stringify(error.path) === JSON.stringify(below));
    filed[keyOf(name, getArgumentValues(field, selection))] = { value, wrong: wrong.map((error) => error.message) };
  }
  return filed;
}

const answer = await ask({ query: print(UNIVERSE) });
assert.ok(answer.data, JSON.stringify(answer.errors));
const root = file(schema.getQueryType(), UNIVERSE.definitions[0].selectionSet.selections, answer.data, answer.errors ?? [], []);
const told = answer.errors?.length ?? 0;
const poison = new Map();
for (const selection of POISONED.definitions[0].selectionSet.selections) {
  if (selection.name.value === 'job') continue;
  const field = schema.getQueryType().getFields()[selection.name.value];
  const message = (await ask({ query: `{ ${print(selection)} }` })).errors[0].message;
  poison.set(`Query.${keyOf(selection.name.value, getArgumentValues(field, selection))}`, message);
}
const tooMany = poison.get(`Query.${keyOf('jobs', { first: 501 })}`);
for (const type of Object.keys(schema.getTypeMap())) {
  for (const field of ['jobs', 'sessions', 'objects', 'children']) poison.set(`${type}.${keyOf(field, { first: 501 })}`, tooMany);
}

/** The reference: graphql-js over what was filed. */
function reference(document, variables, operationName) {
  const reported = [];
  const fieldResolver = (source, args, _, info) => {
    const key = keyOf(info.fieldName, args);
    const poisoned = poison.get(`${info.parentType.name}.${key}`);
    if (poisoned) throw new Error(poisoned);
    const found = source[key];
    if (!found) throw new Error(`not in the universe: ${key}`);
    const path = [];
    for (let step = info.path; step; step = step.prev) path.unshift(step.key);
    // beside a value an error is only told; in place of one it is thrown
    if (found.wrong.length && found.value === null) throw new Error(found.wrong[0]);
    for (const message of found.wrong) reported.push({ message, path });
    return found.value;
  };
  const typeResolver = (value) => value[TYPENAME];
  const result = execute({ schema, document, rootValue: root, fieldResolver, typeResolver, variableValues: variables, operationName });
  return { data: result.data, errors: [...(result.errors ?? []).map(({ message, path }) => ({ message, path })), ...reported] };
}

/** One random operation along the universe, with its variables. */
class Operation {
  constructor() {
    this.fragments = [];
    this.definitions = [];
    this.variables = {};
    this.names = 0;
  }

  name(prefix) {
    this.names += 1;
    return `${prefix}${this.names}`;
  }

  directives() {
    if (!chance(12)) return '';
    const directive = oneOf(['skip', 'include']);
    if (chance(50)) return ` @${directive}(if: ${chance(50)})`;
    const name = this.name('v');
    const value = chance(50);
    this.definitions.push(chance(30) ? `$${name}: Boolean! = ${!value}` : `$${name}: Boolean!`);
    this.variables[name] = value;
    return ` @${directive}(if: $${name})`;
  }

  argument(type, node) {
    if (node.kind === 'ObjectValue' && chance(40)) return this.object(getNamedType(type), node);
    if (node.kind === 'ListValue' && chance(60)) return `[${node.values.map((value) => this.argument(getNullableType(type).ofType, value)).join(', ')}]`;
    if (!chance(25) || !isLeafType(getNamedType(type)) || isListType(getNullableType(type))) return print(node);
    const name = this.name('v');
    const value = node.kind === 'IntValue' ? Number(node.value) : (node.value ?? print(node));
    this.definitions.push(chance(20) && !isNonNullType(type) ? `$${name}: ${type} = ${print(node)}` : `$${name}: ${type}`);
    if (!this.definitions.at(-1).includes('=')) this.variables[name] = value;
    return `$${name}`;
  }

  object(type, node) {
    const members = node.fields.map((field) => `${field.name.value}: ${this.argument(type.getFields()[field.name.value].type, field.value)}`);
    return `{ ${members.join(', ')} }`;
  }

  field(type, selection, depth) {
    const name = selection.name.value;
    const field = name === '__typename' ? null : type.getFields()[name];
    let args = (selection.arguments ?? []).map((argument) => {
      const of = field.args.find((candidate) => candidate.name === argument.name.value).type;
      return `${argument.name.value}: ${this.argument(of, argument.value)}`;
    });
    if (['jobs', 'sessions', 'objects', 'children'].includes(name) && chance(4)) args = ['first: 501'];
    if (chance(30)) args.reverse();
    const inner = selection.selectionSet ? ` ${this.selections(getNamedType(field.type), selection.selectionSet.selections, depth + 1)}` : '';
    // the same answer name for the same field and arguments only
    const alias = selection.alias?.value ?? (args[0] === 'first: 501' ? `${name}TooMany` : null);
    const told = alias ? `${alias}: ` : chance(15) ? `${this.name('a')}: ` : '';
    return `${told}${name}${args.length ? `(${args.join(', ')})` : ''}${this.directives()}${inner}`;
  }

  selections(type, selections, depth) {
    const items = [];
    const fields = selections.filter((selection) => selection.kind === 'Field');
    const wanted = depth === 0 ? 1 + roll(3) : 1 + roll(depth > 4 ? 3 : 5);
    for (let at = 0; at < wanted; at += 1) {
      let picked = oneOf(selections);
      if (depth > 6) picked = oneOf(fields.filter((field) => !field.selectionSet)) ?? picked;
      if (picked.kind === 'InlineFragment') {
        const concrete = schema.getType(picked.typeCondition.name.value);
        items.push(`... on ${concrete.name}${this.directives()} ${this.selections(concrete, picked.selectionSet.selections, depth + 1)}`);
        continue;
      }
      const one = this.field(type, picked, depth);
      if (chance(10)) items.push(`...${this.directives()} { ${one} }`);
      else if (chance(8)) items.push(`... on ${oneOf([type, ...(type.getInterfaces?.() ?? []).filter((of) => picked.name.value in { ...of.getFields(), __typename: 0 })]).name} { ${one} }`);
      else if (chance(8)) {
        const name = this.name('F');
        this.fragments.push(`fragment ${name} on ${type.name} { ${one} ${chance(30) ? '__typename' : ''} }`);
        items.push(`...${name}${this.directives()}`);
        if (chance(30)) items.push(`...${name}`);
      } else items.push(one);
      // asked for twice: once in the answer
      if (chance(8)) items.push(one.includes('$') ? '__typename' : one);
    }
    return `{ ${items.join(' ')} }`;
  }

  text() {
    const body = this.selections(schema.getQueryType(), UNIVERSE.definitions[0].selectionSet.selections, 0);
    const poisoned = chance(3) ? body.replace('{', `{ ${oneOf(['backupServer { name }', 'a0: agentSessions(after: "x") { totalCount }', 'jobsTooMany: jobs(first: 501) { totalCount }'])} `) : body;
    const variables = this.definitions.length ? `(${this.definitions.join(', ')})` : '';
    const other = chance(10) ? ' query Other { __typename }' : '';
    return { query: `query Asked${variables} ${poisoned} ${this.fragments.join(' ')}${other}`, variables: this.variables, operationName: 'Asked' };
  }
}

/** The same, broken in one way. */
function broken(request) {
  const ways = [
    (text) => text.replace(/ (uid|name|health)\b/, ' nope'),
    (text) => text.replace(/totalCount/, 'totalCount { nope }'),
    (text) => text.replace(/ nodes \{[^{}]*\}/, ' nodes '),
    (text) => text.replace(/first: \d+/, 'first: "two"'),
    (text) => text.replace(/first: \d+/, 'first: 1, first: 1'),
    (text) => text.replace(/first: \d+/, 'frist: 1'),
    (text) => text.replace(/first: \d+/, 'first: $nobody'),
    (text) => text.replace(/first: \d+/, 'first: 2147483648'),
    (text) => text.replace('query Asked', 'query Asked @nope'),
    (text) => `${text} fragment Unused on Query { __typename }`,
    (text) => `${text} fragment Nope on Nope { __typename }`,
    (text) => text.replace(/\}\s*$/, '} ...Nobody }').replace(/\} \.\.\.Nobody \}$/, ' ...Nobody }'),
    (text) => text.replace('{', '{ same: __typename same: upstreams { name } '),
    (text) => text.replace('{', '{ jobs(first: 1) { totalCount } jobs(first: 2) { totalCount } '),
    (text) => text.replace('{', '{ __typename @skip '),
    (text) => text.replace('{', '{ __typename @skip(if: "yes") '),
    (text) => text.replace('{', '{ __typename @skip(if: true) @skip(if: false) '),
    (text) => text.replace('{', '{ ... on Job { name } '),
    (text) => text.replace('{', '{ ... on Health { name } '),
    (text) => text.replace('{', '{ ... on UUID { name } '),
    (text) => text.replace('query Asked', 'query Asked($nobody: Int)').replace(')(', ', '),
    (text) => text.replace('query Asked', 'query Asked($x: Job)').replace(')(', ', '),
    (text) => text.replace('query Asked', 'query Asked($x: Int = "a")').replace(')(', ', '),
    (text) => `${text} query Asked { __typename }`,
    (text) => text.replace('query Asked', 'mutation Asked'),
    (text) => text.replace('query Asked', 'subscription Asked'),
    (text) => text.replace('{', '{ job { name } '),
    (text) => text.replace('{', '{ job(uid: null) { name } '),
    (text) => text.replace('{', '{ jobs(filter: { nope: 1 }) { totalCount } '),
    (text) => text.replace('{', '{ jobs(filter: { health: [NOPE] }) { totalCount } '),
    (text) => text.replace('{', '{ jobs(filter: { health: "FAILED" }) { totalCount } '),
    (text) => text.replace('{', '{ jobs(orderBy: [{ direction: ASC }]) { totalCount } '),
    (text) => text.replace('{', '{ jobs(orderBy: { field: NAME, field: NAME }) { totalCount } '),
    (text) => text.replace('{', '{ fleetHealth(groupBy: "COMPANY") { key } '),
    (text) => text.replace('{', '{ ...Loop ').concat(' fragment Loop on Query { ...Loop }'),
    (text) => text.slice(0, -1 - roll(5)),
    (text) => text.replace('{', '{{ '),
    (text) => text.replace('}', ''),
  ];
  return { ...request, query: oneOf(ways)(request.query) };
}

/** Wrong variables for a right document. */
function misled(request) {
  const names = Object.keys(request.variables);
  if (!names.length) return request;
  const name = oneOf(names);
  return { ...request, variables: { ...request.variables, [name]: oneOf([null, 'x', {}, [], 1.5, undefined, '2147483648']) } };
}

let [valid, invalid, withErrors] = [0, 0, 0];
const differences = new Map();
async function compare(asked) {
  const request = JSON.parse(JSON.stringify(asked));
  let document;
  let refused;
  try {
    document = parse(request.query, { maxTokens: 20000 });
    refused = validate(schema, document).map((error) => error.message);
  } catch (error) {
    refused = [error.message];
  }
  const ours = await ask(request);
  if (ours.errors?.some((error) => error.extensions.code === 'QUERY_TOO_COMPLEX' && error.message.includes('limits.'))) {
    // the guard has no counterpart there, except for what validation refuses too
    if (refused.length) invalid += 1;
    return;
  }
  let theirs = { errors: refused };
  if (!refused.length) theirs = reference(document, request.variables, request.operationName);
  // a field with other arguments than any that the data is known of
  if (theirs.errors.some(({ message }) => message?.startsWith('not in the universe'))) return;
  // an operation of a kind that the schema does not have is refused, by whoever comes first
  const wasRun = theirs.data !== undefined && !theirs.errors.some(({ message }) => message.includes('not configured'));
  const differ = (what) => differences.set(what, [...(differences.get(what) ?? []), { request, ours, theirs }]);
  if (!wasRun) {
    invalid += 1;
    if (ours.data !== undefined || !ours.errors?.length) differ(`taken here, refused there: ${JSON.stringify(theirs.errors[0]?.message ?? theirs.errors[0]).replace(/"[^"]*"|\d+/g, '_')}`);
    return;
  }
  valid += 1;
  if (ours.data === undefined) return differ(`refused here, taken there: ${(ours.errors?.[0]?.message ?? '').replace(/"[^"]*"|\d+/g, '_')}`);
  const list = (errors) => (errors ?? []).map(({ message, path }) => JSON.stringify([path, message])).sort();
  if (theirs.errors.length) withErrors += 1;
  if (JSON.stringify(ours.data) !== JSON.stringify(theirs.data)) differ('other data');
  // where a null travels up, which of the errors below are told is left open; one of them must be
  else if (theirs.data !== null && list(ours.errors).join() !== list(theirs.errors).join() && !travelled(theirs)) differ('other errors');
  else if (theirs.errors.length && !ours.errors?.length) differ('no errors');
}

const travelled = ({ data, errors }) => errors.some(({ path }) => {
  let at = data;
  for (const step of path) {
    if (at === null || at === undefined) return true;
    at = at[step];
  }
  return false;
});

const total = Number(count);
for (let done = 0; done < total; ) {
  const batch = Array.from({ length: Math.min(16, total - done) }, () => {
    const request = new Operation().text();
    const kind = roll(10);
    return kind < 2 ? broken(request) : kind < 3 ? misled(request) : request;
  });
  await Promise.all(batch.map(compare));
  done += batch.length;
}
console.log(`${total} operations: ${valid} valid (${withErrors} with errors), ${invalid} refused; the data has ${told} errors`);
for (const [what, examples] of differences) {
  const { request, ours, theirs } = examples.sort((one, other) => one.request.query.length - other.request.query.length)[0];
  console.error(`\n${examples.length} x ${what}\n${request.query}\n${JSON.stringify(request.variables)}\nours   ${JSON.stringify({ errors: ours.errors, data: ours.data }).slice(0, 3000)}\ntheirs ${JSON.stringify({ errors: theirs.errors, data: theirs.data }).slice(0, 3000)}`);
}
assert.ok(valid > total / 3 && invalid > total / 20, 'the operations are not what they should be');
assert.equal(differences.size, 0, 'the gateway and the reference differ');
