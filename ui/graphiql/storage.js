// GraphiQL keeps tabs and history in the browser. Headers can hold an API key, so they are never kept: neither in the
// tabs nor in the history, which ignores `shouldPersistHeaders`.

/** `storage`, less every header in what is written to it. Without a storage (it may be forbidden), nothing is kept. */
export const storageWithoutSecrets = (storage) => ({
  getItem: (name) => storage?.getItem(name) ?? null,
  removeItem: (name) => storage?.removeItem(name),
  clear: () => storage?.clear(),
  get length() {
    return storage?.length ?? 0;
  },
  setItem(name, value) {
    if (/headers$/i.test(name)) return;
    storage?.setItem(name, withoutHeaders(value));
  },
});

const withoutHeaders = (text) => {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return text;
  }
  if (value === null || typeof value !== "object") return text;
  return JSON.stringify(value, (name, member) => (name === "headers" ? null : member));
};
