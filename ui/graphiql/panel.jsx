// What this gateway adds to GraphiQL: a picker of examples, a field for the API key, and what the last answer cost.
import { useGraphiQL, useGraphiQLActions } from "@graphiql/react";
import { useEffect, useRef, useSyncExternalStore } from "react";

import { current, subscribe, update } from "./session.js";

const useSession = () => useSyncExternalStore(subscribe, current);

/** Opens an example in a new tab. */
export const Examples = ({ examples }) => {
  const { addTab } = useGraphiQLActions();
  const tabs = useGraphiQL((state) => state.tabs.length);
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const wanted = useRef(undefined);
  // the new tab has the editor once it is there
  useEffect(() => {
    if (wanted.current === undefined) return;
    queryEditor?.setValue(wanted.current);
    wanted.current = undefined;
  }, [tabs, queryEditor]);
  const open = (event) => {
    const example = examples.find(({ name }) => name === event.target.value);
    event.target.value = "";
    if (!example) return;
    wanted.current = example.query;
    addTab();
  };
  return (
    <select className="examples" aria-label="Open an example" defaultValue="" onChange={open}>
      <option value="" disabled>
        Examples
      </option>
      {examples.map(({ name, title }) => (
        <option key={name} value={name}>
          {title}
        </option>
      ))}
    </select>
  );
};

/** The API key: held while the page is open, and kept nowhere. */
export const ApiKey = ({ isNeeded }) => {
  const { needsKey } = useSession();
  const { introspect } = useGraphiQLActions();
  const field = useRef(null);
  useEffect(() => {
    if (isNeeded || needsKey) field.current?.focus();
  }, [isNeeded, needsKey]);
  const apply = (event) => {
    event.preventDefault();
    update({ key: field.current.value.trim() });
    introspect();
  };
  return (
    <form className={isNeeded || needsKey ? "key needed" : "key"} onSubmit={apply}>
      <input
        ref={field}
        type="password"
        autoComplete="off"
        aria-label="API key or token"
        placeholder="API key or token"
        title="Sent as Authorization: Bearer …; forgotten when the page is closed"
        onBlur={(event) => event.target.value.trim() !== current().key && apply(event)}
      />
    </form>
  );
};

const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

const age = (instant) => {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(instant)) / 1000));
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
};

/** Time, cost, upstream requests and age of the last answer, and whether it is whole. */
export const LastAnswer = () => {
  const { last, needsKey } = useSession();
  if (needsKey) return <output className="last bad">401: enter an API key or token above, then run again</output>;
  if (!last) return <output className="last">Run a query to see what it cost</output>;
  const facts = [`${last.status}`, `${last.milliseconds} ms`];
  if (last.cost !== undefined) facts.push(`cost ${last.cost.toLocaleString("en")}`);
  if (last.requests !== undefined) {
    const each = Object.entries(last.byUpstream).map(([name, count]) => `${name} ${count}`);
    facts.push(plural(last.requests, "upstream request") + (each.length > 0 ? ` (${each.join(", ")})` : ""));
  }
  if (last.oldest) facts.push(`oldest data ${age(last.oldest)}`);
  const warnings = [];
  if (last.errors > 0) warnings.push(plural(last.errors, "error"));
  if (last.isIncomplete) warnings.push("incomplete");
  if (last.isStale) warnings.push("stale");
  return (
    <output className="last">
      {facts.join(" · ")}
      {warnings.length > 0 && <strong> · {warnings.join(", ")}</strong>}
    </output>
  );
};
