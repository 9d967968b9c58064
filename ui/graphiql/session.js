// What the page knows while it is open, and forgets with it: the API key, and what the last answer cost.

const listeners = new Set();
let state = { key: "", needsKey: false, last: undefined };

/** For React's useSyncExternalStore. */
export const subscribe = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** The state as it is; a new object after every change. */
export const current = () => state;

/** Changes members of the state. */
export const update = (change) => {
  state = { ...state, ...change };
  listeners.forEach((listener) => listener());
};

/** `fetch`, with the key where the headers pane names no credentials of its own. */
export const fetchWithKey = async (input, init = {}) => {
  const headers = new Headers(init.headers);
  if (state.key && !headers.has("authorization") && !headers.has("x-api-key")) {
    headers.set("authorization", `Bearer ${state.key}`);
  }
  const started = performance.now();
  const response = await fetch(input, { ...init, headers });
  const milliseconds = Math.round(performance.now() - started);
  if (!isIntrospection(init.body)) {
    const answer = await response.clone().json().catch(() => undefined);
    update({ last: summary(response, answer, milliseconds) });
  }
  update({ needsKey: response.status === 401 });
  return response;
};

const isIntrospection = (body) => typeof body === "string" && body.includes("__schema");

const summary = (response, answer, milliseconds) => ({
  status: response.status,
  milliseconds,
  errors: answer?.errors?.length ?? 0,
  cost: answer?.extensions?.cost?.estimated,
  requests: answer?.extensions?.upstream?.requests,
  byUpstream: answer?.extensions?.upstream?.byUpstream ?? {},
  isIncomplete: some(answer?.data, (name, value) => name === "complete" && value === false),
  isStale: some(answer?.data, (name, value) => name === "stale" && value === true),
  oldest: oldest(answer?.data),
});

/** Visits every member below `data`, without recursion: answers can be deep. */
const visit = (data, look) => {
  const open = [data];
  while (open.length > 0) {
    const value = open.pop();
    if (value === null || typeof value !== "object") continue;
    for (const [name, member] of Object.entries(value)) {
      look(name, member);
      open.push(member);
    }
  }
};

const some = (data, test) => {
  let found = false;
  visit(data, (name, value) => (found ||= test(name, value)));
  return found;
};

/** When the oldest of the rows was read, where the query selects `origin { fetchedAt }`. */
const oldest = (data) => {
  let first;
  visit(data, (name, value) => {
    if (name === "fetchedAt" && typeof value === "string" && (!first || value < first)) first = value;
  });
  return first;
};
